//! The limits of the public port.

use super::{Http, Mistake};

/// A day: recorded answers are for retries, not for keeping.
const LONGEST_MEMORY: u64 = 24 * 3600;

impl Http {
    /// What the types cannot say.
    pub(super) fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let most = grok2api_proto::MAX_MESSAGE_BYTES;
        if self.max_body_bytes > most {
            mistakes.push(Mistake(format!("http.max_body_bytes: at most {most}, what the services pass on")));
        }
        for (name, zero) in [
            ("max_body_bytes", self.max_body_bytes == 0),
            ("max_in_flight", self.max_in_flight == 0),
            ("max_connections", self.max_connections == 0),
            ("head_timeout_seconds", self.head_timeout_seconds == 0),
            ("body_timeout_seconds", self.body_timeout_seconds == 0),
            ("write_timeout_seconds", self.write_timeout_seconds == 0),
            ("idle_timeout_seconds", self.idle_timeout_seconds == 0),
        ] {
            if zero {
                mistakes.push(Mistake(format!("http.{name}: 0 would refuse every request")));
            }
        }
        if self.idempotency_seconds > LONGEST_MEMORY {
            mistakes.push(Mistake(format!("http.idempotency_seconds: at most {LONGEST_MEMORY}, a day")));
        }
        mistakes
    }
}
