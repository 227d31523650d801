//! `temp/image` and `temp/video`, into the media cache under their names, so that old addresses keep working.

use std::{fs, io, path::PathBuf, time::SystemTime};

use grok2api_kit::{
    clock::Clock,
    egress::{Endpoints, Gateway},
    runtime::Runtime,
};
use grok2api_media_cache::{Deps, Intake, Taken};
use grok2api_proto::Kind as Failed;
use grok2api_storage::media::Kind;

use super::{Counts, Import};
use crate::{
    StartError,
    commands::{Failure, say},
};

const FOLDERS: [(&str, Kind, &str); 2] = [
    ("temp/image", Kind::Image, "image_cache_max_size_mb"),
    ("temp/video", Kind::Video, "video_cache_max_size_mb"),
];

pub(super) async fn import(import: &Import<'_>) -> Result<Counts, Failure> {
    let failed = |error| StartError::one("config", error);
    let runtime = Runtime::follow(import.config.clone(), import.tasks).await.map_err(failed)?;
    let deps = Deps {
        index: import.store.media(),
        media: import.settings.media.clone(),
        data_dir: import.settings.data.dir.clone(),
        egress: Gateway::new(Endpoints::from(&import.settings.upstream), runtime.clone()),
        runtime,
        clock: Clock::system(),
        tasks: import.tasks.clone(),
    };
    let intake = Intake::open(deps, import.args.dry_run).await;
    let mut intake = intake.map_err(|error| StartError::one("media store", error.message))?;
    let mut counts = Counts::default();
    for (folder, kind, limit) in FOLDERS {
        match newest_first(import, folder) {
            Ok(files) => {
                for (name, path) in files {
                    let taken = match intake.take(kind, &name, &path).await {
                        Ok(taken) => Ok(taken),
                        Err(error) if error.kind == Failed::InvalidRequest => Err(error.message),
                        Err(error) => return Err(error.into()),
                    };
                    counts.file(&format!("{folder}/{name}"), taken, limit, import.args.report);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                say(&format!("media: there is no {folder}"));
            }
            Err(error) => {
                say(&format!("{folder}: not taken: {error}"));
                counts.refused += 1;
            }
        }
    }
    Ok(counts.tell("media"))
}

/// Names and paths; if there is no room for all, the newest are taken.
fn newest_first(import: &Import<'_>, folder: &str) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(import.dir.join(folder))? {
        let (name, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        // What cannot be looked at is told when it cannot be opened either.
        let metadata = fs::metadata(&path).ok();
        if metadata.as_ref().is_none_or(fs::Metadata::is_file) {
            let written = metadata.and_then(|metadata| metadata.modified().ok());
            let written = written.unwrap_or(SystemTime::UNIX_EPOCH);
            files.push((written, name.to_string_lossy().into_owned(), path));
        }
    }
    files.sort_by(|one, other| other.cmp(one));
    Ok(files.into_iter().map(|(_, name, path)| (name, path)).collect())
}

impl Counts {
    fn file(&mut self, file: &str, taken: Result<Taken, String>, limit: &str, every: bool) {
        let reason = match taken {
            Ok(Taken::New(size)) => {
                self.taken += 1;
                if every {
                    say(&format!("{file}: taken, {size} bytes"));
                }
                return;
            }
            Ok(Taken::Known) => {
                self.known += 1;
                if every {
                    say(&format!("{file}: already there"));
                }
                return;
            }
            Ok(Taken::Full) => format!("no room is left for it: raise {limit}"),
            Ok(Taken::Refused(reason)) => reason.to_owned(),
            Err(reason) => reason,
        };
        say(&format!("{file}: not taken: {reason}"));
        self.refused += 1;
    }
}
