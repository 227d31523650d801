//! Admins, their sessions, and the log of what they did.

mod first;
mod messages;
mod password;
mod secret;
mod throttle;

use std::sync::Arc;

use grok2api_kit::{clock::Clock, lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::{
    Error, Kind, Result,
    admin::{
        Action, Admins, AuthenticateRequest, ChangePasswordRequest, CreateRequest, EndSessionsRequest,
        EndSessionsResponse, ListActionsRequest, ListActionsResponse, ListRequest, ListResponse,
        ListSessionsRequest, ListSessionsResponse, LogResponse, LoginRequest, LoginResponse, Session,
        UpdateRequest,
    },
    config::Config,
};
use grok2api_storage::{
    self as storage,
    actions::Actions,
    admins::{Admin, Admins as StoredAdmins},
    board::Board,
    sessions::{Digest, Session as StoredSession, Sessions},
};
use serde_json::{Value, json};
use uuid::Uuid;

use self::{
    messages::{action, admin, digest, read_action, role, session, told},
    password::Hasher,
    throttle::Throttle,
};

/// How long a session lasts.
const LASTS_MS: i64 = 24 * 60 * 60 * 1000;
/// How often it is noted that a session is used.
const NOTED_MS: i64 = 60 * 1000;
/// How long an expired session is known to have been one.
const REMEMBERED_MS: i64 = 7 * LASTS_MS;
/// Longer is no address and no name of a program.
const LONGEST: usize = 200;
const MOST_ON_A_PAGE: u32 = 500;
const PAGE: u32 = 50;

/// What the service of admins needs.
pub struct Deps {
    /// The stored admins.
    pub admins: Arc<dyn StoredAdmins>,
    /// Their sessions.
    pub sessions: Arc<dyn Sessions>,
    /// The log of actions.
    pub actions: Arc<dyn Actions>,
    /// Counts failures, over all processes.
    pub board: Arc<dyn Board>,
    /// Where `admin_password` is taken from, and put back.
    pub config: Arc<dyn Config>,
    /// Tells of `admin_username` and `admin_password`.
    pub runtime: Runtime,
    /// The first owner's password, from the settings; empty to take that of the parameters.
    pub first_password: String,
    /// Dates sessions and changes.
    pub clock: Clock,
    /// Owns the housekeeping.
    pub tasks: Tasks,
}

pub(crate) struct Service {
    admins: Arc<dyn StoredAdmins>,
    sessions: Arc<dyn Sessions>,
    actions: Arc<dyn Actions>,
    throttle: Throttle,
    hasher: Hasher,
    clock: Clock,
}

/// Makes sure that there is an owner, and begins to follow the parameters.
///
/// # Errors
/// `storage_unavailable`.
pub async fn start(deps: Deps) -> Result<Arc<dyn Admins>> {
    let service = Arc::new(Service {
        admins: deps.admins,
        sessions: deps.sessions,
        actions: deps.actions,
        throttle: Throttle(deps.board),
        hasher: Hasher::default(),
        clock: deps.clock,
    });
    service.first(&deps.runtime, &deps.first_password).await?;
    let shutdown = deps.tasks.shutdown().clone();
    let following = service.clone().follow(deps.runtime, deps.config, shutdown.clone());
    deps.tasks.spawn_background("admins-follow", following);
    deps.tasks.spawn_background("sessions-purge", service.clone().purge());
    Ok(service)
}

impl Service {
    /// A new session of an admin, with its secret.
    async fn begin(&self, of: &Admin, address: &str, user_agent: &str) -> Result<LoginResponse> {
        let (token, digest) = secret::fresh();
        let now = self.clock.now_ms();
        let begun = StoredSession {
            digest,
            admin: of.id,
            created_at: now,
            expires_at: now + LASTS_MS,
            last_seen_at: now,
            address: cut(address),
            user_agent: cut(user_agent),
        };
        self.sessions.insert(&begun).await?;
        Ok(LoginResponse { token, session: Some(session(&begun, Some(of))) })
    }

    /// The session of that digest and whose it is, when it may be used.
    async fn open(&self, digest: &Digest) -> Result<(StoredSession, Admin)> {
        let refused = |code: &'static str, message: &str| Error::new(Kind::Unauthenticated, code, message);
        let invalid = || refused("SESSION_INVALID", "the session is unknown or was ended");
        let session = self.sessions.get(digest).await?.ok_or_else(invalid)?;
        if session.expires_at <= self.clock.now_ms() {
            return Err(refused("SESSION_EXPIRED", "the session has expired: log in again"));
        }
        let admin = self.admins.get(session.admin).await?.filter(|admin| !admin.disabled);
        Ok((session, admin.ok_or_else(invalid)?))
    }

    async fn stored(&self, id: &str) -> Result<Admin> {
        let unknown =
            || Error::new(Kind::NotFound, "admin_not_found", format!("there is no admin {id:?}")).at("id");
        let id = Uuid::parse_str(id).map_err(|_| unknown())?;
        self.admins.get(id).await?.ok_or_else(unknown)
    }

    /// Writes down what was done. What is done is done: a log that is away does not undo it.
    async fn log_change(&self, author: &str, what: &str, target: &str, before: Value, after: Value) {
        tracing::info!(author, target, "{what} by {author:?}: {target}");
        let entry = storage::actions::Action {
            id: Uuid::now_v7(),
            at: self.clock.now_ms(),
            actor: author.to_owned(),
            what: what.to_owned(),
            target: target.to_owned(),
            before,
            after,
        };
        if let Err(error) = self.actions.append(&entry).await {
            tracing::error!(%error, "{what} by {author:?} is not in the log of actions: {error}");
        }
    }

    async fn purge(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(std::time::Duration::from_secs(60 * 60));
        loop {
            ticks.tick().await;
            if let Err(error) = self.sessions.purge(self.clock.now_ms() - REMEMBERED_MS).await {
                tracing::warn!(%error, "expired sessions could not be removed: {error}");
            }
        }
    }
}

#[tonic::async_trait]
impl Admins for Service {
    async fn login(&self, request: LoginRequest) -> Result<LoginResponse> {
        let LoginRequest { name, password, address, user_agent } = request;
        self.throttle.attempt(&name, &address).await?;
        let found = self.admins.find(&name).await?.filter(|admin| !admin.disabled);
        let hash = found.as_ref().map(|admin| admin.password_hash.clone());
        let right = self.hasher.verify(password, hash).await?;
        let Some(mut admin) = found.filter(|_| right) else {
            tracing::warn!(address, "a login as {name:?} from {address} was refused");
            return Err(Error::new(Kind::Unauthenticated, "wrong_login", "wrong user name or password"));
        };
        self.throttle.passed(&name, &address).await;
        admin.last_login_at = Some(self.clock.now_ms());
        match self.admins.update(&admin).await {
            // Only the date of the login is lost.
            Ok(_) | Err(storage::Error::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let begun = self.begin(&admin, &address, &user_agent).await?;
        self.log_change(&name, "session.login", &name, Value::Null, json!({"address": cut(&address)})).await;
        Ok(begun)
    }

    async fn authenticate(&self, request: AuthenticateRequest) -> Result<Session> {
        let (mut stored, admin) = self.open(&digest(&request.digest)?).await?;
        let now = self.clock.now_ms();
        if now - stored.last_seen_at >= NOTED_MS {
            self.sessions.seen(&stored.digest, now, stored.expires_at).await?;
            stored.last_seen_at = now;
        }
        Ok(session(&stored, Some(&admin)))
    }

    async fn end_sessions(&self, request: EndSessionsRequest) -> Result<EndSessionsResponse> {
        let admin = self.stored(&request.admin_id).await?;
        let named = |session: &StoredSession| {
            request.digests.iter().any(|digest| digest[..] == session.digest)
                || (request.digests.is_empty() && request.keep[..] != session.digest)
        };
        let mut ended = 0;
        for session in self.sessions.of(admin.id).await?.iter().filter(|session| named(session)) {
            ended += u64::from(self.sessions.revoke(&session.digest).await?);
        }
        if ended > 0 && request.author != admin.name {
            let count = json!({"ended": ended});
            self.log_change(&request.author, "session.end", &admin.name, Value::Null, count).await;
        }
        Ok(EndSessionsResponse { ended })
    }

    async fn list_sessions(&self, request: ListSessionsRequest) -> Result<ListSessionsResponse> {
        let admin = self.stored(&request.admin_id).await?;
        let now = self.clock.now_ms();
        let mut sessions = self.sessions.of(admin.id).await?;
        sessions.retain(|session| session.expires_at > now);
        Ok(ListSessionsResponse { sessions: sessions.iter().map(|stored| session(stored, None)).collect() })
    }

    async fn change_password(&self, request: ChangePasswordRequest) -> Result<LoginResponse> {
        let (before, mut admin) = self.open(&digest(&request.digest)?).await?;
        self.throttle.attempt(&admin.name, &before.address).await?;
        if !self.hasher.verify(request.current_password, Some(admin.password_hash.clone())).await? {
            let error = Error::new(Kind::PermissionDenied, "wrong_password", "the current password is wrong");
            return Err(error.at("current_password"));
        }
        self.throttle.passed(&admin.name, &before.address).await;
        password::check(&admin.name, &request.new_password)?;
        admin.password_hash = self.hasher.hash(request.new_password).await?;
        admin.must_change = false;
        admin.version = self.admins.update(&admin).await?;
        self.sessions.revoke_all(admin.id).await?;
        self.log_change(&admin.name, "admin.password", &admin.name, Value::Null, Value::Null).await;
        self.begin(&admin, &before.address, &before.user_agent).await
    }

    async fn list(&self, _: ListRequest) -> Result<ListResponse> {
        Ok(ListResponse { admins: self.admins.list().await?.iter().map(admin).collect() })
    }

    async fn create(&self, request: CreateRequest) -> Result<grok2api_proto::admin::Admin> {
        password::check_name(&request.name)?;
        password::check(&request.name, &request.password)?;
        let role = role(request.role)?.ok_or_else(|| Error::invalid("role", "the role is missing"))?;
        let made = Admin {
            id: Uuid::now_v7(),
            name: request.name,
            role,
            password_hash: self.hasher.hash(request.password).await?,
            created_at: self.clock.now_ms(),
            last_login_at: None,
            disabled: false,
            must_change: !request.password_is_theirs,
            version: 1,
        };
        self.admins.insert(&made).await.map_err(|error| taken(error, &made.name))?;
        self.log_change(&request.author, "admin.create", &made.name, Value::Null, told(&made)).await;
        Ok(admin(&made))
    }

    async fn update(&self, request: UpdateRequest) -> Result<grok2api_proto::admin::Admin> {
        let before = self.stored(&request.id).await?;
        let mut after = Admin { version: request.expected_version, ..before.clone() };
        after.role = role(request.role)?.unwrap_or(before.role);
        after.disabled = request.disabled.unwrap_or(before.disabled);
        let new_password = request.password.is_some();
        if let Some(password) = request.password {
            password::check(&before.name, &password)?;
            after.password_hash = self.hasher.hash(password).await?;
            after.must_change = !request.password_is_theirs;
        }
        after.version = self.admins.update(&after).await?;
        if new_password || (after.role, after.disabled) != (before.role, before.disabled) {
            self.sessions.revoke_all(after.id).await?;
        }
        let what = if new_password { "admin.password" } else { "admin.update" };
        self.log_change(&request.author, what, &after.name, told(&before), told(&after)).await;
        Ok(admin(&after))
    }

    async fn log(&self, request: Action) -> Result<LogResponse> {
        let stored = read_action(request, self.clock.now_ms())?;
        tracing::info!(author = stored.actor, "{} by {:?}: {}", stored.what, stored.actor, stored.target);
        self.actions.append(&stored).await?;
        Ok(LogResponse {})
    }

    async fn list_actions(&self, request: ListActionsRequest) -> Result<ListActionsResponse> {
        let limit = if request.limit == 0 { PAGE } else { request.limit.min(MOST_ON_A_PAGE) };
        let before = Some(request.before).filter(|id| !id.is_empty());
        let before = before.map(|id| Uuid::parse_str(&id)).transpose();
        let before = before.map_err(|_| Error::invalid("cursor", "the cursor is not one of this list"))?;
        let mut found = self.actions.page(before, limit + 1).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next_cursor =
            found.last().filter(|_| more).map_or_else(String::new, |action| action.id.to_string());
        Ok(ListActionsResponse { actions: found.into_iter().map(action).collect(), next_cursor })
    }
}

fn taken(error: storage::Error, name: &str) -> Error {
    match error {
        storage::Error::Taken { .. } => {
            let message = format!("there is an admin {name:?} already");
            Error::new(Kind::Conflict, "name_taken", message).at("name")
        }
        error => error.into(),
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST)].to_owned()
}
