//! Every route.

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{get, post},
};

use crate::{
    Deps,
    handlers::{chat, health, images, media, missing, models, pages, videos},
    idempotency, middleware,
};

/// The whole gateway.
pub fn router(deps: Deps) -> Router {
    let max_in_flight = deps.max_in_flight;
    // Behind the key: repeated requests are those of one caller.
    let once = from_fn_with_state(deps.clone(), idempotency::once);
    // For holders of a key.
    let api = Router::new()
        .route("/chat/completions", post(chat::complete))
        .route("/images/generations", post(images::generate))
        .route("/images/edits", post(images::edit))
        .route("/models", get(models::list))
        .route("/models/{id}", get(models::one))
        .route_layer(once.clone())
        .route_layer(middleware::key(&deps));
    // Without the prefix these are the names of media.
    let versioned = Router::new()
        .route("/videos", post(videos::create).get(videos::list))
        .route("/videos/{id}", get(videos::one).delete(videos::remove))
        .route("/videos/{id}/content", get(videos::content))
        .route_layer(once)
        .route_layer(middleware::key(&deps))
        .merge(api.clone());
    // For everybody.
    let open = Router::new()
        .route("/images/{name}", get(media::image))
        .route("/videos/{name}", get(media::video))
        .route("/health", get(health::health))
        .route("/", get(pages::landing))
        .route("/login", get(pages::landing))
        .route("/manage", get(pages::landing));
    let routes = Router::new()
        .nest("/v1", versioned.clone())
        // Base URLs that were given with one `/v1` too many, or with none.
        .nest("/v1/v1", versioned)
        .merge(api)
        .merge(open)
        .fallback(missing::route)
        .method_not_allowed_fallback(missing::method)
        .with_state(deps);
    middleware::around(routes, max_in_flight)
}

#[cfg(test)]
mod tests;
