//! The state in Redis, for many processes. One script call decides and counts, by the server's clock.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use async_trait::async_trait;
use grok2api_kit::clock::Clock;
use redis::{
    Client, IntoConnectionInfo as _, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    Admission, Ask, ENDED_MS, Gauge, Gauges, Limit, Limiter, REMEMBERED_MS, SLOT_MS, Settlement, Slot,
    window::{SLICE, SLICES},
};
use crate::{Error, Result, bounded::CONNECT, client_keys::Limits};

/// Admission waits for it, and a client for that.
const ANSWER: Duration = Duration::from_secs(2);

static SCRIPT: LazyLock<Script> = LazyLock::new(|| {
    let constants = [
        ("$SLICES", SLICES),
        ("$SLICE", SLICE),
        ("$SLOT_MS", SLOT_MS),
        ("$REMEMBERED_MS", REMEMBERED_MS),
        ("$ENDED_MS", ENDED_MS),
    ];
    let fill = |text: String, (name, value): (&str, i64)| text.replace(name, &value.to_string());
    Script::new(&constants.into_iter().fold(include_str!("limiter.lua").to_owned(), fill))
});

/// Refused by, now, three numbers for each window, slots held.
type Answer = (String, i64, u64, i64, i64, u64, i64, i64, u64);

pub(super) struct Shared {
    connection: ConnectionManager,
    clock: Clock,
}

impl Shared {
    pub(super) async fn connect(url: &str, clock: Clock) -> Result<Self> {
        // A peer that is gone without a word is noticed by what it leaves unacknowledged.
        let tcp = TcpSettings::default().set_nodelay(true).set_user_timeout(2 * ANSWER);
        let client = Client::open(url.into_connection_info()?.set_tcp_settings(tcp))?;
        let config = ConnectionManagerConfig::new()
            // Whoever asks next tries again.
            .set_number_of_retries(0)
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(ANSWER));
        let connecting = ConnectionManager::new_with_config(client, config);
        let connection = timeout(CONNECT, connecting).await.map_err(|_| Error::Timeout(CONNECT))??;
        Ok(Self { connection, clock })
    }

    /// One call: the script on a key, about some of its requests.
    async fn call<T: redis::FromRedisValue>(
        &self,
        operation: &str,
        key: Uuid,
        requests: &[Uuid],
        arguments: &[String],
    ) -> Result<T> {
        let mut call = SCRIPT.prepare_invoke();
        for name in ["requests", "tokens", "slots"] {
            call.key(format!("{{g2a-limits:{key}}}:{name}"));
        }
        for request in requests {
            call.key(format!("{{g2a-limits:{key}}}:request:{request}"));
        }
        let now = self.clock.is_manual().then(|| self.clock.now_ms().to_string());
        call.arg(operation).arg(now.unwrap_or_default()).arg(arguments);
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    async fn admit_or_look(&self, key: Uuid, ask: Option<&Ask>, limits: &Limits) -> Result<Admission> {
        let limit = |limit: Option<u64>| limit.map(|limit| limit.to_string()).unwrap_or_default();
        let Limits { requests_per_minute, tokens_per_minute, concurrency } = *limits;
        let mut arguments = vec![limit(requests_per_minute), limit(tokens_per_minute), limit(concurrency)];
        let mut about = Vec::new();
        if let Some(ask) = ask {
            about.push(ask.id);
            arguments.extend([ask.id.to_string(), ask.tokens.to_string()]);
        }
        let answer: Answer = self.call("admit", key, &about, &arguments).await?;
        let (
            refused,
            now,
            requests,
            requests_free,
            requests_empty,
            tokens,
            tokens_free,
            tokens_empty,
            in_flight,
        ) = answer;
        let refused = match refused.as_str() {
            "requests" => Some(Limit::Requests),
            "tokens" => Some(Limit::Tokens),
            "concurrency" => Some(Limit::Concurrency),
            _ => None,
        };
        let requests = Gauge { used: requests, frees_at: requests_free, empty_at: requests_empty };
        let tokens = Gauge { used: tokens, frees_at: tokens_free, empty_at: tokens_empty };
        Ok(Admission { refused, gauges: Gauges { now, requests, tokens, in_flight } })
    }
}

#[async_trait]
impl Limiter for Shared {
    async fn admit(&self, ask: &Ask, limits: &Limits) -> Result<Admission> {
        self.admit_or_look(ask.key, Some(ask), limits).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<()> {
        for settlement in settlements {
            let tokens = settlement.tokens.map(|tokens| tokens.to_string()).unwrap_or_default();
            let counts = u8::from(settlement.counts).to_string();
            let arguments = [settlement.id.to_string(), tokens, counts];
            self.call::<()>("settle", settlement.key, &[settlement.id], &arguments).await?;
        }
        Ok(())
    }

    async fn renew(&self, slots: &[Slot]) -> Result<()> {
        let mut by_key: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for slot in slots {
            by_key.entry(slot.key).or_default().push(slot.id);
        }
        for (key, ids) in by_key {
            let arguments: Vec<_> = ids.iter().map(Uuid::to_string).collect();
            self.call::<()>("renew", key, &ids, &arguments).await?;
        }
        Ok(())
    }

    async fn gauges(&self, key: Uuid, limits: &Limits) -> Result<Gauges> {
        Ok(self.admit_or_look(key, None, limits).await?.gauges)
    }
}
