//! The encoders of the other protocols without their requests, for the fuzz targets: they are private, and what is fuzzed is
//! what they write.

use bytes::BytesMut;
use grok2api_proto::{Error, chat::ChatBatch};
use serde_json::json;

use crate::{
    anthropic,
    handlers::turn::Encoder,
    openai::present::Presentation,
    responses::{self, answer::Echo, request::tools::Names},
};

/// Batches as events of the Responses API, with the failure that ended them.
pub fn responses(batches: &[ChatBatch], failure: Option<&Error>, presentation: Presentation) -> BytesMut {
    let head = responses::Head {
        digits: "0123456789abcdef0123456789abcdef".into(),
        created: 7,
        model: "grok-3-fast".into(),
        echo: Echo::of(&json!({"model": "grok-3-fast"}), false),
        names: Names::default(),
        searches: true,
    };
    written(responses::stream::Encoder::new(head, presentation, None), batches, failure)
}

/// The same as events of the Messages API.
pub fn messages(batches: &[ChatBatch], failure: Option<&Error>, presentation: Presentation) -> BytesMut {
    let head = anthropic::Head { id: "msg_1".into(), model: "grok-3-fast".into(), input_tokens: 3 };
    written(anthropic::stream::Encoder::new(head, presentation), batches, failure)
}

fn written<E: Encoder>(mut encoder: E, batches: &[ChatBatch], failure: Option<&Error>) -> BytesMut {
    let mut out = BytesMut::new();
    for batch in batches {
        encoder.batch(batch, &mut out);
    }
    if let Some(error) = failure.filter(|_| !encoder.is_done()) {
        encoder.fail(error, &mut out);
    }
    out
}
