//! Which metrics the dashboards and the rules name, and which a text exports.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use grok2api_kit::metrics::TABLE;
use serde_json::Value;

/// How our metrics begin; so do some labels, which are known by the table.
const BEGINNINGS: [&str; 5] = ["grok2api_", "http_", "rpc_", "gen_ai_", "process_"];

/// All that are named.
pub fn all() -> BTreeSet<String> {
    let observability = root().join("deploy/observability");
    let mut named = BTreeSet::new();
    for file in std::fs::read_dir(observability.join("grafana/dashboards")).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_none_or(|kind| kind != "json") {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap();
        let board: Value = serde_json::from_str(&text).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                named.extend(names(target["expr"].as_str().unwrap()));
            }
        }
    }
    let rules = std::fs::read_to_string(observability.join("rules/grok2api.yml")).unwrap();
    for line in rules.lines().filter(|line| !line.trim_start().starts_with('#')) {
        named.extend(names(line));
    }
    let labels: BTreeSet<String> =
        TABLE.iter().flat_map(|about| about.labels).map(|label| label.replace('.', "_")).collect();
    &named - &labels
}

/// What looks like a metric of ours.
fn names(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    words.filter(|word| BEGINNINGS.iter().any(|beginning| word.starts_with(beginning))).map(str::to_owned)
}

/// The names in a text of metrics.
pub fn exported(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect()
}

/// Prometheus' tool, as `scripts/setup deploy` or the system brings it.
pub fn promtool() -> Option<PathBuf> {
    let installed = root().join("target/deploy/prometheus/usr/bin/promtool");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let known = std::env::split_paths(&path).map(|directory| directory.join("promtool"));
    known.chain([installed]).find(|path| path.is_file())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
