//! Every route of the admin API, by the role it needs. What is not here has no role to open it.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
    routing,
};
use grok2api_proto::admin::Role;
use tokio::sync::oneshot;

use super::{
    Console, Inner, Services, accounts, actions, admins, cache, dashboard, keys, live, login, media, models,
    names::Names,
    requests,
    session::{Need, check},
    settings, system, tokens,
};
use crate::{
    Deps,
    handlers::{chat::stopping, missing},
    openai::error::Failure,
};

/// Who may ask a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Whoever reaches the port.
    Everybody,
    /// Whoever has a session, even while a password has to be set.
    Any,
    /// A role, or one above it.
    Viewer,
    /// As above.
    Operator,
    /// As above.
    Owner,
}

/// A route as its document tells of it.
pub(super) struct Told {
    pub(super) level: Level,
    pub(super) method: &'static str,
    /// Below `/api`.
    pub(super) path: &'static str,
    pub(super) about: &'static str,
}

/// Makes the router and the list that the document is made of.
macro_rules! table {
    ($( $level:ident { $( $method:ident $path:literal $handler:path, $about:literal; )* } )*) => {
        /// All routes.
        pub(super) const TABLE: &[Told] = &[$( $( Told {
            level: Level::$level,
            method: stringify!($method),
            path: $path,
            about: $about,
        }, )* )*];

        fn table(console: &Console) -> Router<Console> {
            // A change and what is written down of it are one piece of work, which no client that leaves tears apart.
            let owned = || from_fn_with_state(console.clone(), owned);
            Router::new()$( .merge(Level::$level.around(
                Router::new()$( .route($path, routing::$method($handler)) )*.route_layer(owned()),
                console,
            )) )*
        }
    };
}

table! {
    Everybody {
        post "/login" login::login, "Begins a session";
    }
    Any {
        post "/logout" login::logout, "Ends the session";
        get "/session" login::session, "Who asks, and what is still to set up";
        post "/password" login::password, "Sets a password of one's own";
    }
    Viewer {
        get "/sessions" login::sessions, "One's own sessions";
        post "/sessions/revoke" login::revoke, "Ends some of one's own sessions";
        get "/actions" actions::list, "What admins did";
        get "/tokens" tokens::list, "All accounts, as the Python project lists them";
        get "/stats" tokens::stats, "How many accounts are in which state";
        get "/accounts" accounts::list, "Accounts, filtered, sorted, a page at a time";
        get "/accounts/explain" accounts::explain::explain, "Who would serve a key and model now, and why not the others";
        get "/accounts/deleted" accounts::deleted, "Deleted accounts that can be brought back";
        get "/accounts/{id}" accounts::one, "One account with its windows, failures and usage";
        get "/keys" keys::list, "Client keys";
        get "/keys/{id}" keys::one, "One client key";
        get "/keys/{id}/usage" keys::usage, "What a client key has used";
        get "/requests" requests::list, "The log of requests";
        get "/requests.csv" requests::csv::csv, "The log of requests as a table";
        get "/requests/{id}" requests::one, "One request with its attempts";
        get "/dashboard" dashboard::dashboard, "Sums of what was asked, over time";
        get "/media" media::list, "Cached images or videos, the newest first";
        get "/media/usage" media::usage, "What the cache holds, and its limits";
        get "/cache/size" cache::size, "Sizes of the cache";
        get "/settings" settings::seed::all, "The parameters as two tables";
        get "/settings/parameters" settings::parameters, "The parameters with types, ranges and values";
        get "/settings/revisions" settings::revisions, "What each revision of the parameters changed";
        get "/storage/mode" system::storage_mode, "Which store is used";
        get "/system" system::system, "What runs, where, and how it is";
        get "/models" models::list, "The models, for pickers";
        get "/live" live::stream, "What is running now, pushed";
        get "/live/snapshot" live::snapshot, "What is running now, once";
    }
    Operator {
        get "/requests/{id}/bodies" requests::bodies::bodies, "The kept bodies of a request; logged";
        post "/requests/{id}/replay" requests::replay::replay, "Asks a request once more, whose bodies were kept";
        post "/tokens/add" tokens::add, "Adds accounts by their tokens";
        post "/tokens/delete" tokens::delete, "Deletes accounts by token or id";
        patch "/accounts/{id}" accounts::change, "Changes what is said of an account";
        post "/accounts/bulk" accounts::bulk::bulk, "The same for many accounts, with progress";
        post "/accounts/restore" accounts::restore, "Brings deleted accounts back";
        post "/accounts/import" accounts::import::import, "Adds the accounts of a text, with progress";
        post "/keys" keys::create, "Makes a client key; shows its secret this once";
        put "/keys/{id}" keys::update, "Says anew what a client key may do";
        post "/keys/{id}/revoke" keys::revoke, "Gives a client key up, for ever";
        delete "/media/{kind}/{name}" media::remove, "Deletes an image or video";
        post "/media/clear" media::clear, "Deletes all of a kind";
        post "/cache/clear" cache::clear, "Deletes all images and videos";
        post "/cache/clear/images" cache::clear_images, "Deletes all images";
        post "/cache/clear/videos" cache::clear_videos, "Deletes all videos";
        post "/settings" settings::seed::change, "Changes some parameters";
        patch "/settings/parameters" settings::change, "Changes parameters of an expected revision";
        post "/settings/rollback" settings::rollback, "Says anew what an earlier revision said";
        post "/live/{id}/cancel" live::cancel, "Cancels a running request";
    }
    Owner {
        get "/admins" admins::list, "Those who may use the console";
        post "/admins" admins::create, "Adds an admin";
        patch "/admins/{id}" admins::update, "Changes an admin";
        post "/admins/{id}/sessions/revoke" admins::revoke, "Ends an admin's sessions";
        post "/accounts/export" accounts::export::export, "Gives full tokens away; logged";
    }
}

impl Level {
    /// The routes behind the check of the level.
    fn around(self, routes: Router<Console>, console: &Console) -> Router<Console> {
        let need = match self {
            Self::Everybody => return routes,
            Self::Any => Need::Any,
            Self::Viewer => Need::Role(Role::Viewer),
            Self::Operator => Need::Role(Role::Operator),
            Self::Owner => Need::Role(Role::Owner),
        };
        routes.route_layer(from_fn_with_state((console.clone(), need), check))
    }
}

/// The admin API; `playground` are the routes of the API of clients, `again` those whose requests can be replayed.
pub(crate) fn routes(
    deps: &Deps,
    services: Services,
    playground: Router<Deps>,
    again: Router<Deps>,
) -> Router {
    let console: Console = Arc::new(Inner {
        deps: deps.clone(),
        again: requests::replay::Again::new(deps, again, services.simulator.as_ref()),
        services,
        names: Names::default(),
        dry: live::Looked::default(),
    });
    let playground = Router::new().nest_service("/playground", playground.with_state(deps.clone()));
    let api = table(&console).merge(Level::Operator.around(playground, &console));
    let api = api.fallback(missing::route).method_not_allowed_fallback(missing::method);
    Router::new().nest("/api", api.layer(from_fn(guard)).with_state(console))
}

/// Does what changes something in a task of its own, to its end.
async fn owned(State(console): State<Console>, request: Request, next: Next) -> Result<Response, Failure> {
    if request.method().is_safe() {
        return Ok(next.run(request).await);
    }
    let (sender, receiver) = oneshot::channel();
    console.deps.tasks.spawn("admin-change", async move {
        sender.send(next.run(request).await).ok();
    });
    receiver.await.map_err(|_| stopping().into())
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
