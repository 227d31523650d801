//! One module per resource.

pub(crate) mod chat;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod images;
pub(crate) mod media;
pub(crate) mod messages;
pub(crate) mod missing;
pub(crate) mod models;
pub(crate) mod responses;
pub(crate) mod turn;
pub(crate) mod usage;
pub(crate) mod videos;
