//! Every route.
//!
//! What `routes!` adds is part of `/openapi.json`, as the handler's `#[utoipa::path]` says; what `route` adds is not.

use axum::{
    Extension, Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{any, get},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Deps, admin, anthropic, capture, console,
    handlers::{
        chat,
        docs::{self, Docs},
        health, images, media, messages, missing, models, responses, usage, videos,
    },
    idempotency,
    mcp::{self, Mcp},
    middleware, openapi,
};

/// The whole gateway.
pub fn router(deps: Deps) -> Router {
    let max_in_flight = deps.max_in_flight;
    let (versioned, api) = (versioned(&deps), unversioned(&deps).merge(tools(&deps)));
    let (routes, mut document) = OpenApiRouter::with_openapi(openapi::base())
        .nest("/v1", versioned.clone())
        .merge(open())
        .split_for_parts();
    if deps.admin.is_some() {
        admin::describe(&mut document);
    }
    openapi::finish(&mut document);
    let routes = routes
        // Base URLs that were given with one `/v1` too many, or with none.
        .nest("/v1/v1", versioned.into())
        .merge(api)
        .merge(pages(Docs::new(&document)))
        .fallback(missing::route)
        .method_not_allowed_fallback(missing::method)
        .with_state(deps.clone());
    let routes = middleware::public(routes, max_in_flight);
    // For admins; the API of clients as well, by their session.
    let clients = answers().merge(films()).into();
    let again = answers().routes(routes!(messages::create)).into();
    let admin = deps.admin.clone().map(|services| admin::routes(&deps, services, clients, again));
    middleware::around(match admin {
        Some(admin) => routes.merge(admin),
        None => routes,
    })
}

/// For holders of a key, with or without the prefix.
fn unversioned(deps: &Deps) -> OpenApiRouter<Deps> {
    keyed(answers().routes(routes!(usage::usage)), deps)
}

/// For holders of a key, with the prefix.
fn versioned(deps: &Deps) -> OpenApiRouter<Deps> {
    keyed(films(), deps).merge(unversioned(deps)).merge(anthropic(deps))
}

/// The Model Context Protocol, which describes itself.
fn tools(deps: &Deps) -> OpenApiRouter<Deps> {
    let routes = OpenApiRouter::default().route("/mcp", any(mcp::serve));
    keyed(routes.layer(Extension(Mcp::new(deps))), deps)
}

/// Anthropic's protocol, in the shape of whose failures those of the key are told as well; within it, those that are kept
/// to be told again.
fn anthropic(deps: &Deps) -> OpenApiRouter<Deps> {
    let routes = OpenApiRouter::default().routes(routes!(messages::create)).routes(routes!(messages::count));
    let translated = routes.route_layer(from_fn(anthropic::error::translate));
    keyed(translated, deps).route_layer(from_fn(anthropic::error::translate))
}

fn answers() -> OpenApiRouter<Deps> {
    OpenApiRouter::default()
        .routes(routes!(chat::complete))
        .routes(routes!(images::generate))
        .routes(routes!(images::edit))
        .routes(routes!(models::list))
        .routes(routes!(models::one))
        .routes(routes!(responses::create))
        .routes(routes!(responses::count))
        .routes(routes!(responses::stored::one, responses::stored::remove))
        .routes(routes!(responses::stored::input))
        .routes(routes!(responses::stored::cancel))
}

/// Without the prefix these are the names of media.
fn films() -> OpenApiRouter<Deps> {
    OpenApiRouter::default()
        .routes(routes!(videos::create, videos::list))
        .routes(routes!(videos::one, videos::remove))
        .routes(routes!(videos::content))
}

/// For everybody.
fn open() -> OpenApiRouter<Deps> {
    OpenApiRouter::default()
        .routes(routes!(media::image))
        .routes(routes!(media::video))
        .routes(routes!(health::health))
}

/// For people, and the document itself.
fn pages(docs: Docs) -> Router<Deps> {
    Router::new()
        .route("/openapi.json", get(docs::document))
        .route("/docs", get(docs::page))
        .layer(Extension(docs))
        .merge(console::routes())
}

/// Asks for a key, and says so in the document.
fn keyed(mut routes: OpenApiRouter<Deps>, deps: &Deps) -> OpenApiRouter<Deps> {
    openapi::keyed(routes.get_openapi_mut());
    // Behind the key: repeated requests are those of one caller.
    let once = from_fn_with_state(deps.clone(), idempotency::once);
    // Nearest to the handlers: an answer that is told again belongs to no request of the ledger.
    let captured = routes.route_layer(from_fn_with_state(deps.clone(), capture::layer));
    captured.route_layer(once).route_layer(middleware::key(deps))
}

#[cfg(test)]
mod tests;
