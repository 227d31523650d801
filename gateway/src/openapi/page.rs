//! The document as one page for people: no script, no other host.

mod schema;

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("page/style.css");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const HEAD: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">"#;

/// The page's content security policy: nothing but its own style, known by its hash.
pub(crate) fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// One operation and where it stands.
struct Operation<'d> {
    method: &'d str,
    path: &'d str,
    said: &'d Value,
}

/// Makes the page of a document.
pub(crate) fn render(document: &Value) -> String {
    let mut out = String::with_capacity(128 * 1024);
    let (title, version) = (text(&document["info"]["title"]), text(&document["info"]["version"]));
    write!(out, "{HEAD}<title>{} API</title><style>{STYLE}</style></head><body>", escaped(title)).ok();
    let operations = operations(document);
    navigation(document, &operations, &mut out);
    write!(out, "<main><header><h1>{} API <small>{}</small></h1>", escaped(title), escaped(version)).ok();
    write!(out, "<p>{}</p>", prose(text(&document["info"]["description"]))).ok();
    out.push_str(
        "<p>Send a client key as <code>Authorization: Bearer KEY</code> or <code>x-api-key: KEY</code>. \
        The same as a document for programs: <a href=\"/openapi.json\">/openapi.json</a>.</p></header>",
    );
    for tag in list(&document["tags"]) {
        let name = text(&tag["name"]);
        write!(out, "<h2 id=\"{0}\">{0}</h2><p>{1}</p>", escaped(name), prose(text(&tag["description"])))
            .ok();
        for operation in operations.iter().filter(|operation| operation.is_of(name)) {
            operation.render(document, &mut out);
        }
    }
    schema::all(document, &mut out);
    out.push_str("</main></body></html>");
    out
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = entries(&document["paths"]);
    paths
        .flat_map(|(path, item)| {
            METHODS
                .into_iter()
                .filter_map(move |method| Some(Operation { method, path, said: item.get(method)? }))
        })
        .collect()
}

fn navigation(document: &Value, operations: &[Operation<'_>], out: &mut String) {
    out.push_str("<nav><ul>");
    for tag in list(&document["tags"]) {
        let name = text(&tag["name"]);
        write!(out, "<li><a href=\"#{0}\">{0}</a><ul>", escaped(name)).ok();
        for operation in operations.iter().filter(|operation| operation.is_of(name)) {
            let (id, path) = (escaped(operation.id()), escaped(operation.path));
            write!(out, "<li><a href=\"#{id}\"><b class=\"{0}\">{0}</b> {path}</a></li>", operation.method)
                .ok();
        }
        out.push_str("</ul></li>");
    }
    out.push_str("<li><a href=\"#schemas\">Schemas</a></li></ul></nav>");
}

impl<'d> Operation<'d> {
    fn id(&self) -> &'d str {
        text(&self.said["operationId"])
    }

    fn is_of(&self, tag: &str) -> bool {
        list(&self.said["tags"]).first().is_some_and(|first| first == tag)
    }

    fn render(&self, document: &Value, out: &mut String) {
        let Self { method, path, said } = self;
        write!(out, "<section id=\"{}\"><h3><b class=\"{method}\">{method}</b> ", escaped(self.id())).ok();
        write!(out, "<code>{}</code></h3><p>{}</p>", escaped(path), prose(text(&said["summary"]))).ok();
        for paragraph in text(&said["description"]).split("\n\n").filter(|text| !text.is_empty()) {
            write!(out, "<p>{}</p>", prose(paragraph)).ok();
        }
        self.parameters(out);
        for (kind, content) in entries(&said["requestBody"]["content"]) {
            write!(out, "<h4>Body <small>{}</small></h4>", escaped(kind)).ok();
            schema::table(document, &content["schema"], out);
            self.example(document, &content["schema"], out);
        }
        self.responses(document, out);
        out.push_str("</section>");
    }

    fn parameters(&self, out: &mut String) {
        let parameters = list(&self.said["parameters"]);
        if parameters.is_empty() {
            return;
        }
        out.push_str("<h4>Parameters</h4><div class=\"wide\"><table>");
        for parameter in parameters {
            let (name, place) = (escaped(text(&parameter["name"])), escaped(text(&parameter["in"])));
            let kind = schema::kind(&parameter["schema"]);
            let note = prose(text(&parameter["description"]));
            write!(
                out,
                "<tr><th><code>{name}</code> <small>{place}</small></th><td>{kind}</td><td>{note}</td></tr>"
            )
            .ok();
        }
        out.push_str("</table></div>");
    }

    /// How to ask, where the schema has an example.
    fn example(&self, document: &Value, body: &Value, out: &mut String) {
        let Some(example) = schema::resolved(document, body).pointer("/examples/0") else { return };
        let body = escaped(&serde_json::to_string_pretty(example).unwrap_or_default());
        let (method, path) = (self.method.to_uppercase(), escaped(self.path));
        write!(out, "<details><summary>Example</summary><pre>curl -X {method} http://HOST{path} \\\n  ").ok();
        write!(out, "-H 'authorization: Bearer KEY' -H 'content-type: application/json' \\\n  -d '{body}'</pre></details>").ok();
    }

    fn responses(&self, document: &Value, out: &mut String) {
        out.push_str("<h4>Answers</h4><div class=\"wide\"><table>");
        for (status, response) in entries(&self.said["responses"]) {
            let response = schema::resolved(document, response);
            write!(out, "<tr><th><code>{}</code></th><td>", escaped(status)).ok();
            for (kind, content) in entries(&response["content"]) {
                write!(out, "{} <small>{}</small><br>", schema::kind(&content["schema"]), escaped(kind)).ok();
            }
            write!(out, "</td><td>{}</td></tr>", prose(text(&response["description"]))).ok();
        }
        out.push_str("</table></div>");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// Text for HTML, in attributes too.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text in which backticks mark code.
fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (at, piece) in text.split('`').enumerate() {
        let (open, close) = if at % 2 == 0 { ("", "") } else { ("<code>", "</code>") };
        write!(out, "{open}{}{close}", escaped(piece)).ok();
    }
    out
}
