//! What the process counts and measures: one table, told in two ways.
//!
//! The instruments are OpenTelemetry's. `/metrics` of the operations port always shows them as Prometheus reads them; they
//! are pushed over OTLP when the environment asks for it ([`crate::telemetry`]). They belong to the process: instances
//! that share one, as tests have them, are counted together.

mod instruments;
mod page;
mod process;
mod table;

use std::sync::OnceLock;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider};
use prometheus::{Registry, TextEncoder};

pub use instruments::{About, Counter, Gauge, Held, Histogram, Kind, Observed, Seen, UpDown};
pub use opentelemetry::Value;
pub use page::page;
pub use process::watch as watch_process;
pub use table::*;

static METERS: OnceLock<Meters> = OnceLock::new();

/// The instruments' maker, and the reader behind `/metrics`.
struct Meters {
    provider: SdkMeterProvider,
    meter: Meter,
    registry: Registry,
}

impl Meters {
    fn new(push: Option<(MetricExporter, Resource)>) -> Self {
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_target_info()
            .scope_info_enabled(false)
            .build();
        let mut builder = SdkMeterProvider::builder();
        match reader {
            Ok(reader) => builder = builder.with_reader(reader),
            Err(error) => tracing::error!(%error, "there are no metrics on the operations port: {error}"),
        }
        if let Some((exporter, resource)) = push {
            builder = builder.with_resource(resource).with_periodic_exporter(exporter);
        }
        let provider = builder.build();
        Self { meter: provider.meter("grok2api"), provider, registry }
    }
}

/// Begins to push as well; without effect once something was counted.
pub(crate) fn push(exporter: MetricExporter, resource: Resource) -> SdkMeterProvider {
    METERS.get_or_init(|| Meters::new(Some((exporter, resource)))).provider.clone()
}

fn meters() -> &'static Meters {
    METERS.get_or_init(|| Meters::new(None))
}

/// All of them as Prometheus reads them.
pub fn text() -> String {
    let mut text = String::new();
    if let Err(error) = TextEncoder::new().encode_utf8(&meters().registry.gather(), &mut text) {
        tracing::warn!(%error, "the metrics cannot be told: {error}");
    }
    text
}
