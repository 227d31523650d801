//! The one script and how it is called: one call, one round trip.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use grok2api_proto::{Error, Kind, Result};
use grok2api_storage::redis::warn_of_eviction;
use parking_lot::Mutex;
use redis::{
    Client, ErrorKind, IntoConnectionInfo as _, RedisError, RedisResult, ServerErrorKind, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};

use crate::{
    account::Fields,
    policy::{LOW_UNITS, PENALISED_PER_REQUEST, RECHECK_MS, REQUEST_REMEMBERED_MS},
    pool::{BOUND_MS, FIRST_RETRY_MS, LONGEST_RETRY_MS, MINUTE_MS, Urgency},
    wanted::LEASE_MS,
};

/// Longer than any reading takes: after that whoever makes it is taken to be dead.
const READING_MS: i64 = 2 * MINUTE_MS;
/// How long an ended lease can still be told, to somebody whose answer was lost.
const ENDED_MS: i64 = MINUTE_MS;
/// How long a removed account is not made again by who has not heard of it.
const GONE_MS: i64 = 24 * 60 * MINUTE_MS;
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Answers that may be missing in a row before the connection is given up.
const PATIENCE: u32 = 3;

static SCRIPT: LazyLock<redis::Script> = LazyLock::new(|| {
    let source = concat!(
        include_str!("lua/prelude.lua"),
        include_str!("lua/reads.lua"),
        include_str!("lua/leases.lua"),
        include_str!("lua/accounts.lua"),
        include_str!("lua/dispatch.lua"),
    );
    // The rules of the pool stand in the policy; the script only applies them.
    let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let constants = [
        ("$LEASE_MS", LEASE_MS),
        ("$BOUND_MS", BOUND_MS),
        ("$MINUTE_MS", MINUTE_MS),
        ("$READING_MS", READING_MS),
        ("$ENDED_MS", ENDED_MS),
        ("$GONE_MS", GONE_MS),
        ("$FIRST_RETRY_MS", FIRST_RETRY_MS),
        ("$LONGEST_RETRY_MS", LONGEST_RETRY_MS),
        ("$RECHECK_MS", RECHECK_MS),
        ("$LOW_UNITS", LOW_UNITS.into()),
        ("$PENALISED_PER_REQUEST", number(PENALISED_PER_REQUEST)),
        ("$REQUEST_REMEMBERED_MS", REQUEST_REMEMBERED_MS),
        ("$URGENCIES", number(Urgency::ALL.len())),
        ("$PRESSING", Urgency::Pressing as i64),
        ("$ASKED", Urgency::Asked as i64),
        ("$USED", Urgency::Used as i64),
    ];
    let fill = |text: String, (name, value): (&str, i64)| text.replace(name, &value.to_string());
    redis::Script::new(&constants.into_iter().fold(source.to_owned(), fill))
});

/// Calls the script over one multiplexed connection that mends itself.
pub(super) struct Caller {
    client: Client,
    connection: Mutex<ConnectionManager>,
    /// Answers that were missing in a row.
    missing: AtomicU32,
    /// The last call has failed.
    failing: AtomicBool,
    prefix: String,
    channel: String,
    /// Who calls.
    pub(super) replica: String,
}

/// What a call gave, to be read in order.
pub(super) struct Answer(std::vec::IntoIter<Value>);

/// The client of an address, for calls and for listening.
///
/// # Errors
/// An address that is none.
pub(super) fn client(url: &str) -> RedisResult<Client> {
    // A server that is gone without a word is noticed by what it leaves unacknowledged.
    let tcp = TcpSettings::default().set_nodelay(true).set_user_timeout(2 * ANSWER_WITHIN);
    let keepalive = redis::io::tcp::socket2::TcpKeepalive::new().with_time(2 * ANSWER_WITHIN);
    Client::open(url.into_connection_info()?.set_tcp_settings(tcp.set_keepalive(keepalive)))
}

impl Caller {
    /// Connects.
    ///
    /// # Errors
    /// A server that cannot be used.
    pub(super) async fn connect(client: Client, prefix: &str, replica: String) -> RedisResult<Self> {
        let mut connection = ConnectionManager::new_with_config(client.clone(), config()).await?;
        warn_of_eviction(&mut connection, "the pool's state").await;
        // Channels know no databases.
        let channel = format!("{prefix}events/{}", client.get_connection_info().redis_settings().db());
        Ok(Self {
            client,
            connection: Mutex::new(connection),
            missing: AtomicU32::new(0),
            failing: AtomicBool::new(false),
            prefix: prefix.to_owned(),
            channel,
            replica,
        })
    }

    /// Where changes are told.
    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    /// Calls an operation; `now` is absent where the server's clock counts.
    pub(super) async fn call(
        &self,
        operation: &str,
        now: Option<i64>,
        args: &[String],
    ) -> Result<(i64, Answer)> {
        let mut invocation = SCRIPT.prepare_invoke();
        invocation.key(&self.prefix).key(&self.channel).arg(operation);
        invocation.arg(now.map(|now| now.to_string()).unwrap_or_default()).arg(&self.replica);
        args.iter().for_each(|arg| {
            invocation.arg(arg);
        });
        let mut connection = self.connection.lock().clone();
        let answer = invocation.invoke_async(&mut connection).await.inspect_err(|error| self.failed(error));
        let answer = answer.map_err(|_| away())?;
        self.missing.store(0, Ordering::Relaxed);
        self.failing.store(false, Ordering::Relaxed);
        let Value::Array(values) = answer else {
            return Err(strange("an answer that is no list"));
        };
        let mut answer = Answer(values.into_iter());
        Ok((answer.number()?, answer))
    }

    /// A connection that ends is made again by its manager. One that stays silent, or ends at a server that is no
    /// longer the master or does not know us, has to be given up.
    fn failed(&self, error: &RedisError) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the pool's state in Redis: {error}");
        }
        let of_no_use = matches!(
            error.kind(),
            ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::ReadOnly)
        );
        let silent = error.is_timeout() && self.missing.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE;
        if !of_no_use && !silent {
            return;
        }
        if let Ok(again) = ConnectionManager::new_lazy_with_config(self.client.clone(), config()) {
            *self.connection.lock() = again;
        }
    }
}

fn config() -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_connection_timeout(Some(ANSWER_WITHIN))
        .set_response_timeout(Some(ANSWER_WITHIN))
        // Whoever asks next tries again.
        .set_number_of_retries(0)
}

impl Answer {
    /// Whether something is left.
    pub(super) fn has_more(&self) -> bool {
        !self.0.as_slice().is_empty()
    }

    pub(super) fn text(&mut self) -> Result<String> {
        self.take("a text")
    }

    pub(super) fn number<T: redis::FromRedisValue>(&mut self) -> Result<T> {
        self.take("a number")
    }

    pub(super) fn id(&mut self) -> Result<uuid::Uuid> {
        self.text().and_then(|text| uuid(&text))
    }

    pub(super) fn fields(&mut self) -> Result<Fields> {
        self.take("fields").map(Fields)
    }

    fn take<T: redis::FromRedisValue>(&mut self, what: &str) -> Result<T> {
        let value = self.0.next().ok_or_else(|| strange(format_args!("an answer without {what}")))?;
        T::from_redis_value(value)
            .map_err(|_| strange(format_args!("an answer whose {what} is something else")))
    }
}

pub(super) fn uuid(text: &str) -> Result<uuid::Uuid> {
    uuid::Uuid::parse_str(text).map_err(|_| strange(format_args!("{text:?} for an account")))
}

/// The state cannot be reached. Callers learn that much; the details are logged when it begins.
pub(super) fn away() -> Error {
    Error::new(Kind::Unavailable, "storage_unavailable", "the pool's state is not available")
        .retry_after(Duration::from_secs(1))
}

/// Something that our script cannot have said.
pub(super) fn strange(what: impl std::fmt::Display) -> Error {
    Error::internal(format!("the pool's state in Redis gave {what}"))
}
