//! The Model Context Protocol at `/mcp`: what a client of it may have of Grok, as tools.
//!
//! Each call is a turn of its own, measured by the limits of its key and written down like any other. There are no
//! sessions: whichever replica a call reaches can serve it. A call that fails is a result that says so, since a model
//! reads results and nobody reads protocol errors.

mod run;
mod tools;

use std::sync::Arc;

use axum::{
    Extension,
    extract::Request,
    http::request::Parts,
    response::{IntoResponse as _, Response},
};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use tokio_util::sync::CancellationToken;

use crate::Deps;

const INSTRUCTIONS: &str =
    "Ask Grok, which can search the web and X, and have it draw images and make videos.";

/// Answers the protocol; clones share it.
#[derive(Clone)]
pub(crate) struct Mcp(Arc<StreamableHttpService<Grok, NeverSessionManager>>);

impl Mcp {
    pub(crate) fn new(deps: &Deps) -> Self {
        let (grok, stopped) = (Grok(deps.clone()), CancellationToken::new());
        let (shutdown, stop) = (deps.tasks.shutdown().clone(), stopped.clone());
        deps.tasks.spawn_background("mcp-stop", async move {
            shutdown.stopped().await;
            stop.cancel();
        });
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            // Who may ask is told by the key, whatever the host is called.
            .disable_allowed_hosts()
            .with_max_request_body_bytes(deps.max_body_bytes)
            .with_cancellation_token(stopped);
        Self(Arc::new(StreamableHttpService::new(
            move || Ok(grok.clone()),
            Arc::new(NeverSessionManager::default()),
            config,
        )))
    }
}

/// `/mcp`.
pub(crate) async fn serve(Extension(mcp): Extension<Mcp>, request: Request) -> Response {
    mcp.0.handle(request).await.into_response()
}

/// The server as the protocol sees it.
#[derive(Clone)]
struct Grok(Deps);

impl ServerHandler for Grok {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("grok2api", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(about)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = tools::Tool::named(&request.name) else {
            let message = format!("there is no tool {:?}", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let Some(parts) = context.extensions.get::<Parts>() else {
            return Err(ErrorData::internal_error("the request has no headers", None));
        };
        let arguments = request.arguments.unwrap_or_default();
        let told = tokio::select! {
            told = run::run(&self.0, tool, parts, arguments) => told,
            // Its client has left.
            () = context.ct.cancelled() => return Err(ErrorData::internal_error("the call was cancelled", None)),
        };
        Ok(match told {
            Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]).into(),
            Err(error) => {
                let text = format!("{} ({})", error.message, error.code);
                CallToolResult::error(vec![ContentBlock::text(text)]).into()
            }
        })
    }
}
