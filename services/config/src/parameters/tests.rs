use std::{fmt::Write as _, path::Path};

use rstest::rstest;
use serde_json::json;

use super::*;

fn table() -> Table {
    Table::compiled().unwrap()
}

#[test]
fn every_default_is_valid_and_every_name_is_there_once() {
    let table = table();
    for parameter in table.iter() {
        parameter.check(&parameter.default).unwrap();
        let same = table.iter().filter(|other| other.name == parameter.name).count();
        assert_eq!(same, 1, "{}", parameter.name);
        assert!(parameter.doc.ends_with('.'), "{}", parameter.name);
    }
}

#[rstest]
#[case("admin_username", json!("admin"))]
#[case("log_level", json!("INFO"))]
#[case("image_cache_max_size_mb", json!(512))]
#[case("video_cache_max_size_mb", json!(1024))]
#[case("stream_chunk_timeout", json!(120))]
#[case("stream_first_response_timeout", json!(30))]
#[case("stream_total_timeout", json!(600))]
#[case("filtered_tags", json!("xaiartifact,xai:tool_usage_card,grok:render"))]
#[case("temporary", json!(true))]
fn defaults_are_those_of_the_seed(#[case] name: &str, #[case] default: Value) {
    assert_eq!(table().get(name).unwrap().default, default);
}

#[test]
fn secrets_are_marked() {
    let table = table();
    let secrets: Vec<&str> =
        table.iter().filter(|parameter| parameter.secret).map(|p| p.name.as_str()).collect();
    assert_eq!(secrets, ["admin_password", "link_secret", "api_key", "proxy_url", "cf_clearance"]);
}

#[rstest]
#[case("log_level", json!("debug"))]
#[case("image_mode", json!("base64"))]
#[case("image_cache_max_size_mb", json!(1))]
#[case("base_url", json!(""))]
#[case("base_url", json!("http://127.0.0.1:8000/sub/path"))]
#[case("proxy_url", json!("socks5://user:pw@proxy.example:1080"))]
#[case("cf_clearance", json!("cf_clearance=abc.1-2; __cf_bm=x"))]
#[case("admin_password", json!("密码 with spaces"))]
#[case("max_attempts", json!(10))]
#[case("link_secret", json!(""))]
#[case("link_secret", json!("十六个字的秘密十六个字的秘密十六"))]
#[case("link_hours", json!(8760))]
#[case("accept_language", json!(""))]
fn good_values_are_taken(#[case] name: &str, #[case] value: Value) {
    table().get(name).unwrap().check(&value).unwrap();
}

#[rstest]
#[case("log_level", json!("LOUD"))]
#[case("log_level", json!(""))]
#[case("image_mode", json!("URL"))]
#[case("image_cache_max_size_mb", json!("512"))]
#[case("image_cache_max_size_mb", json!(0))]
#[case("image_cache_max_size_mb", json!(-1))]
#[case("image_cache_max_size_mb", json!(1.5))]
#[case("image_cache_max_size_mb", json!(4294967296u64))]
#[case("max_attempts", json!(11))]
#[case("temporary", json!("true"))]
#[case("temporary", json!(1))]
#[case("base_url", json!("example.com"))]
#[case("base_url", json!("ftp://example.com"))]
#[case("base_url", json!("https://example.com/?a=1"))]
#[case("base_url", json!(["https://example.com"]))]
#[case("proxy_url", json!("127.0.0.1:1080"))]
#[case("proxy_url", json!("file:///etc/passwd"))]
#[case("user_agent", json!("line\nbreak"))]
#[case("user_agent", json!(""))]
#[case("user_agent", json!(" Mozilla"))]
#[case("cf_clearance", json!("a\u{200b}b"))]
#[case("api_key", json!("x".repeat(MAX_TEXT + 1)))]
#[case("admin_password", json!(""))]
#[case("link_secret", json!("fifteen letters"))]
#[case("link_hours", json!(0))]
fn bad_values_are_refused_at_the_parameter(#[case] name: &str, #[case] value: Value) {
    let error = table().get(name).unwrap().check(&value).unwrap_err();
    assert_eq!((error.code.as_ref(), error.param.as_deref()), ("invalid_parameter", Some(name)));
    assert!(error.message.starts_with(&format!("{name} must be ")), "{error}");
}

#[test]
fn a_refusal_never_tells_a_secret() {
    let error = table().get("proxy_url").unwrap().check(&json!("user:hunter2@proxy")).unwrap_err();
    assert!(!error.message.contains("hunter2"), "{error}");
}

/// Regenerate with `UPDATE_DOCS=1 cargo test -p grok2api-config`.
#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/parameters.md");
    let rendered = reference(&table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &rendered).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == rendered, "docs/parameters.md is out of date: run the tests with UPDATE_DOCS=1");
}

fn reference(table: &Table) -> String {
    let mut page = String::from(
        "<!-- Generated from services/config/parameters.toml by the tests of grok2api-config (UPDATE_DOCS=1). -->\n\n\
         # Runtime parameters\n\n\
         Changed by `grok2api parameters set NAME VALUE`, back to the default by `grok2api parameters reset NAME`; applied by\n\
         every replica without a restart. What is read once at start stands in [settings](settings.md).\n",
    );
    for scope in [Scope::Global, Scope::Grok] {
        let name = scope.name();
        write!(page, "\n## {name}\n\n| parameter | default | must be | meaning |\n|---|---|---|---|\n")
            .unwrap();
        for parameter in table.iter().filter(|parameter| parameter.scope == scope) {
            let Parameter { name, default, doc, .. } = parameter;
            let secret = if parameter.secret { " A secret." } else { "" };
            let doc = doc.replace('|', "\\|").replace('<', "&lt;");
            writeln!(page, "| `{name}` | `{default}` | {} | {doc}{secret} |", parameter.rule()).unwrap();
        }
    }
    page
}
