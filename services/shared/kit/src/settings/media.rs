//! Where the bytes of generated media lie.

use std::path::{Path, PathBuf};

use url::Url;

use super::{Media, Mistake};

/// The place that the section `media` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaPlace {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A bucket of an S3-compatible store.
    Bucket(Bucket),
}

/// A bucket, without its credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// What the keys begin with, without slashes at its ends; may be empty.
    pub prefix: String,
}

impl Media {
    /// The place of the bytes, where `data_dir` is the data directory.
    ///
    /// # Errors
    /// What is wrong with `media.url`.
    pub fn place(&self, data_dir: &Path) -> Result<MediaPlace, String> {
        if self.url.is_empty() {
            return Ok(MediaPlace::Directory(data_dir.join("media")));
        }
        let form = || format!("{:?} is not of the form s3://bucket/prefix or file:///directory", self.url);
        let url = Url::parse(&self.url).map_err(|_| form())?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        match url.scheme() {
            "file" if plain => url.to_file_path().map(MediaPlace::Directory).map_err(|()| form()),
            "s3" if plain && url.port().is_none() => {
                let name = url.host_str().filter(|name| !name.is_empty()).ok_or_else(form)?.to_owned();
                Ok(MediaPlace::Bucket(Bucket { name, prefix: url.path().trim_matches('/').to_owned() }))
            }
            _ => Err(form()),
        }
    }

    /// What the types cannot say.
    pub(super) fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut wrong = |name: &str, what: String| mistakes.push(Mistake(format!("media.{name}: {what}")));
        let bucket = match self.place(Path::new("")) {
            Ok(place) => matches!(place, MediaPlace::Bucket(_)),
            Err(what) => return vec![Mistake(format!("media.url: {what}"))],
        };
        for (name, value) in
            [("endpoint", &self.endpoint), ("access_key", &self.access_key), ("secret_key", &self.secret_key)]
        {
            if !bucket && !value.is_empty() {
                wrong(name, "is of use with a media.url of the form s3://bucket/prefix only".to_owned());
            }
        }
        if !self.endpoint.is_empty() && !is_endpoint(&self.endpoint) {
            wrong("endpoint", format!("{:?} is not of the form https://host:port", self.endpoint));
        }
        if bucket && self.region.is_empty() {
            wrong("region", "a store without regions takes any name, such as us-east-1".to_owned());
        }
        match (self.access_key.is_empty(), self.secret_key.is_empty()) {
            (true, false) => wrong("access_key", "is missing beside media.secret_key".to_owned()),
            (false, true) => wrong("secret_key", "is missing beside media.access_key".to_owned()),
            _ => {}
        }
        mistakes
    }
}

/// Credentials in an address would be shown with it, so there are none.
fn is_endpoint(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.path() == "/"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn media(url: &str) -> Media {
        let mut media = Settings::load(None, []).unwrap().media;
        url.clone_into(&mut media.url);
        media
    }

    fn mistakes(pairs: &[(&str, &str)]) -> String {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mistakes = Settings::load(None, pairs).err().unwrap_or_default();
        mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
    }

    #[test]
    fn a_place_is_a_directory_or_a_bucket() {
        let data = Path::new("/data");
        let directory = |path: &str| Ok(MediaPlace::Directory(path.into()));
        let bucket = |name: &str, prefix: &str| {
            Ok(MediaPlace::Bucket(Bucket { name: name.into(), prefix: prefix.into() }))
        };
        assert_eq!(media("").place(data), directory("/data/media"));
        assert_eq!(media("file:///mnt/media").place(data), directory("/mnt/media"));
        assert_eq!(media("s3://bucket").place(data), bucket("bucket", ""));
        assert_eq!(media("s3://my.bucket/a/b/").place(data), bucket("my.bucket", "a/b"));
    }

    #[test]
    fn what_is_no_place_is_refused_with_its_form() {
        for url in
            ["bucket", "s3://", "gs://bucket", "file://host/dir", "s3://key:secret@bucket", "s3://b?x=1"]
        {
            let said = mistakes(&[("G2A_MEDIA_URL", url)]);
            assert!(said.contains("media.url") && said.contains("s3://bucket/prefix"), "{url}: {said}");
        }
    }

    #[test]
    fn all_mistakes_of_a_bucket_are_told_at_once() {
        let said = mistakes(&[
            ("G2A_MEDIA_URL", "s3://bucket"),
            ("G2A_MEDIA_ENDPOINT", "minio:9000"),
            ("G2A_MEDIA_REGION", ""),
            ("G2A_MEDIA_ACCESS_KEY", "key"),
            ("G2A_MEDIA_PATH_STYLE", "perhaps"),
        ]);
        for name in ["media.endpoint", "media.region", "media.secret_key", "media.path_style"] {
            assert!(said.contains(name), "{name} is missing in:\n{said}");
        }
        let said = mistakes(&[("G2A_MEDIA_ACCESS_KEY", "key"), ("G2A_MEDIA_SECRET_KEY", "secret")]);
        assert!(said.contains("media.access_key: is of use"), "{said}");
    }

    #[test]
    fn the_credentials_may_come_from_files_and_are_masked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "wJalrXUtnFEMIK7MDENG\n").unwrap();
        let pairs = [
            ("G2A_MEDIA_URL", "s3://bucket"),
            ("G2A_MEDIA_ACCESS_KEY", "AKIAIOSFODNN7EXAMPLE"),
            ("G2A_MEDIA_SECRET_KEY_FILE", file.to_str().unwrap()),
        ];
        let settings =
            Settings::load(None, pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
        assert_eq!(settings.media.secret_key, "wJalrXUtnFEMIK7MDENG");
        let dump = settings.dump();
        assert!(!dump.contains("XUtnFEMI") && !dump.contains("IOSFODNN"), "{dump}");
    }
}
