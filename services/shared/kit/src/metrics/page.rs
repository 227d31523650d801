//! `docs/metrics.md`, made of the table.

use std::fmt::Write as _;

use super::{Kind, TABLE};

const HEAD: &str = "# Metrics

Every process tells its metrics on `/metrics` of the operations port, and pushes them over OTLP when it is asked to:
[observability.md](observability.md). This page is made from the table in `services/shared/kit/src/metrics/table.rs`
(`UPDATE_DOCS=1 cargo nextest run -p grok2api-kit`).

A process has the metrics of the roles that run in it; a number appears once there is something to count. OTLP knows a metric
by its name with dots and without the endings `_total`, `_seconds` and `_bytes`, which Prometheus wants.

| metric | kind | labels | roles | meaning |
|---|---|---|---|---|
";

/// The page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for about in TABLE {
        let kind = match about.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<String> =
            about.labels.iter().map(|label| format!("`{}`", label.replace('.', "_"))).collect();
        // A string takes all that is written to it.
        let _ = writeln!(
            page,
            "| `{}` | {kind} | {} | {} | {} |",
            about.exported(),
            labels.join(", "),
            about.roles,
            about.meaning
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, path::Path};

    use super::*;

    #[test]
    fn the_page_is_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/metrics.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert_eq!(kept, page(), "docs/metrics.md is stale: UPDATE_DOCS=1 cargo nextest run -p grok2api-kit");
    }

    /// What `promtool check metrics` refuses, for machines that have none.
    #[test]
    fn names_are_as_prometheus_wants_them() {
        let mut names = HashSet::new();
        for about in TABLE {
            let name = about.exported();
            assert!(names.insert(name.clone()), "{name} is there twice");
            assert!(!about.meaning.is_empty() && about.meaning.ends_with('.'), "{name}: {}", about.meaning);
            for ending in ["_count", "_sum", "_bucket", "_info_total"] {
                assert!(!name.ends_with(ending), "{name} ends like a part of a histogram");
            }
            assert_eq!(name.ends_with("_total"), about.kind == Kind::Counter, "{name}");
            assert!(!name.contains("__") && !name.contains("gauge") && !name.contains("counter"), "{name}");
            assert!(about.kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
        }
    }

    #[test]
    fn what_is_counted_is_told() {
        super::super::MEDIA_EVICTIONS.add(3, ["image".into()]);
        super::super::UPSTREAM_DURATION.record(0.2, ["chat".into(), "200".into()]);
        let held = super::super::STREAMS_IN_FLIGHT.hold(["a test".into()]);
        let text = super::super::text();
        for line in [
            "grok2api_media_evictions_total{kind=\"image\"} 3",
            "grok2api_upstream_request_duration_seconds_count{operation=\"chat\",status=\"200\"} 1",
            "grok2api_streams_in_flight{role=\"a test\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        drop(held);
        assert!(super::super::text().contains("grok2api_streams_in_flight{role=\"a test\"} 0"));
    }
}
