//! What other replicas tell.

use std::time::Duration;

use futures_util::StreamExt as _;
use grok2api_proto::pool::Outcome;
use redis::{Client, Msg, RedisResult, aio::PubSubStream};
use tokio::{sync::Mutex, time::timeout};
use uuid::Uuid;

use super::{State, script::ANSWER_WITHIN};
use crate::hot::Elsewhere;

/// Changes that come so close together are fetched together.
const GATHER: Duration = Duration::from_millis(20);
const RECONNECT: Duration = Duration::from_millis(200);

/// Listens on a connection of its own.
pub(super) struct Follower {
    client: Client,
    channel: String,
    stream: Mutex<Option<PubSubStream>>,
}

impl Follower {
    pub(super) fn new(client: Client, channel: String) -> Self {
        Self { client, channel, stream: Mutex::new(None) }
    }

    async fn subscribe(&self) -> RedisResult<PubSubStream> {
        let mut connection = self.client.get_async_pubsub().await?;
        connection.subscribe(&self.channel).await?;
        Ok(connection.into_on_message())
    }

    /// The next messages; none when the connection was just made, and something may have been missed.
    async fn next(&self) -> Vec<Msg> {
        let mut slot = self.stream.lock().await;
        let Some(stream) = slot.as_mut() else {
            loop {
                // Housekeeping tells the operator of a server that is away.
                if let Ok(Ok(stream)) = timeout(ANSWER_WITHIN, self.subscribe()).await {
                    *slot = Some(stream);
                    return Vec::new();
                }
                tokio::time::sleep(RECONNECT).await;
            }
        };
        let mut messages = Vec::new();
        match stream.next().await {
            Some(first) => messages.push(first),
            None => *slot = None,
        }
        if let Some(stream) = slot.as_mut() {
            let more = async {
                while let Some(message) = stream.next().await {
                    messages.push(message);
                }
            };
            // The time is up, or the connection has ended, which the next call notices.
            timeout(GATHER, more).await.ok();
        }
        messages
    }
}

impl State {
    /// Waits until others have done something, and sees what it was.
    pub(super) async fn hear(&self) -> Elsewhere {
        loop {
            let messages = self.follower.next().await;
            let mut elsewhere = messages.is_empty().then_some(Elsewhere::Store);
            for message in messages {
                elsewhere =
                    elsewhere.max(self.heard(message.get_payload::<String>().unwrap_or_default().as_str()));
            }
            let Some(elsewhere) = elsewhere else { continue };
            match self.catch_up().await {
                Ok(_) => return elsewhere,
                Err(_) => tokio::time::sleep(RECONNECT).await,
            }
        }
    }

    /// `replica, kind, account, class, outcome`, a line each.
    fn heard(&self, message: &str) -> Option<Elsewhere> {
        let mut parts = message.split('\n');
        let mut part = || parts.next().unwrap_or_default();
        let (replica, kind, account, class, outcome) = (part(), part(), part(), part(), part());
        if replica == self.caller.replica {
            return None;
        }
        if kind == "stored" {
            return Some(Elsewhere::Store);
        }
        let Ok(id) = Uuid::parse_str(account) else { return None };
        let (now, mut view) = (self.time(), self.view.lock());
        let known = view.roster.get(id).map(|_| view.roster.classes().find(class));
        match kind {
            "leased" => {
                known.into_iter().for_each(|class| view.roster.leased(id, class, now));
                return Some(Elsewhere::Leases);
            }
            "settled" => {
                let outcome = outcome.parse::<i32>().ok().and_then(|number| Outcome::try_from(number).ok());
                let outcome = outcome.unwrap_or_default();
                known.into_iter().for_each(|class| view.roster.settled(id, class, outcome, now));
            }
            _ => {}
        }
        Some(Elsewhere::Accounts)
    }
}
