//! Every route of the admin API, by the role it needs. What is not here has no role to open it.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
    routing::{delete, get, patch, post},
};
use grok2api_proto::admin::Role;

use super::{
    Console, Inner, Services, accounts, actions, admins, cache, dashboard, keys, live, login, media, models,
    names::Names,
    requests,
    session::{Need, check},
    settings, system, tokens,
};
use crate::{Deps, handlers::missing};

/// The admin API; `playground` are the routes of the API of clients.
pub(crate) fn routes(deps: &Deps, services: Services, playground: Router<Deps>) -> Router {
    let console: Console = Arc::new(Inner { deps: deps.clone(), services, names: Names::default() });
    let needs = |need| from_fn_with_state((console.clone(), need), check);
    let everybody = Router::new().route("/login", post(login::login));
    let any = Router::new()
        .route("/logout", post(login::logout))
        .route("/session", get(login::session))
        .route("/password", post(login::password))
        .route_layer(needs(Need::Any));
    let viewer = Router::new()
        .route("/sessions", get(login::sessions))
        .route("/sessions/revoke", post(login::revoke))
        .route("/actions", get(actions::list))
        .route("/tokens", get(tokens::list))
        .route("/stats", get(tokens::stats))
        .route("/accounts", get(accounts::list))
        .route("/accounts/explain", get(accounts::explain::explain))
        .route("/accounts/{id}", get(accounts::one))
        .route("/keys", get(keys::list))
        .route("/keys/{id}", get(keys::one))
        .route("/keys/{id}/usage", get(keys::usage))
        .route("/requests", get(requests::list))
        .route("/requests.csv", get(requests::csv::csv))
        .route("/requests/{id}", get(requests::one))
        .route("/dashboard", get(dashboard::dashboard))
        .route("/media", get(media::list))
        .route("/media/usage", get(media::usage))
        .route("/cache/size", get(cache::size))
        .route("/settings", get(settings::seed::all))
        .route("/settings/parameters", get(settings::parameters))
        .route("/settings/revisions", get(settings::revisions))
        .route("/storage/mode", get(system::storage_mode))
        .route("/system", get(system::system))
        .route("/models", get(models::list))
        .route("/live", get(live::stream))
        .route("/live/snapshot", get(live::snapshot))
        .route_layer(needs(Need::Role(Role::Viewer)));
    let operator = Router::new()
        .route("/tokens/add", post(tokens::add))
        .route("/tokens/delete", post(tokens::delete))
        .route("/accounts/{id}", patch(accounts::change))
        .route("/accounts/bulk", post(accounts::bulk::bulk))
        .route("/accounts/restore", post(accounts::restore))
        .route("/accounts/import", post(accounts::import::import))
        .route("/keys", post(keys::create))
        .route("/keys/{id}", axum::routing::put(keys::update))
        .route("/keys/{id}/revoke", post(keys::revoke))
        .route("/media/{kind}/{name}", delete(media::remove))
        .route("/media/clear", post(media::clear))
        .route("/cache/clear", post(cache::clear))
        .route("/cache/clear/images", post(cache::clear_images))
        .route("/cache/clear/videos", post(cache::clear_videos))
        .route("/settings", post(settings::seed::change))
        .route("/settings/parameters", patch(settings::change))
        .route("/settings/rollback", post(settings::rollback))
        .route("/live/{id}/cancel", post(live::cancel))
        .nest_service("/playground", playground.with_state(deps.clone()))
        .route_layer(needs(Need::Role(Role::Operator)));
    let owner = Router::new()
        .route("/admins", get(admins::list).post(admins::create))
        .route("/admins/{id}", patch(admins::update))
        .route("/admins/{id}/sessions/revoke", post(admins::revoke))
        .route("/accounts/export", post(accounts::export::export))
        .route_layer(needs(Need::Role(Role::Owner)));
    let api = everybody.merge(any).merge(viewer).merge(operator).merge(owner);
    let api = api.fallback(missing::route).method_not_allowed_fallback(missing::method);
    Router::new().nest("/api", api.layer(from_fn(guard)).with_state(console))
}

/// Nothing of it is kept by anybody, shown inside another page, or taken for a page.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
