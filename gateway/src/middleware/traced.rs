//! The trace of a request: the client's own, else a new one; also told in the answer.

use axum::{extract::Request, middleware::Next, response::Response};
use grok2api_kit::trace::Context;

pub(super) async fn hold(request: Request, next: Next) -> Response {
    let context = Context::read(request.headers()).unwrap_or_else(Context::fresh).child();
    let mut response = context.clone().hold(next.run(request)).await;
    context.write(response.headers_mut());
    response
}
