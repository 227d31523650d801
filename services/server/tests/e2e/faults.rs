//! The fault matrix of the protocol reference (section 11.2): what the client sees, what the pool does, and that the
//! next request works.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use grok2api_proto::pool::{Account, Status};
use grok2api_upstream_sim::{AccountPatch, FaultRule};
use rstest::rstest;

use crate::support::{Product, Shape, Streamed};

const TOKENS: [&str; 3] = ["sim-basic-1", "sim-basic-2", "sim-basic-3"];

/// What the client of a streamed chat sees.
#[derive(Clone, Copy, Debug)]
enum Sees {
    /// An HTTP error: status and code.
    Refused(u16, &'static str),
    /// The whole answer, ended with `stop`; the text holds this.
    Answer(&'static str),
    /// Something, and then an error in the stream with this code; never a `finish_reason`.
    Cut(&'static str),
    /// An answer that ends as held back.
    Filtered,
}

/// What the pool made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pool {
    /// Nobody is to blame.
    Blameless,
    /// So many accounts are banned, cooling, or have their window shut.
    Banned(usize),
    Cooling(usize),
    Shut(usize),
    /// A reading may also have found what no request has met.
    ShutOrMore(usize),
}

struct Case {
    fault: &'static str,
    prompt: &'static str,
    sees: Sees,
    attempts: usize,
    pool: Pool,
}

const TEXT: &str = "[[sim:say=one two three four]]";
const DRAW: &str = "draw a moon";
const VIDEO: &str = "[[sim:video]]sunrise";
const FOUND: &str = "[[sim:search]]news";

const fn case(fault: &'static str, prompt: &'static str, sees: Sees, attempts: usize, pool: Pool) -> Case {
    Case { fault, prompt, sees, attempts, pool }
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("401-json",                   TEXT,  Sees::Refused(502, "upstream_unauthorized"),           3, Pool::Blameless),
    case("401-html",                   TEXT,  Sees::Refused(502, "anti_bot_rejected"),               3, Pool::Blameless),
    case("403-blocked",                TEXT,  Sees::Refused(502, "upstream_account_blocked"),        3, Pool::Banned(2)),
    case("403-antibot-json",           TEXT,  Sees::Refused(502, "anti_bot_rejected"),               3, Pool::Blameless),
    case("403-html",                   TEXT,  Sees::Refused(502, "anti_bot_rejected"),               3, Pool::Blameless),
    case("403-empty",                  TEXT,  Sees::Refused(502, "anti_bot_rejected"),               3, Pool::Blameless),
    case("403-moderation",             TEXT,  Sees::Refused(403, "content_moderated"),               1, Pool::Blameless),
    case("403-unknown",                TEXT,  Sees::Refused(502, "upstream_forbidden"),              3, Pool::Blameless),
    case("429",                        TEXT,  Sees::Refused(429, "upstream_rate_limited"),           3, Pool::Shut(2)),
    case("429+Retry-After",            TEXT,  Sees::Refused(429, "upstream_rate_limited"),           3, Pool::Shut(2)),
    case("500",                        TEXT,  Sees::Refused(502, "upstream_error"),                  3, Pool::Cooling(2)),
    case("500-markup",                 TEXT,  Sees::Refused(502, "upstream_error"),                  3, Pool::Cooling(2)),
    case("502-html",                   TEXT,  Sees::Refused(502, "upstream_error"),                  3, Pool::Cooling(2)),
    case("200-error-line-first",       TEXT,  Sees::Refused(429, "upstream_rate_limited"),           3, Pool::Shut(2)),
    case("200-error-line-first=7",     TEXT,  Sees::Refused(502, "anti_bot_rejected"),               3, Pool::Blameless),
    case("200-error-after-text",       TEXT,  Sees::Cut("upstream_rate_limited"),                    1, Pool::Shut(1)),
    case("200-stream-errors",          TEXT,  Sees::Cut("upstream_error"),                           1, Pool::Cooling(1)),
    case("200-empty-body",             TEXT,  Sees::Refused(502, "upstream_stream_empty"),           3, Pool::Cooling(2)),
    case("200-only-whitespace",        TEXT,  Sees::Refused(502, "upstream_stream_empty"),           3, Pool::Cooling(2)),
    case("200-only-conversation-line", TEXT,  Sees::Refused(502, "upstream_stream_empty"),           3, Pool::Cooling(2)),
    case("200-truncated-object",       TEXT,  Sees::Cut("upstream_stream_truncated"),                1, Pool::Cooling(1)),
    case("200-bad-line-in-middle",     TEXT,  Sees::Answer("one two three four"),                    1, Pool::Blameless),
    case("stall-before-first-byte",    TEXT,  Sees::Refused(504, "upstream_first_response_timeout"), 3, Pool::Cooling(2)),
    case("stall-after-headers",        TEXT,  Sees::Refused(504, "upstream_first_response_timeout"), 3, Pool::Cooling(2)),
    case("stall-mid",                  TEXT,  Sees::Cut("upstream_idle_timeout"),                    1, Pool::Cooling(1)),
    case("reset-mid",                  TEXT,  Sees::Cut("upstream_connection_lost"),                 1, Pool::Cooling(1)),
    case("no-modelResponse",           TEXT,  Sees::Answer("one two three four"),                    1, Pool::Blameless),
    case("no-tokens-only-message",     TEXT,  Sees::Answer("one two three four"),                    1, Pool::Blameless),
    case("message-shorter",            TEXT,  Sees::Answer("one two three four"),                    1, Pool::Blameless),
    case("message-longer",             TEXT,  Sees::Answer("one two three four"),                    1, Pool::Blameless),
    case("message-different",          TEXT,  Sees::Answer("one two three four"),                    1, Pool::Blameless),
    case("token-list",                 TEXT,  Sees::Answer("four"),                                  1, Pool::Blameless),
    case("late-thinking",              TEXT,  Sees::Answer("one two three four"),                    1, Pool::Blameless),
    case("blank-tokens",               FOUND, Sees::Answer(""),                                      1, Pool::Blameless),
    case("tag-split",                  FOUND, Sees::Answer(""),                                      1, Pool::Blameless),
    case("duplicate-citations",        FOUND, Sees::Answer(""),                                      1, Pool::Blameless),
    case("image-moderated",            DRAW,  Sees::Filtered,                                        1, Pool::Blameless),
    case("image-moderated=1",          DRAW,  Sees::Answer("/images/"),                              1, Pool::Blameless),
    case("image-preview-only",         DRAW,  Sees::Cut("upstream_image_incomplete"),                1, Pool::Cooling(1)),
    case("image-limit",                DRAW,  Sees::Refused(429, "upstream_rate_limited"),           3, Pool::Shut(2)),
    case("video-100-first",            VIDEO, Sees::Answer("<video src="),                           1, Pool::Blameless),
    case("video-repeat-progress",      VIDEO, Sees::Answer("<video src="),                           1, Pool::Blameless),
    case("video-url-early",            VIDEO, Sees::Answer("<video src="),                           1, Pool::Blameless),
    case("video-only-fileAttachments", VIDEO, Sees::Answer("<video src="),                           1, Pool::Blameless),
    case("asset-403-then-200",         DRAW,  Sees::Answer("/images/"),                              1, Pool::Blameless),
    case("asset-html-200",             DRAW,  Sees::Cut("asset_not_media"),                          1, Pool::Blameless),
    case("quota-zero",                 TEXT,  Sees::Refused(429, "upstream_rate_limited"),           3, Pool::ShutOrMore(2)),
    case("quota-endpoint-500",         TEXT,  Sees::Answer("one two three four"),                    1, Pool::Blameless),
    case("upload-terminal-error",      TEXT,  Sees::Refused(502, "upload_rejected"),                 3, Pool::Blameless),
];

#[test]
fn every_fault_of_the_simulator_has_a_case() {
    let covered: BTreeSet<&str> = CASES.iter().map(|case| case.fault.split('=').next().unwrap()).collect();
    let all: BTreeSet<&str> = grok2api_upstream_sim::faults().iter().map(|fault| fault.name).collect();
    assert_eq!(covered, all);
}

/// How the product is laid out, and whether the client streams.
#[derive(Clone, Copy)]
struct Way {
    shape: Shape,
    streamed: bool,
}

#[rstest]
#[case::streamed_in_one_process(Way { shape: Shape::Whole, streamed: true })]
#[case::whole_and_split(Way { shape: Shape::Split, streamed: false })]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_matrix(#[case] way: Way) {
    let runs = stream::iter(CASES).map(|case| run(case, way)).buffer_unordered(6);
    let failures: Vec<String> = runs.filter_map(async |failure| failure).collect().await;
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), CASES.len(), failures.join("\n"));
}

/// Runs a case on a product of its own; gives what did not hold.
async fn run(case: &Case, way: Way) -> Option<String> {
    let product = Product::with(way.shape, &TOKENS).await;
    let wrong = checks(&product, case, way.streamed).await.err();
    product.stop().await;
    wrong.map(|wrong| format!("{}: {wrong}", case.fault))
}

async fn checks(product: &Product, case: &Case, streamed: bool) -> Result<(), String> {
    product
        .patience(match case.fault {
            "stall-mid" => 2,
            fault if fault.starts_with("stall") => 1,
            _ => 60,
        })
        .await;
    let seen = send(product, case, streamed).await;
    check_client(case, &seen)?;
    let turns = |product: &Product| {
        let requests = product.sim.requests();
        let path = if case.fault.starts_with("upload") { "/upload-file" } else { "/conversations/new" };
        requests.iter().filter(|request| request.path.ends_with(path)).count()
    };
    expect("attempts", turns(product), case.attempts)?;
    let accounts = product.settled().await;
    check_pool(case, &accounts)?;
    // Faults set on accounts are over: what is left is what the pool remembers.
    TOKENS.iter().for_each(|token| {
        product.sim.set_account(token, &AccountPatch { faults: Some(Vec::new()), ..AccountPatch::default() });
    });
    if case.fault == "quota-zero" {
        // Every account is truly empty: only a fresh one can serve.
        product.add(&["sim-basic-4"]).await;
    }
    let next = product.ask("grok-3-fast", "[[sim:say=next]]").await;
    expect("next request", (next.status, next.content()), (200, "next".to_owned()))
}

/// The client's request: an upload fault needs an attachment, all others a marker in the prompt.
async fn send(product: &Product, case: &Case, streamed: bool) -> Result<Streamed, (u16, String)> {
    let model = if case.prompt == VIDEO { "grok-imagine-0.9" } else { "grok-3-fast" };
    let refused = |answer: crate::support::Answer| (answer.status, answer.code());
    if !case.fault.starts_with("upload") {
        let prompt = format!("[[sim:fault={}]]{}", case.fault, case.prompt);
        if streamed {
            return product.stream(model, &prompt).await.map_err(refused);
        }
        let answer = product.ask(model, &prompt).await;
        return if answer.status == 200 { Ok(Streamed::whole(&answer.json())) } else { Err(refused(answer)) };
    }
    for token in TOKENS {
        let fault = FaultRule::new(case.fault.parse().unwrap());
        product
            .sim
            .set_account(token, &AccountPatch { faults: Some(vec![fault]), ..AccountPatch::default() });
    }
    let response = product.open(&crate::media::with_image(case.prompt)).await;
    let status = response.status().as_u16();
    let answer: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    Err((status, answer["error"]["code"].as_str().unwrap_or_default().to_owned()))
}

fn check_client(case: &Case, seen: &Result<Streamed, (u16, String)>) -> Result<(), String> {
    let streamed = match (case.sees, seen) {
        (Sees::Refused(status, code), Err(refused)) => {
            return expect("refusal", refused.clone(), (status, code.to_owned()));
        }
        // A whole answer that breaks off is no answer: the failure has a status of its own.
        (Sees::Cut(code), Err((_, refused))) => return expect("code", refused.as_str(), code),
        (_, Err(refused)) => return Err(format!("refused: {refused:?}")),
        (Sees::Refused(..), Ok(streamed)) => return Err(format!("not refused: {streamed:?}")),
        (_, Ok(streamed)) => streamed,
    };
    let (finish, code) = match case.sees {
        Sees::Answer(_) => (vec!["stop".to_owned()], ""),
        Sees::Filtered => (vec!["content_filter".to_owned()], ""),
        Sees::Cut(code) | Sees::Refused(_, code) => (Vec::new(), code),
    };
    expect("error", streamed.error_code(), code)?;
    expect("finish", &streamed.finish, &finish)?;
    expect("done", streamed.done, true)?;
    if let Sees::Answer(part) = case.sees {
        let markup = ["grok:render", "xai:tool"].iter().any(|tag| streamed.content.contains(tag));
        if markup || streamed.content.trim().is_empty() || !streamed.content.contains(part) {
            return Err(format!("content: {:?}", streamed.content));
        }
    }
    let links = streamed.content.matches("<video src=").count();
    if case.prompt == VIDEO { expect("videos", links, 1) } else { Ok(()) }
}

fn check_pool(case: &Case, accounts: &[Account]) -> Result<(), String> {
    let shut = |account: &&Account| account.windows.iter().any(|window| window.remaining == Some(0));
    let count = |status| accounts.iter().filter(|account| account.status() == status).count();
    let empty = accounts.iter().filter(shut).count();
    if let Pool::ShutOrMore(least) = case.pool {
        return if empty >= least { Ok(()) } else { Err(format!("pool: {empty} shut")) };
    }
    let found =
        [Pool::Banned(count(Status::Banned)), Pool::Cooling(count(Status::Cooling)), Pool::Shut(empty)];
    let expected = [case.pool, Pool::Banned(0), Pool::Cooling(0), Pool::Shut(0)];
    let wrong = found.iter().find(|pool| !expected.contains(pool));
    let missing = case.pool != Pool::Blameless && !found.contains(&case.pool);
    if wrong.is_some() || missing {
        Err(format!("pool: {found:?}, expected {:?}", case.pool))
    } else {
        Ok(())
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, expected {expected:?}")) }
}
