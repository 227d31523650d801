//! What every process is doing now: each tells it once a second, and it is forgotten when the process falls silent.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Error, Result,
    live::{
        CancelRequest, CancelResponse, ListRequest, ListResponse, Live, Replica, ReportRequest,
        ReportResponse,
    },
};
use grok2api_storage::board::Board;
use prost::Message as _;

/// How long a process may be silent.
const LASTS: Duration = Duration::from_secs(10);
const REPLICAS: &str = "live";

/// What the service of running requests needs.
pub struct Deps {
    /// Where the processes' states are kept.
    pub board: Arc<dyn Board>,
    /// Whether every process of this role sees the same board.
    pub shared: bool,
    /// "FILE", "MYSQL" or "REDIS".
    pub storage_mode: String,
    /// Dates what is told.
    pub clock: Clock,
}

/// The service; it needs no tasks.
pub fn start(deps: Deps) -> Arc<dyn Live> {
    Arc::new(Service(deps))
}

struct Service(Deps);

impl Service {
    async fn replicas(&self) -> Result<Vec<Replica>> {
        let notes = self.0.board.read(REPLICAS).await?;
        let read = notes.into_iter().filter_map(|(name, note)| match Replica::decode(note) {
            Ok(replica) => Some(replica),
            Err(error) => {
                tracing::warn!(%error, "what the process {name} tells cannot be read: {error}");
                None
            }
        });
        Ok(read.collect())
    }
}

#[tonic::async_trait]
impl Live for Service {
    async fn report(&self, request: ReportRequest) -> Result<ReportResponse> {
        let missing = || Error::invalid("replica.id", "the id of the process is missing");
        let mut replica = request.replica.filter(|replica| !replica.id.is_empty()).ok_or_else(missing)?;
        replica.seen_at = self.0.clock.now_ms();
        let board = &self.0.board;
        board.post(REPLICAS, &replica.id, replica.encode_to_vec().into(), LASTS).await?;
        let topic = orders(&replica.id);
        let mut cancel = Vec::new();
        for (id, _) in board.read(&topic).await? {
            if board.take(&topic, &id).await? {
                cancel.push(id);
            }
        }
        Ok(ReportResponse { cancel })
    }

    async fn list(&self, _: ListRequest) -> Result<ListResponse> {
        let Deps { shared, storage_mode, .. } = &self.0;
        let mut replicas = self.replicas().await?;
        replicas.sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
        Ok(ListResponse { replicas, storage_mode: storage_mode.clone(), shared: *shared })
    }

    async fn cancel(&self, request: CancelRequest) -> Result<CancelResponse> {
        let id = request.id;
        let runs = |replica: &&Replica| replica.running.iter().any(|running| running.id == id);
        // A long list is told in part only: it may be among the rest.
        let may_run = |replica: &&Replica| replica.running_total as usize > replica.running.len();
        let replicas = self.replicas().await?;
        let mut asked: Vec<&Replica> = replicas.iter().filter(runs).collect();
        if asked.is_empty() {
            asked = replicas.iter().filter(may_run).collect();
        }
        for replica in &asked {
            self.0.board.post(&orders(&replica.id), &id, Bytes::new(), LASTS).await?;
        }
        Ok(CancelResponse { known: !asked.is_empty() })
    }
}

/// The topic of what a process is to cancel.
fn orders(replica: &str) -> String {
    format!("cancel:{replica}")
}
