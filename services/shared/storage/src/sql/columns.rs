//! Columns that both databases read the same way.

use serde::{Serialize, de::DeserializeOwned};
use sqlx::Row as _;
use uuid::Uuid;

use super::Row;
use crate::{Error, Result};

/// An id in its column; the error names the row by the bytes.
pub(super) fn id(row: &Row, column: &str, wrong: impl Fn(String, String) -> Error) -> Result<Uuid> {
    let bytes: Vec<u8> = row.try_get(column)?;
    Uuid::from_slice(&bytes).map_err(|error| wrong(format!("{bytes:?}"), error.to_string()))
}

pub(super) fn digest(row: &Row, wrong: impl Fn(String) -> Error) -> Result<[u8; 32]> {
    let bytes: Vec<u8> = row.try_get("digest")?;
    <[u8; 32]>::try_from(bytes).map_err(|_| wrong("its digest has not 32 bytes".to_owned()))
}

/// A text that MySQL keeps as bytes, so that it compares them.
pub(super) fn text(row: &Row, column: &str, wrong: impl Fn(String) -> Error) -> Result<String> {
    String::from_utf8(row.try_get(column)?).map_err(|_| wrong(format!("{column} is no text")))
}

pub(super) fn unsigned(row: &Row, column: &str, wrong: impl Fn(String) -> Error) -> Result<u64> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|_| wrong(format!("{column} {value} is negative")))
}

/// A value out of its JSON column.
pub(super) fn json<T: DeserializeOwned>(
    row: &Row,
    column: &str,
    wrong: impl Fn(String) -> Error,
) -> Result<T> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|error| wrong(format!("{column}: {error}")))
}

/// A value for its JSON column.
pub(super) fn to_json(value: &impl Serialize, wrong: impl Fn(String) -> Error) -> Result<String> {
    serde_json::to_string(value).map_err(|error| wrong(error.to_string()))
}
