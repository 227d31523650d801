//! The one script and how it is called: one call, one round trip.

use std::{sync::LazyLock, time::Duration};

use grok2api_proto::{Error, Kind, Result};
use redis::{
    Client, RedisError, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use crate::{
    account::Fields,
    policy::{LOW_UNITS, PENALISED_PER_REQUEST, RECHECK_MS, REQUEST_REMEMBERED_MS},
    pool::{BOUND_MS, FIRST_RETRY_MS, LONGEST_RETRY_MS, MINUTE_MS},
    wanted::LEASE_MS,
};

/// Longer than any reading takes: after that whoever makes it is taken to be dead.
const READING_MS: i64 = 2 * MINUTE_MS;
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

static SCRIPT: LazyLock<redis::Script> = LazyLock::new(|| {
    let source = concat!(
        include_str!("lua/prelude.lua"),
        include_str!("lua/reads.lua"),
        include_str!("lua/leases.lua"),
        include_str!("lua/accounts.lua"),
        include_str!("lua/dispatch.lua"),
    );
    // The rules of the pool stand in the policy; the script only applies them.
    let constants = [
        ("$LEASE_MS", LEASE_MS),
        ("$BOUND_MS", BOUND_MS),
        ("$MINUTE_MS", MINUTE_MS),
        ("$READING_MS", READING_MS),
        ("$FIRST_RETRY_MS", FIRST_RETRY_MS),
        ("$LONGEST_RETRY_MS", LONGEST_RETRY_MS),
        ("$RECHECK_MS", RECHECK_MS),
        ("$LOW_UNITS", LOW_UNITS.into()),
        ("$PENALISED_PER_REQUEST", i64::try_from(PENALISED_PER_REQUEST).unwrap_or(i64::MAX)),
        ("$REQUEST_REMEMBERED_MS", REQUEST_REMEMBERED_MS),
    ];
    let fill = |text: String, (name, value): (&str, i64)| text.replace(name, &value.to_string());
    redis::Script::new(&constants.into_iter().fold(source.to_owned(), fill))
});

/// Calls the script over one multiplexed connection that mends itself.
pub(super) struct Caller {
    connection: ConnectionManager,
    prefix: String,
    /// Who calls.
    pub(super) replica: String,
}

/// What a call gave, to be read in order.
pub(super) struct Answer(std::vec::IntoIter<Value>);

impl Caller {
    /// Connects.
    pub(super) async fn connect(client: Client, prefix: &str, replica: String) -> Result<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(ANSWER_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN))
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_with_config(client, config).await.map_err(|error| {
            let text = format!("Redis cannot be used for the pool's state: {error}");
            Error::new(Kind::Unavailable, "storage_unavailable", text)
        })?;
        Ok(Self { connection, prefix: prefix.to_owned(), replica })
    }

    /// Where changes are told.
    pub(super) fn channel(&self) -> String {
        format!("{}events", self.prefix)
    }

    /// Calls an operation; `now` is absent where the server's clock counts.
    pub(super) async fn call(
        &self,
        operation: &str,
        now: Option<i64>,
        args: &[String],
    ) -> Result<(i64, Answer)> {
        let mut invocation = SCRIPT.prepare_invoke();
        invocation.key(&self.prefix).arg(operation);
        invocation.arg(now.map(|now| now.to_string()).unwrap_or_default()).arg(&self.replica);
        args.iter().for_each(|arg| {
            invocation.arg(arg);
        });
        let answer: Value =
            invocation.invoke_async(&mut self.connection.clone()).await.map_err(|error| away(&error))?;
        let Value::Array(values) = answer else { return Err(strange("an answer that is no list")) };
        let mut answer = Answer(values.into_iter());
        Ok((answer.number()?, answer))
    }
}

impl Answer {
    /// Whether something is left.
    pub(super) fn has_more(&self) -> bool {
        !self.0.as_slice().is_empty()
    }

    pub(super) fn text(&mut self) -> Result<String> {
        self.take("a text")
    }

    pub(super) fn number(&mut self) -> Result<i64> {
        self.take("a number")
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

/// The state cannot be reached. Callers learn that much; the details are logged here, where they are known.
pub(super) fn away(error: &RedisError) -> Error {
    tracing::warn!(%error, "the pool's state in Redis: {error}");
    Error::new(Kind::Unavailable, "storage_unavailable", "the pool's state is not available")
        .retry_after(Duration::from_secs(1))
}

/// Something that our script cannot have said.
pub(super) fn strange(what: impl std::fmt::Display) -> Error {
    Error::internal(format!("the pool's state in Redis gave {what}"))
}
