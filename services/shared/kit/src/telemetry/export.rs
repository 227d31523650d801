//! What the standard variables ask for (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).
//!
//! A signal is exported when `OTEL_<SIGNAL>_EXPORTER` says `otlp`, or says nothing while an OTLP endpoint is named.
//! Endpoint, headers, time limits, batches and sampler are read by the SDK itself. OTLP goes over gRPC.

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter};
use opentelemetry_sdk::{
    Resource,
    logs::{SdkLogger, SdkLoggerProvider},
    trace::{SdkTracerProvider, Tracer},
};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;
use uuid::Uuid;

use super::Exports;
use crate::metrics;

const SERVICE: &str = "grok2api";

/// Whether a signal is to be exported.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    No,
    Yes,
    /// Not in a way that this program knows.
    Otherwise(String),
}

/// Begins to export what is asked for; with what cannot be done.
pub(super) fn begin(roles: &str) -> (Exports, Vec<String>) {
    let variable = |name: &str| std::env::var(name).ok();
    let (mut exports, mut mistakes) = (Exports::default(), Vec::new());
    let mut signals = Vec::new();
    for signal in ["TRACES", "METRICS", "LOGS"] {
        match wanted(signal, variable) {
            Wanted::No => {}
            Wanted::Yes => signals.push(signal),
            Wanted::Otherwise(mistake) => mistakes.push(mistake),
        }
    }
    if signals.is_empty() {
        return (exports, mistakes);
    }
    let resource = resource(roles);
    for signal in signals {
        if let Err(error) = export(signal, &resource, &mut exports) {
            mistakes.push(format!("{signal} are not exported: {error}"));
        }
    }
    (exports, mistakes)
}

fn export(
    signal: &str,
    resource: &Resource,
    exports: &mut Exports,
) -> Result<(), opentelemetry_otlp::ExporterBuildError> {
    match signal {
        "TRACES" => {
            let builder = SdkTracerProvider::builder().with_resource(resource.clone());
            exports.traces =
                Some(builder.with_batch_exporter(SpanExporter::builder().with_tonic().build()?).build());
        }
        "METRICS" => {
            let exporter = MetricExporter::builder().with_tonic().build()?;
            exports.metrics = Some(metrics::push(exporter, resource.clone()));
        }
        _ => {
            let builder = SdkLoggerProvider::builder().with_resource(resource.clone());
            exports.logs =
                Some(builder.with_batch_exporter(LogExporter::builder().with_tonic().build()?).build());
        }
    }
    Ok(())
}

fn wanted(signal: &str, variable: impl Fn(&str) -> Option<String>) -> Wanted {
    let given =
        |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    if given("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Wanted::No;
    }
    let named = || {
        let own = given(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"));
        own.or_else(|| given("OTEL_EXPORTER_OTLP_ENDPOINT")).is_some()
    };
    let name = format!("OTEL_{signal}_EXPORTER");
    match given(&name).as_deref() {
        Some("otlp") => {}
        // Metrics are on the operations port in any case.
        Some("none" | "prometheus") => return Wanted::No,
        Some(other) => return Wanted::Otherwise(format!("{name}: {other:?} is neither otlp nor none")),
        None if named() => {}
        None => return Wanted::No,
    }
    let protocol = given(&format!("OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"));
    match protocol.or_else(|| given("OTEL_EXPORTER_OTLP_PROTOCOL")).as_deref() {
        None | Some("grpc") => Wanted::Yes,
        Some(other) => Wanted::Otherwise(format!("OTEL_EXPORTER_OTLP_PROTOCOL: {other:?} is not grpc")),
    }
}

/// Who tells: what the environment says, else what is known here.
fn resource(roles: &str) -> Resource {
    let said = Resource::builder().build();
    let known = [
        ("service.name", SERVICE.to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", Uuid::now_v7().to_string()),
        ("grok2api.roles", roles.to_owned()),
    ];
    let unsaid = known.into_iter().filter(|(name, _)| {
        let said = said.get_ref(&(*name).into()).map(ToString::to_string);
        said.is_none_or(|said| said.starts_with("unknown_service"))
    });
    Resource::builder().with_attributes(unsaid.map(|(name, value)| KeyValue::new(name, value))).build()
}

/// Records spans, with nothing but what they say themselves.
pub(super) fn spans(provider: &SdkTracerProvider) -> OpenTelemetryLayer<Registry, Tracer> {
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SERVICE))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        // Spans are not entered: the context is told by `trace`.
        .with_context_activation(false)
}

/// Records log lines.
pub(super) fn records(
    provider: &SdkLoggerProvider,
) -> OpenTelemetryTracingBridge<SdkLoggerProvider, SdkLogger> {
    OpenTelemetryTracingBridge::new(provider)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ALL: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");

    #[rstest]
    #[case::nothing(&[], Wanted::No)]
    #[case::empty(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], Wanted::No)]
    #[case::endpoint(&[ALL], Wanted::Yes)]
    #[case::own_endpoint(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4317")], Wanted::Yes)]
    #[case::of_others(&[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://c:4317")], Wanted::No)]
    #[case::exporter(&[("OTEL_TRACES_EXPORTER", "otlp")], Wanted::Yes)]
    #[case::none(&[ALL, ("OTEL_TRACES_EXPORTER", "none")], Wanted::No)]
    #[case::disabled(&[ALL, ("OTEL_SDK_DISABLED", "True")], Wanted::No)]
    #[case::grpc(&[ALL, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], Wanted::Yes)]
    fn a_signal_is_exported_when_it_is_asked_for(#[case] given: &[(&str, &str)], #[case] expected: Wanted) {
        let variable =
            |name: &str| given.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned());
        assert_eq!(wanted("TRACES", variable), expected);
    }

    #[rstest]
    #[case("OTEL_TRACES_EXPORTER", "zipkin")]
    #[case("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]
    fn what_cannot_be_done_is_told(#[case] name: &str, #[case] value: &str) {
        let variable = |asked: &str| match asked {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(ALL.1.to_owned()),
            asked => (asked == name).then(|| value.to_owned()),
        };
        assert!(matches!(wanted("TRACES", variable), Wanted::Otherwise(mistake) if mistake.contains(value)));
    }
}
