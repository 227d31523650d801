//! Every route.

use axum::{
    Router,
    routing::{get, post},
};

use crate::{
    Deps, console,
    handlers::{chat, health, images, media, missing, models, videos},
    middleware,
};

/// The whole gateway.
pub fn router(deps: Deps) -> Router {
    // For holders of a key.
    let api = Router::new()
        .route("/chat/completions", post(chat::complete))
        .route("/images/generations", post(images::generate))
        .route("/images/edits", post(images::edit))
        .route("/models", get(models::list))
        .route("/models/{id}", get(models::one))
        .route_layer(middleware::key(&deps));
    // Without the prefix these are the names of media.
    let versioned = Router::new()
        .route("/videos", post(videos::create).get(videos::list))
        .route("/videos/{id}", get(videos::one).delete(videos::remove))
        .route("/videos/{id}/content", get(videos::content))
        .route_layer(middleware::key(&deps))
        .merge(api.clone());
    // For everybody.
    let open = Router::new()
        .route("/images/{name}", get(media::image))
        .route("/videos/{name}", get(media::video))
        .route("/health", get(health::health))
        .merge(console::routes());
    let routes = Router::new()
        .nest("/v1", versioned.clone())
        // Base URLs that were given with one `/v1` too many, or with none.
        .nest("/v1/v1", versioned)
        .merge(api)
        .merge(open)
        .fallback(missing::route)
        .method_not_allowed_fallback(missing::method)
        .with_state(deps);
    middleware::around(routes)
}

#[cfg(test)]
mod tests;
