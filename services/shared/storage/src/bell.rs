//! Tells other processes at once that something was written, where there is a Redis between them.
//!
//! A ring carries nothing and may be lost: whoever hears it asks the store, which he does from time to time anyway.

use std::{fmt, time::Duration};

use futures_util::StreamExt as _;
use redis::{
    Client, IntoConnectionInfo as _,
    aio::{ConnectionManager, PubSubStream},
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};
use tokio::time::{sleep, timeout};

use crate::{
    Result,
    bounded::{ANSWER, CONNECT, within},
    redis::connect,
};

/// Whoever has written something waits no longer for others to be told.
const RING: Duration = Duration::from_millis(500);
/// Between two tries to listen again.
const RECONNECT: Duration = Duration::from_millis(200);

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A revision of the runtime configuration.
    Configuration,
}

/// Rings, and lets one listen; clones share the connection.
#[derive(Clone, Default)]
pub struct Bell(Option<Shared>);

#[derive(Clone)]
struct Shared {
    client: Client,
    connection: ConnectionManager,
}

/// Hears the rings of a topic.
#[derive(Default)]
pub struct Listener {
    /// Where, and on which channel.
    at: Option<(Client, String)>,
    stream: Option<PubSubStream>,
}

impl Bell {
    /// The bell in the Redis at `url`; without one, a bell that nobody hears.
    ///
    /// # Errors
    /// When the Redis cannot be reached.
    pub async fn open(url: Option<&str>) -> Result<Self> {
        let Some(url) = url else { return Ok(Self::default()) };
        // A server that is gone without a word is noticed though nothing is sent to it.
        let keepalive = TcpKeepalive::new().with_time(ANSWER);
        let tcp =
            TcpSettings::default().set_nodelay(true).set_keepalive(keepalive).set_user_timeout(2 * ANSWER);
        let client = Client::open(url.into_connection_info()?.set_tcp_settings(tcp))?;
        let connection = within(CONNECT, connect(url)).await?;
        Ok(Self(Some(Shared { client, connection })))
    }

    /// Tells everybody, as far as that can be done: the store has the last word.
    pub async fn ring(&self, topic: Topic) {
        let Some(shared) = &self.0 else { return };
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(channel(&shared.client, topic)).arg("");
        let rung = within(RING, async {
            let mut connection = shared.connection.clone();
            // The first call after an outage finds the connection gone, and the next one has it made anew.
            if publish.query_async::<()>(&mut connection).await.is_err() {
                publish.query_async::<()>(&mut connection).await?;
            }
            Ok(())
        });
        if let Err(error) = rung.await {
            tracing::debug!(%error, "others learn of {topic:?} a moment later: {error}");
        }
    }

    /// Begins to listen.
    pub fn listen(&self, topic: Topic) -> Listener {
        let at = self.0.as_ref().map(|shared| (shared.client.clone(), channel(&shared.client, topic)));
        Listener { at, stream: None }
    }
}

impl Listener {
    /// Resolves when somebody has rung, and whenever listening has just begun, also after the Redis was away: something may
    /// have been missed. Never, where there is no Redis. May be given up at any moment.
    pub async fn heard(&mut self) {
        let Some((client, channel)) = &self.at else { return std::future::pending().await };
        if let Some(stream) = &mut self.stream {
            if stream.next().await.is_some() {
                return;
            }
            self.stream = None;
        }
        loop {
            if let Ok(Ok(stream)) = timeout(ANSWER, subscribe(client, channel)).await {
                self.stream = Some(stream);
                return;
            }
            // Others tell the operator of a Redis that is away.
            sleep(RECONNECT).await;
        }
    }
}

async fn subscribe(client: &Client, channel: &str) -> redis::RedisResult<PubSubStream> {
    let mut connection = client.get_async_pubsub().await?;
    connection.subscribe(channel).await?;
    Ok(connection.into_on_message())
}

/// Channels know no databases.
fn channel(client: &Client, topic: Topic) -> String {
    let database = client.get_connection_info().redis_settings().db();
    let name = match topic {
        Topic::Configuration => "configuration",
    };
    format!("{{g2a}}:bell/{database}/{name}")
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Bell(redis)" } else { "Bell(none)" })
    }
}
