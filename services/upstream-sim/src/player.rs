//! Plays a script: turns beats into the pieces of a response body.
//!
//! The body is a stream that hyper polls from the connection's own task, so an open answer costs its beats and
//! nothing else. Whatever is not yet sent when the client leaves is dropped with the body, and the visit with it.

use std::{io, sync::Arc, time::Duration, vec};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use grok2api_kit::lifecycle::Shutdown;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::{
    config::{Framing, StreamDefaults},
    journal::{Outcome, Visit},
    script::{Beat, Script, Speech, TOKEN_HEAD},
};

/// The longest piece of a split object.
const LONGEST_PIECE: usize = 13;

/// An answer on its way out.
pub(crate) struct Player {
    beats: vec::IntoIter<Beat>,
    speech: Option<Speech>,
    framing: Framing,
    ends_cleanly: bool,
    split: Option<SmallRng>,
    token_delay: Duration,
    first_delay: Duration,
    pending: BytesMut,
    over: bool,
    visit: Visit,
    shutdown: Arc<Shutdown>,
}

/// What the next bytes need before they may leave.
enum Next {
    Send,
    Wait,
    Hold,
    Reset,
    End,
}

impl Player {
    pub(crate) fn new(
        script: Script,
        style: StreamDefaults,
        seed: u64,
        visit: Visit,
        shutdown: Arc<Shutdown>,
    ) -> Self {
        Self {
            beats: script.beats.into_iter(),
            speech: None,
            framing: style.framing,
            ends_cleanly: script.ends_cleanly,
            split: style.split.then(|| SmallRng::seed_from_u64(seed)),
            token_delay: style.token_delay,
            first_delay: style.first_delay,
            pending: BytesMut::new(),
            over: false,
            visit,
            shutdown,
        }
    }

    /// The response whose body is this answer.
    pub(crate) fn into_response(self) -> Response {
        self.visit.status(200);
        let mime = HeaderValue::from_static(self.framing.mime());
        let pieces =
            stream::unfold(self, async |mut player| player.next().await.map(|piece| (piece, player)));
        let mut response = Response::new(Body::from_stream(pieces));
        response.headers_mut().insert(header::CONTENT_TYPE, mime);
        response
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let first_delay = std::mem::take(&mut self.first_delay);
        pause(first_delay).await;
        loop {
            if !self.pending.is_empty() {
                return Some(Ok(self.piece().await));
            }
            match self.advance() {
                Next::Send => {}
                Next::Wait => pause(self.token_delay).await,
                Next::Hold => {
                    self.shutdown.draining().await;
                    return Some(Err(self.break_off()));
                }
                Next::Reset => {
                    // Hyper flushes what it has while the body is pending; only then may the connection die.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    self.visit.hang_up();
                    return Some(Err(self.break_off()));
                }
                Next::End => {
                    self.visit.close(Outcome::Completed);
                    return None;
                }
            }
        }
    }

    /// Renders the next beat, or the next token of the one being said, into `pending`.
    fn advance(&mut self) -> Next {
        if let Some(mut speech) = self.speech.take()
            && self.token(&mut speech)
        {
            self.speech = Some(speech);
            return Next::Wait;
        }
        match self.beats.next() {
            Some(Beat::Object(line)) => self.object(&line, Next::Send),
            Some(Beat::Paced(line)) => self.object(&line, Next::Wait),
            Some(Beat::Say(speech)) => {
                self.speech = Some(speech);
                self.advance()
            }
            Some(Beat::Raw(bytes)) => {
                self.pending.put(bytes);
                Next::Send
            }
            Some(Beat::Cut(bytes)) => {
                self.pending.put_slice(self.framing.around().0);
                self.pending.put(bytes);
                Next::Send
            }
            Some(Beat::Hold) => Next::Hold,
            Some(Beat::Reset) => Next::Reset,
            None if self.over || !self.ends_cleanly => Next::End,
            None => {
                self.over = true;
                self.pending.put_slice(self.framing.end());
                Next::Send
            }
        }
    }

    fn object(&mut self, line: &[u8], next: Next) -> Next {
        let (before, after) = self.framing.around();
        self.pending.reserve(before.len() + line.len() + after.len());
        self.pending.put_slice(before);
        self.pending.put_slice(line);
        self.pending.put_slice(after);
        next
    }

    /// Renders one token line. Returns whether there was one.
    fn token(&mut self, speech: &mut Speech) -> bool {
        let (before, after) = self.framing.around();
        let tail = speech.tail.clone();
        let Some(token) = speech.next_token() else { return false };
        self.pending.reserve(before.len() + TOKEN_HEAD.len() + token.len() + 8 + tail.len() + after.len());
        self.pending.put_slice(before);
        self.pending.put_slice(TOKEN_HEAD);
        // Writing a string into memory cannot fail.
        serde_json::to_writer((&mut self.pending).writer(), token).unwrap_or_default();
        self.pending.put_slice(&tail);
        self.pending.put_slice(after);
        true
    }

    /// What is pending, or a random first part of it as a write of its own.
    async fn piece(&mut self) -> Bytes {
        let piece = match &mut self.split {
            None => self.pending.split(),
            Some(random) => {
                let length = random.random_range(1..=LONGEST_PIECE).min(self.pending.len());
                // Being pending once makes hyper flush the piece before.
                tokio::task::yield_now().await;
                self.pending.split_to(length)
            }
        };
        self.visit.sent(piece.len());
        piece.freeze()
    }

    fn break_off(&mut self) -> io::Error {
        self.visit.close(Outcome::Faulted);
        io::Error::new(io::ErrorKind::ConnectionReset, "the simulator breaks off here")
    }
}

async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}
