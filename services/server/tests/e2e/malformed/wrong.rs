//! The requests: mutations of right ones, made from a number.

use std::sync::LazyLock;

use rand::{Rng, RngExt as _, SeedableRng as _, rngs::SmallRng};
use serde_json::{Value, json};

/// A request that is wrong, as bytes.
pub(super) struct Wrong {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    /// The client says that nothing more will come.
    pub(super) ends: bool,
    /// Closing the connection is an answer too: these bytes are no HTTP, or not all of it.
    pub(super) may_close: bool,
}

const JSON: &str = "application/json";

const ROUTES: usize = 5;

/// Routes with bodies that they take.
fn bodies() -> [(&'static str, Value); ROUTES] {
    let content = json!([{"type": "text", "text": "what is this? 这是什么?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]);
    [
        (
            "/v1/chat/completions",
            json!({"model": "grok-3-fast", "stream": true, "n": 1, "temperature": 0.5, "stop": ["x"],
                "stream_options": {"include_usage": true}, "max_tokens": 10,
                "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": content}]}),
        ),
        (
            "/v1/images/generations",
            json!({"prompt": "a cat", "n": 1, "size": "1024x1024", "model": "grok-3-fast"}),
        ),
        ("/v1/images/edits", json!({"prompt": "a cat", "image": ["data:image/png;base64,iVBORw0KGgo="]})),
        ("/v1/videos", json!({"prompt": "a cat", "seconds": "4", "size": "720x1280"})),
        (
            "/v1/messages",
            json!({"model": "grok-3-fast", "max_tokens": 10, "stream": true, "system": "be kind",
                "stop_sequences": ["x"], "messages": [{"role": "user", "content": [
                    {"type": "text", "text": "what is this?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                        "data": "iVBORw0KGgo="}}]}]}),
        ),
    ]
}

static WRONG_VALUES: LazyLock<Vec<(usize, &str, Value)>> = LazyLock::new(wrong_values);

/// Route, field and values that it does not take.
fn wrong_values() -> Vec<(usize, &'static str, Value)> {
    let table = [
        (0, "model", json!([5, true, ["grok-3-fast"], {}, "", "no-such-model", "grok-3-fast\0"])),
        (
            0,
            "messages",
            json!(["hi", 5, {}, [], [5], [{}], [null], [{"role": "user", "content": 5}],
            [{"role": "wizard", "content": "x"}], [{"role": 5, "content": "x"}], [{"content": "x"}],
            [{"role": "user", "content": [5]}], [{"role": "user", "content": [{"type": "noise"}]}],
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://x"}}]}],
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,!"}}]}],
            [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]]),
        ),
        (0, "stream", json!(["yes", 1, [], {}])),
        (0, "temperature", json!(["hot", [], {}, true])),
        (0, "n", json!([0, -1, 5, 1.5, "two", [], 1e300])),
        (0, "max_tokens", json!([-1, 1.5, "many", []])),
        (0, "stop", json!([5, {}, [5], ["a", "b", "c", "d", "e"]])),
        (0, "stream_options", json!([5, "x", [], true])),
        (0, "tools", json!([5, "x", {}, [5]])),
        (0, "tool_choice", json!([5, "sometimes", "required", {}, {"type": "function"}])),
        (0, "response_format", json!([5, {}, {"type": "xml"}, {"type": "json_schema"}])),
        (0, "thinking_mode", json!([5, "loud"])),
        (0, "modalities", json!([5, ["audio"]])),
        (0, "seed", json!(["x", 1.5, []])),
        (1, "prompt", json!([5, [], {}, ""])),
        (1, "n", json!([0, 11, -1, "x"])),
        (1, "size", json!([5, "big", []])),
        (1, "response_format", json!([5, "png"])),
        (1, "partial_images", json!([4, -1, "x"])),
        (1, "background", json!([5, "transparent"])),
        (2, "image", json!([5, {}, [], [5], "nothing", ["data:image/png;base64,!"]])),
        (2, "mask", json!([{"image_url": "x"}])),
        (3, "prompt", json!([5, [], {}, ""])),
        (3, "seconds", json!([[], {}, "soon"])),
        (3, "model", json!([5, "grok-3-fast", "no-such-model"])),
        (3, "input_reference", json!([5, "x", []])),
        (4, "model", json!([5, {}, "", "no-such-model"])),
        (
            4,
            "messages",
            json!(["hi", 5, {}, [], [5], [{}], [null], [{"role": "wizard", "content": "x"}],
            [{"role": "user", "content": 5}], [{"role": "user", "content": [5]}],
            [{"role": "user", "content": [{"type": "noise"}]}], [{"role": "user", "content": [{"type": "text"}]}],
            [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png",
                "data": "!"}}]}],
            [{"role": "assistant", "content": [{"type": "tool_use", "id": 5}]}],
            [{"role": "user", "content": [{"type": "tool_result"}]}]]),
        ),
        (4, "max_tokens", json!([-1, 0, 1.5, "many", []])),
        (4, "system", json!([5, {}, [5], [{"type": "text"}]])),
        (4, "stream", json!(["yes", 1, []])),
        (4, "stop_sequences", json!([5, "x", [5], ["a", "b", "c", "d", "e"]])),
        (4, "thinking", json!([5, "on", []])),
        (4, "temperature", json!(["hot", 2, []])),
        (4, "mcp_servers", json!([5, [{}]])),
    ];
    let each = |(route, field, values): (usize, &'static str, Value)| {
        let Value::Array(values) = values else { panic!("a list of values") };
        values.into_iter().map(move |value| (route, field, value))
    };
    table.into_iter().flat_map(each).collect()
}

/// The request of that number.
pub(super) fn wrong(number: u64) -> Wrong {
    let mut dice = SmallRng::seed_from_u64(number);
    match number % 10 {
        0 => cut(&mut dice),
        1 => garbled(&mut dice),
        2 | 3 => wrong_value(&mut dice),
        4 => extreme(&mut dice),
        5 => wrong_form(&mut dice),
        6 => odd_head(&mut dice),
        7 => wrong_route(&mut dice),
        8 => broken_framing(&mut dice),
        _ => noise(&mut dice),
    }
}

impl Wrong {
    /// Method, path, content type and body, where these are all that is wrong: HTTP/2 can say them too.
    pub(super) fn parts(&self) -> Option<(&str, &str, &str, &[u8])> {
        if self.may_close {
            return None;
        }
        let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let mut lines = std::str::from_utf8(&self.bytes[..end]).ok()?.lines();
        let mut first = lines.next()?.split(' ');
        let (method, path) = (first.next()?, first.next()?);
        let kind = lines.find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
        Some((method, path, kind, &self.bytes[end + 4..]))
    }
}

/// One that is right.
pub(super) fn right() -> Wrong {
    let body = json!({"model": "grok-3-fast", "messages": [{"role": "user", "content": "[[sim:say=hi]]"}]});
    whole("right", "/v1/chat/completions", JSON, body.to_string().as_bytes())
}

fn pick<'a, T>(dice: &mut impl Rng, from: &'a [T]) -> &'a T {
    &from[dice.random_range(0..from.len())]
}

fn body(dice: &mut impl Rng) -> (&'static str, Vec<u8>) {
    let (path, body) = pick(dice, &bodies()).clone();
    (path, body.to_string().into_bytes())
}

fn request(head: &str, body: &[u8]) -> Vec<u8> {
    [head.as_bytes(), b"\r\nhost: g.example\r\nconnection: close\r\n", body].concat()
}

/// With its length.
fn whole(name: &'static str, path: &str, kind: &str, body: &[u8]) -> Wrong {
    let rest = format!("content-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    let bytes = request(&format!("POST {path} HTTP/1.1"), &[rest.as_bytes(), body].concat());
    Wrong { name, bytes, ends: false, may_close: false }
}

fn cut(dice: &mut impl Rng) -> Wrong {
    let (path, mut body) = body(dice);
    body.truncate(dice.random_range(0..body.len()));
    whole("cut", path, JSON, &body)
}

/// Bytes changed, lost and put in, until it is no JSON.
fn garbled(dice: &mut impl Rng) -> Wrong {
    let (path, mut body) = body(dice);
    while serde_json::from_slice::<Value>(&body).is_ok() {
        let at = dice.random_range(0..body.len());
        match dice.random_range(0..3) {
            0 => body[at] = dice.random(),
            1 => drop(body.remove(at)),
            _ => body.insert(at, dice.random()),
        }
    }
    let kind = *pick(dice, &[JSON, "text/plain", "application/xml", "x", ""]);
    whole("garbled", path, kind, &body)
}

fn wrong_value(dice: &mut impl Rng) -> Wrong {
    let (route, field, value) = pick(dice, &WRONG_VALUES).clone();
    let (path, mut body) = bodies()[route].clone();
    let missing = [
        (0, "model"),
        (0, "messages"),
        (1, "prompt"),
        (2, "prompt"),
        (2, "image"),
        (3, "prompt"),
        (4, "model"),
        (4, "messages"),
    ];
    if dice.random_range(0..8) == 0 {
        let (route, field) = *pick(dice, &missing);
        let (path, mut body) = bodies()[route].clone();
        body.as_object_mut().unwrap().remove(field);
        return whole("missing", path, JSON, body.to_string().as_bytes());
    }
    body[field] = value;
    whole("wrong value", path, JSON, body.to_string().as_bytes())
}

/// What a parser can choke on.
fn extreme(dice: &mut impl Rng) -> Wrong {
    let path = bodies()[dice.random_range(0..ROUTES)].0;
    let deep = dice.random_range(200..20_000);
    let body = match dice.random_range(0..8) {
        0 => "[".repeat(deep).into_bytes(),
        1 => [vec![b'['; deep], vec![b']'; deep]].concat(),
        2 => "{\"a\":".repeat(deep).into_bytes(),
        3 => b"{\"model\":\"grok-3-fast\",\"messages\":1e999999}".to_vec(),
        4 => b"{\"prompt\":\"\\ud800\",\"model\":\"\\udfff\",\"messages\":[]}".to_vec(),
        5 => [&b"{\"prompt\":\""[..], &[0xff, 0xfe, 0x80], b"\"}"].concat(),
        6 => pick(dice, &["null", "true", "5", "\"x\"", "[]", "{}", " "]).as_bytes().to_vec(),
        _ => vec![b' '; super::LIMIT as usize + dice.random_range(1..10_000)],
    };
    whole("extreme", path, JSON, &body)
}

fn wrong_form(dice: &mut impl Rng) -> Wrong {
    let path = pick(dice, &["/v1/images/edits", "/v1/videos"]);
    let part = "--b\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\na cat\r\n";
    let kind = "multipart/form-data; boundary=b";
    let (kind, body): (&str, String) = match dice.random_range(0..7) {
        0 => (kind, bodies()[2].1.to_string()),
        1 => ("multipart/form-data", format!("{part}--b--\r\n")),
        2 => (kind, part[..dice.random_range(0..part.len())].to_owned()),
        3 => ("multipart/form-data; boundary=other", format!("{part}--b--\r\n")),
        4 => (kind, "--b\r\ncontent-disposition: form-data\r\n\r\nx\r\n--b--\r\n".to_owned()),
        5 => (kind, "--b\r\nnonsense\r\n\r\nx\r\n--b--\r\n".to_owned()),
        _ => ("multipart/form-data; boundary=\"", format!("{part}--b--\r\n")),
    };
    whole("wrong form", path, kind, body.as_bytes())
}

/// Heads that are odd or wrong, above a body that is wrong.
fn odd_head(dice: &mut impl Rng) -> Wrong {
    let long = "x".repeat(dice.random_range(100..200_000));
    let many: String = (0..dice.random_range(1..300)).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let header = match dice.random_range(0..14) {
        0 => format!("x-long: {long}\r\n"),
        1 => many,
        2 => "x y: z\r\n".to_owned(),
        3 => "x-nul: a\0b\r\n".to_owned(),
        4 => ": nameless\r\n".to_owned(),
        5 => "content-length: 99\r\n".to_owned(),
        6 => "content-length: -1\r\n".to_owned(),
        7 => format!("idempotency-key: {}\r\n", "k".repeat(dice.random_range(0..500))),
        8 => "traceparent: 00-zz\r\ntracestate: =,=\r\nx-request-id: \t!\r\n".to_owned(),
        9 => "expect: the-impossible\r\nrange: bytes=9-1\r\nif-none-match: \"\r\n".to_owned(),
        10 => "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: x\r\n".to_owned(),
        11 => "transfer-encoding: gzip\r\n".to_owned(),
        12 => " folded\r\n".to_owned(),
        _ => "x-forwarded-for: ,,,[::\r\nx-forwarded-host: <script>\r\nauthorization: Bearer\r\n".to_owned(),
    };
    let rest = format!("{header}content-type: {JSON}\r\ncontent-length: 2\r\n\r\n{{]");
    let bytes = request("POST /v1/chat/completions HTTP/1.1", rest.as_bytes());
    // A head that is too large is refused while it is written.
    Wrong { name: "odd head", bytes, ends: false, may_close: true }
}

fn wrong_route(dice: &mut impl Rng) -> Wrong {
    let long = format!("/v1/{}", "x".repeat(dice.random_range(100..5_000)));
    let path = *pick(
        dice,
        &[
            "/v1/nothing",
            "/v1/chat",
            "/%ff",
            "/v1/models/%ff",
            "/../../etc/passwd",
            "/v1//",
            "/images/..%2f..%2fx",
            "/videos/%00",
            "/images/nothing.jpg",
            "/v1/videos/none",
            "/v1/videos/none/content",
            "/v1/messages",
            "/v1/messages/nothing",
            &long,
        ],
    );
    let head = match dice.random_range(0..4) {
        0 => format!("GET {path} HTTP/1.1"),
        1 => format!("DELETE {path} HTTP/1.1"),
        2 => format!("PATCH {path}?a=%&b HTTP/1.1"),
        _ => {
            let method = *pick(dice, &["GET", "PUT", "TRACE", "PURGE", "M-SEARCH"]);
            format!("{method} {} HTTP/1.1", pick(dice, &["/v1/chat/completions", "/v1/messages"]))
        }
    };
    Wrong { name: "wrong route", bytes: request(&head, b"\r\n"), ends: false, may_close: false }
}

fn broken_framing(dice: &mut impl Rng) -> Wrong {
    let (path, body) = body(dice);
    let head = format!("POST {path} HTTP/1.1");
    let chunked = |text: &str| request(&head, format!("transfer-encoding: chunked\r\n\r\n{text}").as_bytes());
    let (bytes, ends) = match dice.random_range(0..9) {
        // Fewer bytes than said, with and without an end.
        kind @ (0 | 1) => {
            let part = &body[..dice.random_range(0..body.len())];
            let rest = [format!("content-length: {}\r\n\r\n", body.len()).as_bytes(), part].concat();
            (request(&head, &rest), kind == 0)
        }
        2 => (chunked("zz\r\nx\r\n0\r\n\r\n"), false),
        3 => (chunked("-5\r\nhello\r\n0\r\n\r\n"), false),
        4 => (chunked("ffffffffffffffffff\r\nx"), false),
        5 => (chunked("5\r\nhelloWORLD\r\n0\r\n\r\n"), false),
        6 => (chunked("5\r\nhel"), dice.random()),
        7 => {
            (chunked(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "e".repeat(dice.random_range(1..50_000)))), false)
        }
        _ => (request(&head, b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), false),
    };
    Wrong { name: "broken framing", bytes, ends, may_close: true }
}

/// What is no HTTP, or not yet.
fn noise(dice: &mut impl Rng) -> Wrong {
    let mut bytes = match dice.random_range(0..6) {
        0 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        1 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        2 => b"GET / HT".to_vec(),
        3 => b"POST /v1/chat/completions HTTP/9.9\r\n\r\n".to_vec(),
        4 => b"\r\n\r\n\r\n".to_vec(),
        _ => Vec::new(),
    };
    let mut random = vec![0; dice.random_range(1..2_000)];
    dice.fill_bytes(&mut random);
    bytes.extend_from_slice(&random);
    Wrong { name: "noise", bytes, ends: dice.random_range(0..4) != 0, may_close: true }
}
