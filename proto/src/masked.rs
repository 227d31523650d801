//! `Debug` for messages that hold secrets.

use std::fmt::{Debug, Formatter, Result};

use crate::{admin, capture, config, idempotency, keys, media, pool, response};

/// A secret as people may see it: first and last four characters, or nothing of a short one.
pub fn mask(secret: &str) -> String {
    let count = secret.chars().count();
    if count < 12 {
        return if secret.is_empty() { String::new() } else { "…".to_owned() };
    }
    let head: String = secret.chars().take(4).collect();
    let tail: String = secret.chars().skip(count - 4).collect();
    format!("{head}…{tail}")
}

impl Debug for capture::Body {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Body")
            .field("media_type", &self.media_type)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// What people were told is nobody else's business.
impl Debug for idempotency::Recorded {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Recorded")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What people said is nobody else's business.
impl Debug for response::Response {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Response")
            .field("id", &self.id)
            .field("client", &self.client)
            .field("previous", &self.previous)
            .field("input_bytes", &self.input.len())
            .field("answer_bytes", &self.answer.len())
            .finish_non_exhaustive()
    }
}

impl Debug for pool::LeaseGrant {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("LeaseGrant")
            .field("lease_id", &self.lease_id)
            .field("account_id", &self.account_id)
            .field("token", &mask(&self.token))
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Debug for pool::NewAccount {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("NewAccount")
            .field("token", &mask(&self.token))
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

impl Debug for pool::ExportedAccount {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("ExportedAccount")
            .field("token", &mask(&self.token))
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

impl Debug for pool::ImportAccountsRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("ImportAccountsRequest")
            .field("text_bytes", &self.text.len())
            .field("format", &self.format)
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

/// Requests that name accounts by id or by token.
macro_rules! naming_accounts {
    ($($Request:ident),*) => { $(
        impl Debug for pool::$Request {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                f.debug_list().entries(self.accounts.iter().map(|account| mask(account))).finish()
            }
        }
    )* };
}

naming_accounts!(
    RemoveAccountsRequest,
    ClearAccountsRequest,
    ChangeAccountsRequest,
    ExportAccountsRequest,
    RefreshAccountsRequest
);

/// People paste whole tokens into a search.
impl Debug for pool::AccountFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("AccountFilter")
            .field("search", &mask(&self.search))
            .field("tiers", &self.tiers)
            .field("states", &self.states)
            .field("tags", &self.tags)
            .field("ids", &self.ids.len())
            .finish_non_exhaustive()
    }
}

/// Messages about admins: everything but passwords and secrets of sessions.
macro_rules! admins {
    ($($Message:ident: $($field:ident),*;)*) => { $(
        impl Debug for admin::$Message {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                f.debug_struct(stringify!($Message))
                    $(.field(stringify!($field), &self.$field))*
                    .finish_non_exhaustive()
            }
        }
    )* };
}

admins! {
    LoginRequest: name, address;
    LoginResponse: session;
    ChangePasswordRequest: ;
    CreateRequest: name, role, author;
    UpdateRequest: id, role, disabled, expected_version, author;
}

impl Debug for media::FetchRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("FetchRequest")
            .field("request_id", &self.request_id)
            .field("location", &self.location)
            .field("token", &mask(&self.token))
            .finish_non_exhaustive()
    }
}

impl Debug for keys::CreateResponse {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("CreateResponse").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Debug for config::RuntimeConfig {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("RuntimeConfig").finish_non_exhaustive()
    }
}

impl Debug for config::UpdateRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("UpdateRequest")
            .field("parameters", &self.changes.keys().collect::<Vec<_>>())
            .field("author", &self.author)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_four_characters_at_each_end_and_a_short_one_nothing() {
        assert_eq!(mask("sim-basic-0001"), "sim-…0001");
        assert_eq!(mask("short"), "…");
        assert_eq!(mask(""), "");
        assert_eq!(mask("密密密密密密密密密密密密密"), "密密密密…密密密密");
    }

    #[test]
    fn debug_output_holds_no_token() {
        let grant = pool::LeaseGrant { token: "secret-secret-secret".into(), ..Default::default() };
        assert!(!format!("{grant:?}").contains("secret-secret"));
        let fetch = media::FetchRequest { token: "secret-secret-secret".into(), ..Default::default() };
        assert!(!format!("{fetch:?}").contains("secret-secret"));
        let exported = pool::ExportedAccount { token: "secret-secret-secret".into(), ..Default::default() };
        assert!(!format!("{exported:?}").contains("secret-secret"));
        let import =
            pool::ImportAccountsRequest { text: "secret-secret-secret".into(), ..Default::default() };
        assert!(!format!("{import:?}").contains("secret-secret"));
    }
}
