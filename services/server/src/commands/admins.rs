//! `grok2api admins …`, on the store: the way back in for whoever is locked out. A running product asks the store for every
//! request of the console, so what is changed here holds at once.

use std::sync::Arc;

use clap::ValueEnum;
use grok2api_config::admins::{Deps, start};
use grok2api_kit::{clock::Clock, lifecycle::Tasks, runtime::Runtime, settings::Settings};
use grok2api_proto::admin::{Admin, Admins, CreateRequest, ListRequest, Role, UpdateRequest};
use grok2api_storage::{Store, bell::Bell, board};

use super::{Failure, client_keys::day, complain, say, small};
use crate::{StartError, store};

/// Who does it, in the log of actions.
const AUTHOR: &str = "command line";

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Show those who may use the console.
    List,
    /// Add one; the password is read from standard input, and has to be changed at the first login.
    Add {
        /// What they log in as.
        name: String,
        /// What they may do.
        #[arg(long, value_enum, default_value = "operator")]
        role: RoleArg,
    },
    /// Set a password, read from standard input; ends the admin's sessions.
    SetPassword {
        /// What they log in as.
        name: String,
        /// Let them in again if they were disabled.
        #[arg(long)]
        enable: bool,
    },
    /// Let an admin in no more; ends their sessions.
    Disable {
        /// What they log in as.
        name: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum RoleArg {
    Viewer,
    Operator,
    Owner,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Viewer => Self::Viewer,
            RoleArg::Operator => Self::Operator,
            RoleArg::Owner => Self::Owner,
        }
    }
}

pub(crate) async fn run(settings: &Settings, command: Command) -> Result<(), Failure> {
    let store = store::open(settings).await?;
    let tasks = Tasks::new();
    let done = match open(settings, &store, &tasks).await {
        Ok(admins) => execute(&admins, command).await,
        Err(error) => Err(error.into()),
    };
    super::finish(&tasks).await;
    store.close().await;
    done
}

async fn open(settings: &Settings, store: &Store, tasks: &Tasks) -> Result<Arc<dyn Admins>, StartError> {
    let failed = |error| StartError::one("admins", error);
    let config = grok2api_config::start(grok2api_config::Deps {
        settings: store.settings(),
        bell: Bell::default(),
        every: grok2api_config::REVISIONS,
        clock: Clock::system(),
        tasks: tasks.clone(),
    });
    let config = config.await.map_err(failed)?;
    // Nobody logs in here, so nobody's attempts are counted.
    let board = board::open(None).await.map_err(|error| StartError::one("admins", error))?;
    let admins = start(Deps {
        admins: store.admins(),
        sessions: store.sessions(),
        actions: store.actions(),
        board,
        runtime: Runtime::follow(config.clone(), tasks).await.map_err(failed)?,
        config,
        first_password: settings.admin.password.clone(),
        clock: Clock::system(),
        tasks: tasks.clone(),
    });
    admins.await.map_err(failed)
}

async fn execute(admins: &Arc<dyn Admins>, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => list(admins).await,
        Command::Add { name, role } => {
            let role = Role::from(role).into();
            let (password, author) = (password()?, AUTHOR.to_owned());
            let request = CreateRequest { name, role, password, author, password_is_theirs: false };
            let made = admins.create(request).await?;
            say(&format!("{} is added as {}", made.name, small(&made.role())));
            Ok(())
        }
        Command::SetPassword { name, enable } => {
            let admin = find(admins, &name).await?;
            let password = Some(password()?);
            let disabled = enable.then_some(false);
            let request = UpdateRequest { password, disabled, password_is_theirs: true, ..change(&admin) };
            let changed = admins.update(request).await?;
            say(&format!("the password of {} is set", changed.name));
            if changed.disabled {
                complain("note: the admin is disabled; --enable lets them in again");
            }
            Ok(())
        }
        Command::Disable { name } => {
            let admin = find(admins, &name).await?;
            admins.update(UpdateRequest { disabled: Some(true), ..change(&admin) }).await?;
            say(&format!("{name} is disabled"));
            Ok(())
        }
    }
}

async fn list(admins: &Arc<dyn Admins>) -> Result<(), Failure> {
    say(&format!("{:<24}{:<10}{:<22}LAST LOGIN", "NAME", "ROLE", "STATUS"));
    for admin in admins.list(ListRequest {}).await?.admins {
        let status = match (admin.disabled, admin.must_change_password) {
            (true, _) => "disabled",
            (false, true) => "must set a password",
            (false, false) => "active",
        };
        let login = admin.last_login_at.map_or_else(|| "never".to_owned(), day);
        say(&format!("{:<24}{:<10}{status:<22}{login}", admin.name, small(&admin.role())));
    }
    Ok(())
}

async fn find(admins: &Arc<dyn Admins>, name: &str) -> Result<Admin, Failure> {
    let listed = admins.list(ListRequest {}).await?.admins;
    let unknown = || Failure::Code(1, format!("there is no admin {name:?}; `admins list` shows all"));
    listed.into_iter().find(|admin| admin.name == name).ok_or_else(unknown)
}

fn change(admin: &Admin) -> UpdateRequest {
    UpdateRequest {
        id: admin.id.clone(),
        expected_version: admin.version,
        author: AUTHOR.to_owned(),
        ..UpdateRequest::default()
    }
}

/// The first line of standard input: an argument would stay in the shell's history.
fn password() -> Result<String, Failure> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    let failed =
        |error| Failure::Code(1, format!("the password cannot be read from standard input: {error}"));
    read.map_err(failed)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
