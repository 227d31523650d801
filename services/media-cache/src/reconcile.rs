//! Brings index and store in line, once, at start.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use grok2api_proto::{Result, Stream};
use grok2api_storage::media::{Item, Kind};
use sha2::{Digest as _, Sha256};

use crate::{
    domain::{HEAD, Media, etag, is_name, is_source, source_of_name},
    shelf::Shelf,
    store::Stored,
};

const PAGE: u32 = 500;

/// Rows without their file go; files without a row are taken in when they are media. A file that is none goes when it
/// bears a name of ours, and stays untouched when somebody else put it there.
pub(crate) async fn run(shelf: &Shelf, kind: Kind) -> Result<()> {
    let mut files = shelf.store.list(kind).await?;
    let dropped = drop_rows(shelf, kind, &mut files).await?;
    let (mut adopted, mut foreign) = (0_usize, 0_usize);
    for (name, file) in files {
        match adopt(shelf, kind, &name, &file).await? {
            Some(item) => {
                shelf.index.put(&item).await?;
                adopted += 1;
            }
            None if is_source(source_of_name(&name)) => shelf.store.delete(kind, vec![name]).await,
            None => foreign += 1,
        }
    }
    if dropped + adopted + foreign > 0 {
        tracing::info!(
            dropped,
            adopted,
            foreign,
            "{kind:?} cache: {dropped} items lost, {adopted} files taken in, {foreign} foreign files left alone"
        );
    }
    Ok(())
}

/// Drops the rows whose file is missing or of another size, and takes all others' files out of `files`.
async fn drop_rows(shelf: &Shelf, kind: Kind, files: &mut HashMap<String, Stored>) -> Result<usize> {
    let (mut dropped, mut after) = (0, String::new());
    loop {
        let page = shelf.index.page(kind, &after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(dropped);
        };
        after.clone_from(&last.name);
        for item in page {
            if files.get(&item.name).is_some_and(|file| file.size == item.size) {
                files.remove(&item.name);
            } else if shelf.store.size(kind, &item.name).await? != Some(item.size) {
                // Asked once more: another replica may have added it since the listing.
                shelf.index.remove(kind, &item.name).await?;
                dropped += 1;
            }
        }
    }
}

/// The row of a file that has none, if it is media of this kind.
async fn adopt(shelf: &Shelf, kind: Kind, name: &str, file: &Stored) -> Result<Option<Item>> {
    if !is_name(name) {
        return Ok(None);
    }
    let Some(chunks) = shelf.store.read(kind, name, 0..file.size).await? else {
        return Ok(None);
    };
    Ok(judge(kind, chunks).await?.map(|(media, content)| Item {
        kind,
        name: name.to_owned(),
        source: source_of_name(name).to_owned(),
        content_type: media.content_type.to_owned(),
        size: file.size,
        etag: etag(content),
        created_at: file.modified,
        last_used_at: file.modified,
        // Who had it made is lost with the row.
        owner: String::new(),
    }))
}

/// What a file's content is, with its digest; nothing when it is no media of this kind.
async fn judge(kind: Kind, mut chunks: Stream<Bytes>) -> Result<Option<(Media, Sha256)>> {
    let (mut content, mut head) = (Sha256::new(), BytesMut::new());
    // A store may send it in pieces of any size.
    while head.len() < HEAD
        && let Some(chunk) = chunks.try_next().await?
    {
        content.update(&chunk);
        head.extend_from_slice(&chunk);
    }
    let Some(media) = Media::of(kind, &head[..head.len().min(HEAD)]) else { return Ok(None) };
    while let Some(chunk) = chunks.try_next().await? {
        content.update(&chunk);
    }
    Ok(Some((media, content)))
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};

    use super::*;

    #[rstest::rstest]
    #[tokio::test]
    async fn a_file_is_judged_alike_whatever_pieces_it_comes_in(#[values(1, 3, 7, 4096)] size: usize) {
        let sent = |content: &[u8]| -> Stream<Bytes> {
            let pieces: Vec<_> =
                content.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            stream::iter(pieces).boxed()
        };
        let image = [&b"\xff\xd8\xff\xe0"[..], &[7; 5000]].concat();
        let (media, content) = judge(Kind::Image, sent(&image)).await.unwrap().unwrap();
        assert_eq!(
            (media.content_type, etag(content)),
            ("image/jpeg", etag(Sha256::new_with_prefix(&image)))
        );
        for (kind, content) in
            [(Kind::Image, &b"<html>no image</html>"[..]), (Kind::Video, &image), (Kind::Image, b"")]
        {
            assert!(judge(kind, sent(content)).await.unwrap().is_none());
        }
    }
}
