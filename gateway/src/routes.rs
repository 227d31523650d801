//! Every route.

use axum::{
    Router,
    routing::{get, post},
};

use crate::{
    Deps, admin, console,
    handlers::{chat, health, images, media, missing, models, videos},
    middleware,
};

/// The whole gateway.
pub fn router(deps: Deps) -> Router {
    // For holders of a key.
    let api = answers().route_layer(middleware::key(&deps));
    // Without the prefix these are the names of media.
    let versioned = films().route_layer(middleware::key(&deps)).merge(api.clone());
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
        .with_state(deps.clone());
    let routes = middleware::public(routes);
    // For admins; the API of clients as well, by their session.
    let admin = deps.admin.clone().map(|services| admin::routes(&deps, services, answers().merge(films())));
    middleware::around(match admin {
        Some(admin) => routes.merge(admin),
        None => routes,
    })
}

fn answers() -> Router<Deps> {
    Router::new()
        .route("/chat/completions", post(chat::complete))
        .route("/images/generations", post(images::generate))
        .route("/images/edits", post(images::edit))
        .route("/models", get(models::list))
        .route("/models/{id}", get(models::one))
}

fn films() -> Router<Deps> {
    Router::new()
        .route("/videos", post(videos::create).get(videos::list))
        .route("/videos/{id}", get(videos::one).delete(videos::remove))
        .route("/videos/{id}/content", get(videos::content))
}

#[cfg(test)]
mod tests;
