//! A receiver of OTLP: keeps what it is sent.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use grok2api_kit::lifecycle::Tasks;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
};
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// For what is sent a moment later, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A span, with hexadecimal ids and its values as text.
#[derive(Clone, Debug)]
pub struct Span {
    pub name: String,
    pub kind: &'static str,
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub begun: u64,
    pub ended: u64,
    pub attributes: HashMap<String, String>,
    pub resource: HashMap<String, String>,
    /// Of the process.
    pub role: String,
}

/// What was sent so far.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub spans: Vec<Span>,
    /// Role and name.
    pub metrics: BTreeSet<(String, String)>,
    /// Role and trace.
    pub logs: Vec<(String, String)>,
}

pub struct Receiver {
    url: String,
    told: watch::Receiver<Told>,
    tasks: Tasks,
}

#[derive(Clone)]
struct Service(Arc<watch::Sender<Told>>);

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, told) = watch::channel(Told::default());
        let (service, tasks) = (Service(Arc::new(sender)), Tasks::new());
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(service.clone()))
            .add_service(MetricsServiceServer::new(service.clone()))
            .add_service(LogsServiceServer::new(service));
        tasks.spawn_background("receiver", async move {
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
        });
        Self { url, told, tasks }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The spans, once that is true.
    pub async fn until(&self, what: &str, done: impl Fn(&Told) -> bool) -> Vec<Span> {
        let mut told = self.told.clone();
        let waited = timeout(PATIENCE, told.wait_for(|told| done(told))).await;
        match waited {
            Ok(told) => told.unwrap().spans.clone(),
            Err(_) => panic!("{what} did not come: {:#?}", *self.told.borrow()),
        }
    }

    /// How many spans of that name there are.
    pub fn count(&self, name: &str) -> usize {
        self.told.borrow().spans.iter().filter(|span| span.name == name).count()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.tasks.shutdown().stop();
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut new = Vec::new();
        for of in request.into_inner().resource_spans {
            let resource = resource(of.resource);
            for span in of.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                new.push(Span {
                    name: span.name,
                    kind: ["unspecified", "internal", "server", "client", "producer", "consumer"]
                        [usize::try_from(span.kind).unwrap()],
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    begun: span.start_time_unix_nano,
                    ended: span.end_time_unix_nano,
                    attributes: texts(span.attributes),
                    role: resource.get("grok2api.roles").cloned().unwrap_or_default(),
                    resource: resource.clone(),
                });
            }
        }
        self.0.send_modify(|told| told.spans.append(&mut new));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        for of in request.into_inner().resource_metrics {
            let role = resource(of.resource).remove("grok2api.roles").unwrap_or_default();
            let metrics = of.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
            let named: Vec<_> = metrics.map(|metric| (role.clone(), metric.name)).collect();
            self.0.send_modify(|told| told.metrics.extend(named));
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        for of in request.into_inner().resource_logs {
            let role = resource(of.resource).remove("grok2api.roles").unwrap_or_default();
            let records = of.scope_logs.into_iter().flat_map(|scope| scope.log_records);
            let traced: Vec<_> = records.map(|record| (role.clone(), hex(&record.trace_id))).collect();
            self.0.send_modify(|told| told.logs.extend(traced));
        }
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

fn resource(resource: Option<Resource>) -> HashMap<String, String> {
    texts(resource.map(|resource| resource.attributes).unwrap_or_default())
}

fn texts(attributes: Vec<KeyValue>) -> HashMap<String, String> {
    attributes.into_iter().map(|one| (one.key, text(one.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::ArrayValue(list)) => {
            let values: Vec<String> = list.values.into_iter().map(|value| text(Some(value))).collect();
            format!("[{}]", values.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
