//! OpenAI's Responses protocol: requests in, events out as server-sent events or as one answer. Pure; IO is in the
//! handlers.
//!
//! Items are named after the response they belong to (`msg_` and its digits), so that one who refers to an item names the
//! response that holds it.

pub(crate) mod answer;
pub(crate) mod keep;
pub(crate) mod output;
pub(crate) mod request;
pub(crate) mod schemas;
pub(crate) mod stream;
pub(crate) mod whole;

use grok2api_proto::Error;

use answer::Echo;
use request::tools::Names;

/// What an answer says of itself, and how it is told.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The digits of the turn's id: `resp_` and they are the response's.
    pub(crate) digits: String,
    /// Seconds since the epoch.
    pub(crate) created: i64,
    /// The model as the client asked for it.
    pub(crate) model: String,
    /// What the answer repeats of the request.
    pub(crate) echo: Echo,
    /// What the client calls its functions.
    pub(crate) names: Names,
    /// The client wants to see what was searched.
    pub(crate) searches: bool,
}

impl Head {
    pub(crate) fn id(&self) -> String {
        format!("{RESPONSE}{}", self.digits)
    }
}

const RESPONSE: &str = "resp_";
const TURN: &str = "turn_";
const DIGITS: usize = 32;

/// The digits of a turn's id.
pub(crate) fn digits_of(turn_id: &str) -> &str {
    turn_id.strip_prefix(TURN).unwrap_or(turn_id)
}

/// The turn that gives, or gave, a response.
pub(crate) fn turn_of(response: &str) -> Option<String> {
    let digits = response.strip_prefix(RESPONSE)?;
    is_digits(digits).then(|| format!("{TURN}{digits}"))
}

/// The response that holds an item, told by the item's id.
pub(crate) fn response_of(item: &str) -> Option<String> {
    let mut parts = item.split('_').skip(1);
    let digits = parts.next().filter(|digits| is_digits(digits))?;
    parts.next()?;
    Some(format!("{RESPONSE}{digits}"))
}

fn is_digits(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// `error.code` within a response, where this protocol knows few.
fn code_of(error: &Error) -> &'static str {
    use grok2api_proto::Kind;
    match error.kind {
        Kind::RateLimited => "rate_limit_exceeded",
        Kind::InvalidRequest | Kind::Conflict | Kind::TooLarge | Kind::NotFound => "invalid_prompt",
        Kind::UnsupportedMedia => "unsupported_image_media_type",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_name_their_response() {
        let digits = "0123456789abcdef0123456789abcdef";
        assert_eq!(response_of(&format!("msg_{digits}_0")), Some(format!("resp_{digits}")));
        assert_eq!(response_of(&format!("rs_{digits}_i7")), Some(format!("resp_{digits}")));
        assert_eq!(turn_of(&format!("resp_{digits}")), Some(format!("turn_{digits}")));
        for strange in ["", "msg_", "msg_1_0", "msg_0123456789ABCDEF0123456789ABCDEF_0", "msg_x", digits] {
            assert_eq!((response_of(strange), turn_of(strange)), (None, None), "{strange}");
        }
        assert_eq!(response_of(&format!("msg_{digits}")), None);
    }
}
