//! Names of the contract as the admin API writes them: in small letters, without their prefix.

use grok2api_proto::{
    Error, Result,
    admin::Role,
    ledger::Outcome,
    media::Kind,
    pool::{State, Tier},
};

/// The rest of `TIER_BASIC` behind `TIER_`, in small letters.
pub(super) fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase()
}

macro_rules! words {
    ($( $Type:ident, $prefix:literal, $param:literal, $show:ident, $read:ident; )*) => { $(
        pub(super) fn $show(value: $Type) -> String {
            word(value.as_str_name(), $prefix)
        }

        pub(super) fn $read(text: &str) -> Result<$Type> {
            let small = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let found = $Type::from_str_name(&format!("{}{}", $prefix, text.to_uppercase()));
            found.filter(|value| small && *value as i32 != 0).ok_or_else(|| {
                Error::invalid($param, format!("{text:?} is not a value of {}", $param))
            })
        }
    )* };
}

words! {
    Tier, "TIER_", "tier", tier, read_tier;
    State, "STATE_", "status", state, read_state;
    Outcome, "OUTCOME_", "outcome", outcome, read_outcome;
    Role, "ROLE_", "role", role, read_role;
    Kind, "KIND_", "kind", kind, read_kind;
}

/// Nothing instead of the empty text.
pub(super) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Nothing instead of the time 0.
pub(super) fn at(ms: i64) -> Option<i64> {
    Some(ms).filter(|ms| *ms != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_there_and_back() {
        assert_eq!(tier(Tier::Heavy), "heavy");
        assert_eq!(read_tier("heavy").unwrap(), Tier::Heavy);
        assert_eq!(outcome(Outcome::ClientCancelled), "client_cancelled");
        assert_eq!(read_outcome("client_cancelled").unwrap(), Outcome::ClientCancelled);
        for wrong in ["", "Heavy", "unspecified", "TIER_HEAVY", "huge"] {
            assert_eq!(read_tier(wrong).unwrap_err().param.as_deref(), Some("tier"), "{wrong}");
        }
    }
}
