//! Bytes, and how to ask for parts of them.

use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use super::words;

/// An image or a video.
pub(crate) struct Bytes;

impl ToSchema for Bytes {}

impl PartialSchema for Bytes {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).content_media_type("application/octet-stream").into()
    }
}

/// What a signed link has.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a description")]
pub(crate) struct MediaSignature {
    /// As in the link, when `link_secret` is set.
    signature: Option<String>,
}

/// Headers of a request for media (RFC 9110).
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "a description")]
pub(crate) struct MediaHeaders {
    /// One range of bytes.
    #[param(rename = "Range", example = "bytes=0-1023")]
    range: Option<String>,
    /// The range counts only while the media has this entity tag.
    #[param(rename = "If-Range")]
    if_range: Option<String>,
    /// What the client has already.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// What of a video.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a description")]
pub(crate) struct VideoVariant {
    /// Only the video itself is made.
    #[param(schema_with = words::video, required = false)]
    variant: Option<String>,
}

/// Which of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a description")]
pub(crate) struct VideoPage {
    /// At most so many; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// By the time of creation; `desc` when left out.
    #[param(schema_with = words::order, required = false)]
    order: Option<String>,
    /// Only those behind the one of this id.
    after: Option<String>,
}
