//! Failures: one answer a status, and which of them an operation can give.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, PartialSchema as _, ToSchema as _,
    openapi::{
        ContentBuilder, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Schema,
        Type,
        path::Operation,
        schema::{AnyOfBuilder, SchemaType},
    },
};

use super::words;
use crate::{anthropic::error as messages, openai::error::Body};

/// What the names of answers in Anthropic's protocol begin with.
const MESSAGES: &str = "Messages";

/// Status, name, what it means.
const FAILURES: [(u16, &str, &str); 14] = [
    (400, "BadRequest", "The request is wrong; `param` names the place."),
    (401, "Unauthorized", "The key is missing, wrong, expired or turned off."),
    (403, "Forbidden", "Not with this key or link, or the upstream refuses the content."),
    (404, "NotFound", "There is no such thing."),
    (408, "TooSlow", "The request came too slowly."),
    (409, "Conflict", "Not in this state, or a request with this Idempotency-Key stands in the way."),
    (413, "TooLarge", "The request is too large."),
    (415, "UnsupportedMedia", "An attachment is of a kind that the upstream does not take."),
    (416, "RangeNotSatisfiable", "The media has no such part; `content-range` tells its size."),
    (429, "RateLimited", "Too much for the key, or every account's quota is used up."),
    (500, "InternalError", "A defect of this product."),
    (502, "UpstreamFailed", "The upstream failed."),
    (503, "Unavailable", "A part of the product, or every account, is away."),
    (504, "TimedOut", "Something took too long."),
];

macro_rules! sets {
    ($($(#[$doc:meta])* $name:ident: $($status:literal)+;)+) => {
        $($(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$($status),+].into_iter().filter_map(entry).collect()
            }
        })+
    };
}

sets! {
    /// Of an operation that asks another part of the product for something.
    Answers: 404 503 504;
    /// Of one that asks for all there is.
    AllFailures: 503 504;
    /// Of a turn at the upstream.
    TurnFailures: 400 403 404 413 415 429 502 503 504;
    /// Of a turn in Anthropic's protocol, and of its estimate.
    MessagesFailures: 400 403 404 413 415 429 502 503 504;
    /// Of a list with pages.
    ListFailures: 400 503 504;
    /// Of the bytes of a video that may not be there yet.
    VideoContentFailures: 400 404 409 416 503 504;
    /// Of media out of the cache.
    MediaFailures: 403 404 416 503 504;
}

/// Adds failures that an operation does not know of itself.
pub(crate) fn add(operation: &mut Operation, statuses: &[u16]) {
    for (status, response) in statuses.iter().copied().filter_map(entry) {
        operation.responses.responses.entry(status).or_insert(response);
    }
}

fn entry(status: u16) -> Option<(String, RefOr<Response>)> {
    let (_, name, _) = FAILURES.iter().find(|(known, ..)| *known == status)?;
    Some((status.to_string(), Ref::from_response_name(*name).into()))
}

/// The answers that operations refer to.
pub(super) fn responses() -> impl Iterator<Item = (String, RefOr<Response>)> {
    let own = FAILURES.into_iter().map(|failure| response(failure, "", Ref::from_schema_name(Body::name())));
    // What fails before the protocol is known is told in our own shape.
    let either: Schema = AnyOfBuilder::new()
        .item(Ref::from_schema_name(messages::Body::name()))
        .item(Ref::from_schema_name(Body::name()))
        .schema_type(SchemaType::AnyValue)
        .into();
    own.chain(FAILURES.into_iter().map(move |failure| response(failure, MESSAGES, either.clone())))
}

fn response(
    (status, name, text): (u16, &str, &str),
    prefix: &str,
    body: impl Into<RefOr<Schema>>,
) -> (String, RefOr<Response>) {
    let body = ContentBuilder::new().schema(Some(body)).build();
    let response = ResponseBuilder::new().description(text).content("application/json", body);
    let response =
        headers(status).into_iter().fold(response, |response, (name, header)| response.header(name, header));
    (format!("{prefix}{name}"), response.build().into())
}

/// Refers to the failures of Anthropic's protocol instead.
pub(super) fn in_messages(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::Ref(reference) = response
            && let Some(name) = reference.ref_location.rsplit('/').next()
        {
            *response = Ref::from_response_name(format!("{MESSAGES}{name}")).into();
        }
    }
}

/// Schemas that are used by the answers alone.
pub(super) fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(Body::name().into_owned(), Body::schema())];
    Body::schemas(&mut schemas);
    schemas
}

fn headers(status: u16) -> Vec<(&'static str, Header)> {
    let retry = if status == 429 {
        let text = "False: the same request would fail again, or the wait is longer than a minute. True: a limit of the key passes.";
        header(words::one_of(&["true", "false"]), text)
    } else {
        let text = "The same request would fail again, or the wait is longer than a minute.";
        header(words::one_of(&["false"]), text)
    };
    let mut headers = vec![("x-should-retry", retry)];
    if matches!(status, 409 | 429 | 502 | 503 | 504) {
        headers.push(("retry-after", header(integer(1, 60), "Seconds to wait.")));
        headers.push(("retry-after-ms", header(integer(0, 60_000), "The same in milliseconds.")));
    }
    if status == 401 {
        headers.push(("www-authenticate", header(words::one_of(&["Bearer"]), "How to send the key.")));
    }
    headers
}

fn header(schema: impl Into<RefOr<Schema>>, text: &str) -> Header {
    HeaderBuilder::new().schema(Some(schema)).description(Some(text)).build()
}

fn integer(from: u32, to: u32) -> Schema {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(from)).maximum(Some(to)).build().into()
}
