//! `/openapi.json` and `/docs`.

use std::collections::BTreeSet;

use axum::http::Method;
use grok2api_proto::Kind;

use super::*;
use crate::openai::error::status_of;

const KINDS: [Kind; 12] = [
    Kind::InvalidRequest,
    Kind::Unauthenticated,
    Kind::PermissionDenied,
    Kind::NotFound,
    Kind::Conflict,
    Kind::TooLarge,
    Kind::UnsupportedMedia,
    Kind::RateLimited,
    Kind::Unavailable,
    Kind::Upstream,
    Kind::Timeout,
    Kind::Internal,
];

async fn document() -> Value {
    let answer = Gateway::new().get("/openapi.json").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/json")));
    answer.json()
}

/// Method, path and description of each operation.
fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let paths = document["paths"].as_object().unwrap().clone();
    let of_path = |(path, item): (String, Value)| {
        let item = item.as_object().unwrap().clone();
        item.into_iter()
            .map(move |(method, operation)| (method.to_uppercase().parse().unwrap(), path.clone(), operation))
    };
    paths.into_iter().flat_map(of_path).collect()
}

/// Every value of `$ref` below.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_operation_is_routed_and_has_a_name_a_group_and_a_summary() {
    let document = document().await;
    let tags: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().filter_map(|tag| tag["name"].as_str()).collect();
    let (operations, mut ids) = (operations(&document), BTreeSet::new());
    assert!(operations.len() >= 12);
    for (method, path, operation) in operations {
        assert!(tags.contains(operation["tags"][0].as_str().unwrap()), "{path}: no group");
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{path}: no summary");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{path}: a name twice");
        let request = Request::builder().method(method).uri(&path).body(Body::empty()).unwrap();
        let answer = Gateway::new().ask(request).await;
        let code = answer.json()["error"]["code"].clone();
        assert!(code != "unknown_url" && code != "method_not_allowed", "{path}: {code}");
        let status = answer.status.as_str();
        assert!(operation["responses"].get(status).is_some(), "{path} gives {status}");
    }
}

#[tokio::test]
async fn what_the_document_refers_to_is_there() {
    let (document, mut found) = (document().await, BTreeSet::new());
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn every_failure_has_a_description() {
    let document = document().await;
    let mut described = BTreeSet::new();
    for (_, _, operation) in operations(&document) {
        described.extend(operation["responses"].as_object().unwrap().keys().cloned());
    }
    for kind in KINDS {
        assert!(described.contains(status_of(kind).as_str()), "{kind:?}");
    }
}

#[tokio::test]
async fn operations_behind_the_key_say_so() {
    for (_, path, operation) in operations(&document().await) {
        let keyed = path.starts_with("/v1/");
        assert_eq!(operation.get("security").is_some(), keyed, "{path}");
        assert_eq!(operation["responses"].get("401").is_some(), keyed, "{path}");
    }
}

#[tokio::test]
async fn the_page_stands_on_its_own() {
    let answer = Gateway::new().get("/docs").await;
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"));
    let page = answer.text();
    for forbidden in ["<script", " src=", "style=", "href=\"http", "@import", "url("] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let document = document().await;
    for (_, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{path}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("id=\"schema-{name}\"")), "{name}");
    }
}
