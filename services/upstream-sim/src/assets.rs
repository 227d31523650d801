//! What the assets host serves: uploads as they came, pictures and videos made up from their ids.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use uuid::Uuid;

use crate::ids::{Kind, Mint, digest};

mod jpeg;
mod mp4;

/// Bytes of uploads kept; the oldest go first.
const MOST_BYTES: usize = 256 << 20;

/// Files that were uploaded.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    files: HashMap<Uuid, Upload>,
    order: VecDeque<Uuid>,
    bytes: usize,
}

/// One uploaded file.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) owner: Uuid,
    pub(crate) mime: String,
    pub(crate) content: Bytes,
}

/// Something the assets host has.
#[derive(Debug)]
pub(crate) struct Asset {
    pub(crate) mime: String,
    pub(crate) content: Bytes,
}

impl Uploads {
    pub(crate) fn keep(&mut self, id: Uuid, upload: Upload) {
        self.bytes += upload.content.len();
        self.files.insert(id, upload);
        self.order.push_back(id);
        // The newest stays, however large it is.
        while self.bytes > MOST_BYTES && self.order.len() > 1 {
            let oldest = self.order.pop_front().and_then(|id| self.files.remove(&id));
            self.bytes -= oldest.map_or(0, |upload| upload.content.len());
        }
    }

    /// The file of this id, if it is this owner's.
    pub(crate) fn get(&self, owner: Uuid, id: Uuid) -> Option<&Upload> {
        self.files.get(&id).filter(|upload| upload.owner == owner)
    }
}

impl Upload {
    /// What an answer says about it: the beginning of its SHA-256, and its type.
    pub(crate) fn description(&self) -> String {
        use sha2::{Digest, Sha256};
        let sum = Sha256::digest(&self.content);
        let prefix: String = sum.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("{prefix}, {}", self.mime)
    }
}

impl Asset {
    /// The made-up asset under `generated/{folder}/{file}` of `owner`, if the id is one that was issued.
    pub(crate) fn generated(mint: Mint, owner: Uuid, folder: &str, file: &str) -> Option<Self> {
        let (id, preview) = match folder.strip_suffix("-part-0") {
            Some(id) => (id, true),
            None => (folder, false),
        };
        let id = Uuid::parse_str(id).ok()?;
        let look = digest(&[id.as_bytes()]);
        match file {
            "image.jpg" if mint.owned(Kind::Image, owner, id) => {
                Some(Self::new("image/jpeg", jpeg::picture(&look, if preview { 8 } else { 40 })))
            }
            "preview_image.jpg" if mint.owned(Kind::Video, owner, id) => {
                Some(Self::new("image/jpeg", jpeg::picture(&look, 24)))
            }
            "generated_video.mp4" if mint.owned(Kind::Video, owner, id) => {
                Some(Self::new("video/mp4", mp4::video(&look)))
            }
            _ => None,
        }
    }

    fn new(mime: &str, content: Vec<u8>) -> Self {
        Self { mime: mime.to_owned(), content: content.into() }
    }
}

impl From<&Upload> for Asset {
    fn from(upload: &Upload) -> Self {
        Self { mime: upload.mime.clone(), content: upload.content.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_issued_ids_have_assets() {
        let mint = Mint::new(1);
        let (ann, bob) = (mint.user("ann"), mint.user("bob"));
        let id = mint.issue(Kind::Image, ann, 3).to_string();
        let picture =
            |owner, folder: &str| Asset::generated(mint, owner, folder, "image.jpg").map(|a| a.content);
        let whole = picture(ann, &id).unwrap();
        assert_eq!(picture(ann, &id).unwrap(), whole);
        assert!(picture(ann, &format!("{id}-part-0")).unwrap().len() < whole.len());
        assert!(picture(bob, &id).is_none());
        assert!(Asset::generated(mint, ann, &id, "generated_video.mp4").is_none());
    }

    #[test]
    fn old_uploads_make_room() {
        let mut uploads = Uploads::default();
        let content = Bytes::from(vec![0; MOST_BYTES / 2 + 1]);
        let owner = Uuid::nil();
        for number in 1..=2 {
            let upload = Upload { owner, mime: String::new(), content: content.clone() };
            uploads.keep(Uuid::from_u128(number), upload);
        }
        assert!(uploads.get(owner, Uuid::from_u128(1)).is_none());
        assert!(uploads.get(owner, Uuid::from_u128(2)).is_some());
        assert!(uploads.get(Uuid::max(), Uuid::from_u128(2)).is_none());
    }
}
