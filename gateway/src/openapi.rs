//! The document of the public surface: `/openapi.json`, and the page `/docs` made of it.
//!
//! It is gathered by the route table: a handler says what it takes and gives with `#[utoipa::path]`, and what a layer adds
//! to the routes below it (a key, headers, failures) is added to their description in one place, here. So a new route
//! needs its attribute and a line in the route table.

pub(crate) mod failures;
mod headers;
mod media;
pub(crate) mod page;
mod streams;
pub(crate) mod words;

use utoipa::openapi::{
    Components, InfoBuilder, OpenApi, OpenApiBuilder, SecurityRequirement,
    path::{Operation, PathItem},
    security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    tag::TagBuilder,
};

use crate::{anthropic, openai::request::schemas, responses};

pub(crate) use failures::{
    AllFailures, Answers, ListFailures, MediaFailures, MessagesFailures, TurnFailures, VideoContentFailures,
};
pub(crate) use media::{Bytes, MediaHeaders, MediaSignature, VideoPage, VideoVariant};
pub(crate) use streams::{ChatStreamEvent, ImageStreamEvent};

/// Groups of operations, in the order in which a reader meets them.
const TAGS: [(&str, &str); 8] = [
    ("Chat", "One conversation turn, whole or as a stream."),
    ("Responses", "The same in the Responses protocol, with responses that are kept."),
    ("Messages", "The same in Anthropic's protocol."),
    ("Images", "Images drawn and edited by a chat model."),
    ("Videos", "Videos made behind the request."),
    ("Models", "What can be asked for."),
    ("Media", "Generated images and videos, for everybody who has the link."),
    ("Service", "What the product says of itself."),
];

/// The document without its operations.
pub(crate) fn base() -> OpenApi {
    let info = InfoBuilder::new().title("Grok2API").version(env!("CARGO_PKG_VERSION")).description(Some(
        "OpenAI's API over Grok. Any OpenAI SDK works with the base URL `http://HOST/v1`.",
    ));
    let tags = TAGS.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build());
    OpenApiBuilder::new().info(info).tags(Some(tags)).components(Some(components())).build()
}

fn components() -> Components {
    let mut components = Components::new();
    components.responses.extend(failures::responses());
    components.schemas.extend(failures::schemas());
    components.schemas.extend(streams::schemas());
    components.schemas.extend(schemas::named());
    components.schemas.extend(anthropic::schemas::named());
    components.schemas.extend(responses::schemas::named());
    let bearer = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("A client key.")).build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let header = ApiKeyValue::with_description("x-api-key", "A client key.");
    components.add_security_scheme("x_api_key", SecurityScheme::ApiKey(ApiKey::Header(header)));
    components
}

/// Adds what the check of the key does to the operations behind it.
pub(crate) fn keyed(api: &mut OpenApi) {
    for operation in operations(api) {
        // While there is no key, the API is open.
        operation.security = Some(vec![
            SecurityRequirement::new::<_, _, String>("bearer", []),
            SecurityRequirement::new::<_, _, String>("x_api_key", []),
            SecurityRequirement::default(),
        ]);
        failures::add(operation, &[401, 403, 429, 503, 504]);
    }
    for post in api.paths.paths.values_mut().filter_map(|item| item.post.as_mut()) {
        post.parameters.get_or_insert_default().push(headers::idempotency_key().into());
        failures::add(post, &[400, 408, 409]);
        post.responses.responses.values_mut().for_each(headers::of_turns);
    }
}

/// Adds what holds for every answer.
pub(crate) fn finish(api: &mut OpenApi) {
    for operation in operations(api) {
        // Any request may find the server busy.
        failures::add(operation, &[500, 503]);
        operation.responses.responses.values_mut().for_each(headers::common);
    }
    operations(api).filter(|operation| is_messages(operation)).for_each(failures::in_messages);
    let components = api.components.get_or_insert_default();
    components.responses.values_mut().for_each(headers::common);
    components.responses.values_mut().for_each(headers::of_turns);
}

/// Whether it speaks Anthropic's protocol.
fn is_messages(operation: &Operation) -> bool {
    operation.tags.iter().flatten().any(|tag| tag == "Messages")
}

fn operations(api: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    api.paths.paths.values_mut().flat_map(of_item)
}

fn of_item(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}
