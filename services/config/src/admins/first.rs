//! The first owner, whose name and password can be said by the parameters `admin_username` and `admin_password`.
//!
//! A password that stands in the parameters is a message: it becomes that owner's, and the parameter goes back to its default.
//! So nobody's choice in the console is ever undone by an old value, and no password stays readable for those who hold the
//! sealing key.

use std::sync::Arc;

use grok2api_kit::{
    lifecycle::Shutdown,
    runtime::{Applied, Runtime},
};
use grok2api_proto::{
    Error, Kind, Result,
    config::{Config, UpdateRequest},
};
use grok2api_storage::{
    self as storage,
    admins::{Admin, Role},
};
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};
use uuid::Uuid;

use super::{Service, password};

const AUTHOR: &str = "parameters";
const RETRY: Duration = Duration::from_secs(5);

impl Service {
    /// Adds the first owner where there is nobody.
    pub(super) async fn first(&self, runtime: &Runtime, password: &str) -> Result<()> {
        if !self.admins.list().await?.is_empty() {
            return Ok(());
        }
        let applied = runtime.current();
        let config = &applied.config;
        let password = if password.is_empty() { &config.admin_password } else { password };
        let owner = Admin {
            id: Uuid::now_v7(),
            name: config.admin_username.clone(),
            role: Role::Owner,
            password_hash: self.hasher.hash(password.to_owned()).await?,
            created_at: self.clock.now_ms(),
            last_login_at: None,
            disabled: false,
            must_change: password == password::DEFAULT,
            version: 1,
        };
        match self.admins.insert(&owner).await {
            // Another replica that starts now was first.
            Err(storage::Error::Taken { .. }) => Ok(()),
            done => Ok(done?),
        }
    }

    /// Takes over what the parameters say from now on.
    pub(super) async fn follow(
        self: Arc<Self>,
        mut runtime: Runtime,
        config: Arc<dyn Config>,
        shutdown: Shutdown,
    ) {
        let mut refused = String::new();
        loop {
            let applied = runtime.current();
            match self.take_over(&applied, &*config).await {
                Err(error) if error.kind == Kind::Unavailable || error.kind == Kind::Timeout => {
                    sleep(RETRY).await;
                    continue;
                }
                Err(error) if refused != error.message => {
                    tracing::error!(%error, "the parameters' name and password cannot be taken over: {error}");
                    refused = error.message;
                }
                _ => {}
            }
            tokio::select! {
                _ = runtime.changed() => {}
                () = shutdown.draining() => return,
            }
        }
    }

    async fn take_over(&self, applied: &Applied, config: &dyn Config) -> Result<()> {
        let said = &applied.config;
        let admins = self.admins.list().await?;
        let Some(owner) = admins.iter().min_by_key(|admin| admin.id) else { return Ok(()) };
        if owner.name != said.admin_username {
            self.rename(owner, &said.admin_username).await?;
        }
        if said.admin_password == password::DEFAULT {
            return Ok(());
        }
        self.take_password(owner.id, said.admin_password.clone()).await?;
        let changes = [("admin_password".to_owned(), "null".to_owned())].into();
        let (expected_revision, author) = (Some(applied.number), AUTHOR.to_owned());
        match config.update(UpdateRequest { changes, expected_revision, author }).await {
            // Another replica was first, or there is a newer revision, which comes next.
            Err(error) if error.kind == Kind::Conflict => Ok(()),
            done => done.map(drop),
        }
    }

    async fn rename(&self, owner: &Admin, name: &str) -> Result<()> {
        let renamed = Admin { name: name.to_owned(), ..owner.clone() };
        match self.admins.update(&renamed).await {
            Err(storage::Error::Conflict { .. }) => return Ok(()),
            Err(error) => return Err(super::taken(error, name)),
            Ok(_) => {}
        }
        let (before, after) = (json!({"name": owner.name}), json!({"name": name}));
        self.log_change(AUTHOR, "admin.update", name, before, after).await;
        Ok(())
    }

    async fn take_password(&self, owner: Uuid, password: String) -> Result<()> {
        let missing = || Error::internal("the first owner is gone");
        let known = self.admins.get(owner).await?.ok_or_else(missing)?;
        // A replica that comes later ends no session that was begun with it.
        if self.hasher.verify(password.clone(), Some(known.password_hash)).await? && !known.must_change {
            return Ok(());
        }
        let hash = self.hasher.hash(password).await?;
        let owner = loop {
            let known = self.admins.get(owner).await?.ok_or_else(missing)?;
            let changed = Admin { password_hash: hash.clone(), must_change: false, ..known };
            match self.admins.update(&changed).await {
                // Somebody logged in meanwhile, or changed the admin.
                Err(storage::Error::Conflict { .. }) => {}
                done => break done.map(|_| changed)?,
            }
        };
        self.sessions.revoke_all(owner.id).await?;
        self.log_change(AUTHOR, "admin.password", &owner.name, Value::Null, Value::Null).await;
        Ok(())
    }
}
