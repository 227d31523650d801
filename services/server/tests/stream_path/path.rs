//! The stream path without its sockets: upstream bytes in, SSE bytes out. Shared by the bench and the allocation
//! test, so that both speak of the same thing.

use bytes::BytesMut;
use grok2api_chat::{
    grok::decoder::{Decoder, Options, Output},
    tools::Shaper,
};
use grok2api_gateway::openai::{
    present::Presentation,
    stream::{Encoder, Head},
};
use grok2api_proto::chat::{ChatBatch, ChatEvent, ChatRequest, Tool};

/// One stream from the upstream's socket to the client's.
pub struct Path {
    decoder: Decoder,
    shaper: Option<Shaper>,
    encoder: Encoder,
    outputs: Vec<Output>,
}

impl Path {
    /// A stream with the seed's filter, as a client without options gets it.
    pub fn new() -> Self {
        let tags = ["xaiartifact", "xai:tool_usage_card", "grok:render"];
        let options = Options { filtered_tags: tags.map(str::to_owned).to_vec(), ..Options::default() };
        let head = Head {
            id: "chatcmpl-0123456789abcdef0123456789abcdef".to_owned(),
            created: 1_795_464_925,
            model: "grok-4-fast".to_owned(),
            include_usage: false,
        };
        Self {
            decoder: Decoder::new(&options),
            shaper: None,
            encoder: Encoder::new(&head, 0, Presentation::default()),
            outputs: Vec::new(),
        }
    }

    /// The same for a client that declares a tool, which is not called.
    pub fn with_tool() -> Self {
        let tool = Tool { name: "get_weather".to_owned(), ..Tool::default() };
        let request = ChatRequest { tools: vec![tool], ..ChatRequest::default() };
        Self { shaper: Shaper::new(&request).expect("a shaper"), ..Self::new() }
    }

    /// One read of the upstream: decoded, shaped, batched, encoded into `out`.
    pub fn read(&mut self, bytes: &[u8], out: &mut BytesMut) {
        self.decoder.feed(bytes, &mut self.outputs).expect("a stream without errors");
        let events = self.outputs.drain(..).filter_map(|output| match output {
            Output::Event(event) => Some(event),
            Output::Preview { .. } | Output::Image(_) | Output::Video(_) => None,
        });
        let mut events: Vec<ChatEvent> = events.collect();
        if let Some(shaper) = &mut self.shaper
            && !shaper.untouched(&events)
        {
            let mut shaped = Vec::with_capacity(events.len());
            for event in events {
                shaper.take(event, "", &mut shaped);
            }
            events = shaped;
        }
        let batch = ChatBatch { events };
        self.encoder.batch(&batch, out);
    }
}

/// `count` text tokens as the upstream sends them, a line each.
pub fn tokens(count: usize) -> Vec<u8> {
    let words = [" the", " moon", " 月", " is", " \\\"far\\\"", ",", " and", " 🌕"];
    let line = |n: usize| {
        let token = words[n % words.len()];
        format!(
            r#"{{"result":{{"response":{{"token":"{token}","isThinking":false,"isSoftStop":false,"responseId":"5d4b7f3e-8b8e-4f0e-9a43-0a1f4f0c2c11","messageTag":"final"}}}}}}"#
        ) + "\n"
    };
    (0..count).map(line).collect::<String>().into_bytes()
}
