//! `grok2api import-seed DIR`: settings, accounts and media of the Python project.

mod accounts;
mod media;
mod parameters;

use std::{io, path::PathBuf, sync::Arc};

use grok2api_kit::{clock::Clock, lifecycle::Tasks, settings::Settings};
use grok2api_proto::config::Config;
use grok2api_storage::Store;

use super::{Failure, say};
use crate::{StartError, store};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The project's directory, or the `data` directory in it.
    dir: PathBuf,
    /// Say what would be taken, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Tell of every account and file, not only of those that are not taken.
    #[arg(long)]
    report: bool,
}

/// What the parts of the import share.
struct Import<'a> {
    settings: &'a Settings,
    store: &'a Store,
    config: &'a Arc<dyn Config>,
    tasks: &'a Tasks,
    args: &'a Args,
    /// The seed's data directory.
    dir: PathBuf,
}

/// How many entries of a part went which way.
#[derive(Default)]
struct Counts {
    taken: usize,
    known: usize,
    refused: usize,
}

pub(crate) async fn run(settings: &Settings, args: Args) -> Result<(), Failure> {
    let dir = seed(&args)?;
    let store = store::open(settings).await?;
    let tasks = Tasks::new();
    let done = import(settings, &store, &tasks, &args, dir).await;
    super::finish(&tasks).await;
    store.close().await;
    let counts = done?;
    if counts.refused > 0 {
        return Err(Failure::Code(1, format!("{} entries were not taken, see above", counts.refused)));
    }
    Ok(())
}

/// The parts in the order in which they need each other: the settings hold the limits of the media.
async fn import(
    settings: &Settings,
    store: &Store,
    tasks: &Tasks,
    args: &Args,
    dir: PathBuf,
) -> Result<Counts, Failure> {
    let config = grok2api_config::start(grok2api_config::Deps {
        settings: store.settings(),
        bell: store::bell(settings).await,
        every: grok2api_config::REVISIONS,
        clock: Clock::system(),
        tasks: tasks.clone(),
    });
    let config = config.await.map_err(|error| StartError::one("config", error))?;
    let import = Import { settings, store, config: &config, tasks, args, dir };
    let mut all = Counts::default();
    for counts in
        [parameters::import(&import).await?, accounts::import(&import).await?, media::import(&import).await?]
    {
        all.taken += counts.taken;
        all.known += counts.known;
        all.refused += counts.refused;
    }
    if args.dry_run {
        say("nothing was changed: this was a dry run");
    }
    Ok(all)
}

/// The data directory of the seed.
fn seed(args: &Args) -> Result<PathBuf, Failure> {
    let holds =
        |dir: &PathBuf| ["setting.toml", "token.json", "temp"].iter().any(|name| dir.join(name).exists());
    let found = [args.dir.join("data"), args.dir.clone()].into_iter().find(holds);
    found.ok_or_else(|| {
        let dir = args.dir.display();
        Failure::Code(1, format!("{dir}: holds no data/setting.toml, data/token.json or data/temp"))
    })
}

impl Import<'_> {
    /// A text file of the seed, if it is there.
    fn text(&self, name: &str) -> Result<Option<String>, String> {
        match std::fs::read_to_string(self.dir.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Counts {
    /// Nothing of a part could be taken.
    fn lost(part: &str, reason: &str) -> Self {
        say(&format!("{part}: not taken: {reason}"));
        Self { refused: 1, ..Self::default() }
    }

    fn missing(part: &str, file: &str) -> Self {
        say(&format!("{part}: there is no {file}"));
        Self::default()
    }

    fn tell(self, part: &str) -> Self {
        let Self { taken, known, refused } = self;
        say(&format!("{part}: {taken} taken, {known} already there, {refused} not taken"));
        self
    }
}
