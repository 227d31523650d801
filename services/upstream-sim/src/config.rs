//! What one simulator is started with.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;

/// Everything a simulator needs besides its listener. A scenario's own values win over these.
#[derive(Clone, Debug, Default)]
pub struct SimConfig {
    /// Source of every random choice and of every id: the same seed and requests give the same bytes.
    pub seed: u64,
    /// Faults, windows and defaults to begin with; replaceable at run time.
    pub scenario: Option<Scenario>,
    /// Values a browser session would have to carry. Empty: nothing is checked.
    pub session: SessionCheck,
    /// How answers are cut and paced unless a prompt says otherwise.
    pub stream: StreamDefaults,
}

/// The session values that must match exactly, or the answer is the edge network's 403 page (reference 11.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionCheck {
    /// Value of the `cf_clearance` cookie, with or without the `cf_clearance=` prefix.
    pub cf_clearance: Option<String>,
    /// Value of `User-Agent`.
    pub user_agent: Option<String>,
    /// Value of `x-statsig-id`; looked at on `/rest/` paths only.
    pub x_statsig_id: Option<String>,
}

/// How an answer reaches the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamDefaults {
    /// What stands between the JSON objects.
    pub framing: Framing,
    /// Whether every object is cut into random small writes, also inside UTF-8 sequences.
    pub split: bool,
    /// Wait before each token, image step and video step.
    pub token_delay: Duration,
    /// Wait before the first byte of the body.
    pub first_delay: Duration,
}

/// The four framings of reference 3.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Framing {
    /// One object per line.
    #[default]
    A,
    /// SSE: `event:` and `data:` lines, and `data: [DONE]` at the end.
    B,
    /// Objects one after the other with nothing between.
    C,
    /// As A, with blank and whitespace-only lines between.
    D,
}

impl Framing {
    /// Reads `a`, `b`, `c` or `d`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "a" | "A" => Some(Self::A),
            "b" | "B" => Some(Self::B),
            "c" | "C" => Some(Self::C),
            "d" | "D" => Some(Self::D),
            _ => None,
        }
    }

    /// Bytes before and after each object.
    pub(crate) const fn around(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::A => (b"", b"\n"),
            Self::B => (b"event: message\ndata: ", b"\n\n"),
            Self::C => (b"", b""),
            Self::D => (b"\n", b"\n  \n"),
        }
    }

    /// Bytes after the last object.
    pub(crate) const fn end(self) -> &'static [u8] {
        match self {
            Self::B => b"data: [DONE]\n\n",
            _ => b"",
        }
    }

    /// The content type that goes with it.
    pub(crate) const fn mime(self) -> &'static str {
        match self {
            Self::B => "text/event-stream",
            _ => "application/json",
        }
    }
}
