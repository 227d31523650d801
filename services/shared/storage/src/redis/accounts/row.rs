//! An account between its type and the fields of its hash.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Error, Result,
    accounts::{Status, StoredAccount, StoredFailure, StoredWindow, Tier, Token},
    seal::Sealer,
};

pub(super) const FIELDS: [&str; 5] = ["sealed", "created", "version", "removed", "rest"];
/// In the order of [`FIELDS`]; all absent when there is no such account. They may hold anything.
pub(super) type Fields = [Option<Vec<u8>>; 5];
/// Where among them is when it was removed; empty for not at all.
pub(super) const REMOVED: usize = 3;

/// What no script looks at.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rest {
    tier: String,
    status: String,
    status_at: i64,
    status_cause: String,
    note: String,
    tags: BTreeSet<String>,
    priority: i32,
    enabled: bool,
    user_id: Option<String>,
    windows: BTreeMap<String, StoredWindow>,
    failures: Vec<StoredFailure>,
    last_used_at: Option<i64>,
}

impl Rest {
    pub(super) fn of(account: &StoredAccount) -> Result<Vec<u8>> {
        let (status, status_at, cause) = account.status.columns();
        let rest = Self {
            tier: account.tier.name().to_owned(),
            status: status.to_owned(),
            status_at,
            status_cause: cause.to_owned(),
            note: account.note.clone(),
            tags: account.tags.clone(),
            priority: account.priority,
            enabled: account.enabled,
            user_id: account.user_id.clone(),
            windows: account.windows.clone(),
            failures: account.failures.clone(),
            last_used_at: account.last_used_at,
        };
        serde_json::to_vec(&rest).map_err(|error| impossible(account.id, error))
    }
}

/// The account in a hash, if there is one; whatever this program cannot have written is an [`Error::ImpossibleRow`].
pub(super) fn account(sealer: &Sealer, name: &str, row: Fields) -> Result<Option<StoredAccount>> {
    if row.iter().all(Option::is_none) {
        return Ok(None);
    }
    let [Some(sealed), Some(created_at), Some(version), Some(removed), Some(rest)] = row else {
        return Err(impossible(name, "a field is missing"));
    };
    let id = id(name)?;
    let wrong = |reason: String| impossible(id, reason);
    let numbered = |name: &str, text: &[u8]| {
        let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        number.ok_or_else(|| wrong(format!("{name} is no number")))
    };
    let rest: Rest = serde_json::from_slice(&rest).map_err(|error| wrong(error.to_string()))?;
    let token = sealer.open(id.as_bytes(), &sealed).map_err(|error| {
        let lacks_key = sealer.lacks_key(&sealed);
        if lacks_key { Error::Seal(format!("account {id}: {error}")) } else { wrong(error.to_string()) }
    })?;
    let token = String::from_utf8(token).map_err(|_| wrong("the token is no text".into()))?;
    let removed = (!removed.is_empty()).then(|| numbered("removed", &removed)).transpose()?;
    let version: i64 = numbered("version", &version)?;
    Ok(Some(StoredAccount {
        id,
        token: Token::new(token),
        tier: Tier::of(&rest.tier).ok_or_else(|| wrong(format!("unknown tier {:?}", rest.tier)))?,
        status: Status::of(&rest.status, rest.status_at, rest.status_cause).map_err(wrong)?,
        note: rest.note,
        tags: rest.tags,
        priority: rest.priority,
        enabled: rest.enabled,
        user_id: rest.user_id,
        windows: rest.windows,
        failures: rest.failures,
        created_at: numbered("created", &created_at)?,
        last_used_at: rest.last_used_at,
        deleted_at: removed,
        version: u64::try_from(version).map_err(|_| wrong(format!("version {version}")))?,
    }))
}

pub(super) fn id(name: &str) -> Result<Uuid> {
    Uuid::parse_str(name).map_err(|error| impossible(name, error))
}

pub(super) fn impossible(id: impl ToString, reason: impl ToString) -> Error {
    Error::ImpossibleRow { table: "accounts", id: id.to_string(), reason: reason.to_string() }
}
