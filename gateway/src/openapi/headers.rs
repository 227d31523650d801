//! Headers that the layers around the routes read and write.

use utoipa::openapi::{
    HeaderBuilder, ObjectBuilder, RefOr, Response, Schema, Type,
    path::{Parameter, ParameterBuilder, ParameterIn},
};

use super::words;

/// What any answer may have.
pub(super) fn common(response: &mut RefOr<Response>) {
    let id = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(64));
    put(response, "x-request-id", id, "The request's id, as in the logs.");
    put(response, "openai-processing-ms", count(), "Milliseconds from the whole request to the headers.");
    put(response, "x-g2a-overhead-ms", count(), "What of that was not spent with the upstream.");
    let parent = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"));
    put(response, "traceparent", parent, "The request's place in its trace: W3C trace context.");
    let state = ObjectBuilder::new().schema_type(Type::String);
    put(response, "tracestate", state, "The request's own, where its trace is continued.");
}

/// What an answer of the upstream's may have.
pub(super) fn of_turns(response: &mut RefOr<Response>) {
    put(response, "x-g2a-attempts", count(), "How many accounts were asked.");
    put(response, "x-g2a-upstream-ms", count(), "How long they took, up to the headers.");
    let text = "The request was done before, and this is its answer.";
    put(response, "idempotent-replayed", words::one_of(&["true"]), text);
}

/// What makes a request one that is done once.
pub(super) fn idempotency_key() -> Parameter {
    let key = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[!-~]{1,255}$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some("Repetitions with the same key and body get the answer of the first."))
        .schema(Some(key))
        .build()
}

/// References are left: what they refer to has the headers.
fn put(response: &mut RefOr<Response>, name: &str, schema: impl Into<RefOr<Schema>>, text: &str) {
    if let RefOr::T(response) = response {
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(text)).build();
        response.headers.insert(name.to_owned(), header.into());
    }
}

fn count() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0))
}
