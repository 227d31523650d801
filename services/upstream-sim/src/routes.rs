//! The handlers, one file per endpoint of reference 1.1.

pub(crate) mod assets;
pub(crate) mod chat;
pub(crate) mod control;
pub(crate) mod media;
pub(crate) mod quota;
pub(crate) mod session;
pub(crate) mod upload;

use crate::{journal::Visit, models::Denial, reply::Reply};

/// Every path that is not there.
pub(crate) async fn unknown(visit: Visit) -> axum::response::Response {
    let reply = Reply::not_found(format!("no such path: {}", visit.path()));
    visit.answer(Err(reply))
}

impl From<Denial> for Reply {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Missing => Self::invalid("modelName or modeId is required"),
            Denial::Unknown(name) => Self::not_found(format!("model not found: {name}")),
            Denial::Tier(name) => Self::error(403, 7, format!("{name} is not available on this plan")),
        }
    }
}
