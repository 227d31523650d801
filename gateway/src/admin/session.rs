//! Who asks, and whether they may.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::Response,
};
use grok2api_proto::{
    Error, Kind, Result,
    admin::{AuthenticateRequest, Role, Session},
};
use sha2::{Digest as _, Sha256};

use super::{Console, Services, csrf};
use crate::{Caller, Deps, middleware::address, openai::error::Failure};

const COOKIE: &str = "g2a_session";
const LASTS_SECONDS: u32 = 24 * 60 * 60;

/// The admin who asks; in a request's extensions behind the check.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) session: Session,
}

/// What a route asks of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// That there is one, even while a password has to be set.
    Any,
    /// A role, or one above it.
    Role(Role),
}

/// Lets a request pass that may ask, with [`Who`] in the extensions.
pub(super) async fn check(
    State((console, need)): State<(Console, Need)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let (token, by_cookie) = given(request.headers()).ok_or_else(missing)?;
    let digest = digest(token).into();
    let session = console.services.admins.authenticate(AuthenticateRequest { digest }).await?;
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if by_cookie && !safe && csrf::is_own(request.headers()) != Some(true) {
        return Err(cross_site().into());
    }
    let who = may(session, need)?;
    // The playground's routes are those of clients; whoever asks by a session is no client key.
    request.extensions_mut().insert(Caller::admin(&who.name, String::new()));
    request.extensions_mut().insert(who);
    Ok(next.run(request).await)
}

/// Whether a request outside of the admin API comes from somebody who may look at everything.
pub(crate) async fn is_admin(services: &Services, headers: &HeaderMap) -> bool {
    let Some((token, _)) = given(headers) else { return false };
    let digest = digest(token).into();
    let session = services.admins.authenticate(AuthenticateRequest { digest }).await;
    session.is_ok_and(|session| may(session, Need::Role(Role::Viewer)).is_ok())
}

/// The admin of a session, when they may do what needs this.
fn may(session: Session, need: Need) -> Result<Who> {
    let admin = session.admin.clone().ok_or_else(missing)?;
    if let Need::Role(least) = need {
        if admin.must_change_password {
            let message = "a new password has to be set first (POST /api/password)";
            return Err(Error::new(Kind::PermissionDenied, "PASSWORD_CHANGE_REQUIRED", message));
        }
        if admin.role() < least {
            return Err(forbidden(least));
        }
    }
    Ok(Who { role: admin.role(), id: admin.id, name: admin.name, session })
}

impl Who {
    /// Refuses whoever has less than that role.
    pub(super) fn needs(&self, least: Role) -> Result<()> {
        if self.role < least { Err(forbidden(least)) } else { Ok(()) }
    }
}

fn forbidden(least: Role) -> Error {
    let message = format!("this needs the role {}", super::words::role(least));
    Error::new(Kind::PermissionDenied, "FORBIDDEN", message)
}

fn missing() -> Error {
    Error::new(Kind::Unauthenticated, "UNAUTHORIZED", "log in first (POST /api/login)")
}

pub(super) fn cross_site() -> Error {
    let message = "a request with a cookie must come from the console itself; others send the session as a bearer token";
    Error::new(Kind::PermissionDenied, "CSRF_REFUSED", message)
}

/// The session's secret of `Authorization: Bearer`, else of the cookie, and whether it is the cookie's.
fn given(headers: &HeaderMap) -> Option<(&str, bool)> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| (token.trim(), false));
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE).map(|(_, token)| (token.trim(), true))
}

pub(super) fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// `Set-Cookie` that begins a session in a browser, or ends it (`None`).
pub(super) fn cookie(token: Option<&str>, headers: &HeaderMap) -> [(HeaderName, HeaderValue); 1] {
    let https = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    let https = https.and_then(|list| list.split(',').next()).map(str::trim);
    let secure =
        if https.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) { "; Secure" } else { "" };
    let (token, age) = token.map_or(("", 0), |token| (token, LASTS_SECONDS));
    let text = format!("{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={age}{secure}");
    // Secrets of sessions are letters, digits, - and _.
    [(header::SET_COOKIE, HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("")))]
}

/// Where a request comes from, and with what.
pub(super) fn origin(deps: &Deps, parts: &Parts) -> (String, String) {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let address = peer
        .and_then(|peer| address::of(peer, &parts.headers, &deps.trusted_proxies))
        .map(|address| address.to_string());
    let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    (address.unwrap_or_default(), agent.unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[rstest]
    #[case::bearer(&[("authorization", "Bearer abc")], Some(("abc", false)))]
    #[case::bearer_first(&[("authorization", "bearer abc"), ("cookie", "g2a_session=def")], Some(("abc", false)))]
    #[case::other_scheme(&[("authorization", "Basic abc"), ("cookie", "g2a_session=def")], None)]
    #[case::cookie(&[("cookie", "a=b; g2a_session=def; c=d")], Some(("def", true)))]
    #[case::other_cookie(&[("cookie", "xg2a_session=def")], None)]
    #[case::nothing(&[], None)]
    fn a_session_is_shown_as_bearer_or_cookie(
        #[case] pairs: &[(&'static str, &'static str)],
        #[case] expected: Option<(&str, bool)>,
    ) {
        assert_eq!(given(&headers(pairs)), expected);
    }

    #[test]
    fn the_cookie_is_for_this_site_and_no_script() {
        let text = |pairs: &[(&'static str, &'static str)], token| {
            cookie(token, &headers(pairs))[0].1.to_str().unwrap().to_owned()
        };
        assert_eq!(
            text(&[], Some("abc")),
            "g2a_session=abc; HttpOnly; SameSite=Strict; Path=/; Max-Age=86400"
        );
        let behind = text(&[("x-forwarded-proto", "https, http")], None);
        assert_eq!(behind, "g2a_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0; Secure");
    }

    #[rstest]
    #[case(Role::Viewer, Role::Viewer, None)]
    #[case(Role::Viewer, Role::Operator, Some("FORBIDDEN"))]
    #[case(Role::Operator, Role::Owner, Some("FORBIDDEN"))]
    #[case(Role::Owner, Role::Viewer, None)]
    fn roles_are_in_an_order(#[case] has: Role, #[case] least: Role, #[case] refused: Option<&str>) {
        let session = |must_change_password| {
            let admin =
                grok2api_proto::admin::Admin { role: has.into(), must_change_password, ..Default::default() };
            Session { admin: Some(admin), ..Session::default() }
        };
        let code = |need, must| may(session(must), need).err().map(|error| error.code.into_owned());
        assert_eq!(code(Need::Role(least), false).as_deref(), refused);
        assert_eq!(code(Need::Role(least), true).as_deref(), Some("PASSWORD_CHANGE_REQUIRED"));
        assert_eq!(code(Need::Any, true), None);
    }
}
