//! Logins are slowed down for each address and for each name, over all processes that share a board.
//!
//! An attempt is counted before the password is looked at, so that many at once are not all the first; a right password
//! takes the counts back.

use std::{net::IpAddr, sync::Arc, time::Duration};

use grok2api_proto::{Error, Kind, Result};
use grok2api_storage::board::Board;
use sha2::{Digest as _, Sha256};

/// How long an attempt counts.
const FOR: Duration = Duration::from_secs(10 * 60);
const FOR_A_NAME: u64 = 10;
/// Several people may share an address.
const FOR_AN_ADDRESS: u64 = 20;

pub(super) struct Throttle(pub(super) Arc<dyn Board>);

impl Throttle {
    /// Counts an attempt.
    ///
    /// # Errors
    /// `LOGIN_THROTTLED` with the time to wait.
    pub(super) async fn attempt(&self, name: &str, address: &str) -> Result<()> {
        for (key, most) in [(of_name(name), FOR_A_NAME), (of_address(address), FOR_AN_ADDRESS)] {
            let count = self.0.count(&key, FOR).await?;
            if count.number > most {
                let seconds = count.ends_in.as_secs().max(1);
                let message = format!("too many failed logins; try again in {seconds} s");
                let error = Error::new(Kind::RateLimited, "LOGIN_THROTTLED", message);
                return Err(error.retry_after(count.ends_in));
            }
        }
        Ok(())
    }

    /// The password was right.
    pub(super) async fn passed(&self, name: &str, address: &str) {
        for key in [of_name(name), of_address(address)] {
            if let Err(error) = self.0.forget(&key).await {
                tracing::warn!(%error, "failed logins could not be forgotten: {error}");
            }
        }
    }
}

/// Names may be any text; a digest has a fixed length.
fn of_name(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("login:name:{hex}")
}

/// Whoever has one address of IPv6 has the whole network.
fn of_address(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("login:address:{a:x}:{b:x}:{c:x}:{d:x}")
        }
        Ok(IpAddr::V4(v4)) => format!("login:address:{v4}"),
        Err(_) => "login:address:unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn throttle() -> Throttle {
        Throttle(grok2api_storage::board::open(None).await.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_closed_after_ten_failures_from_anywhere() {
        let throttle = throttle().await;
        for n in 0..10 {
            throttle.attempt("admin", &format!("192.0.2.{n}")).await.unwrap();
        }
        let error = throttle.attempt("admin", "192.0.2.99").await.unwrap_err();
        assert_eq!((error.kind, error.code.as_ref()), (Kind::RateLimited, "LOGIN_THROTTLED"));
        assert!(error.retry_after.unwrap() <= FOR);
        throttle.attempt("anna", "192.0.2.99").await.unwrap();
        tokio::time::advance(FOR).await;
        throttle.attempt("admin", "192.0.2.99").await.unwrap();
    }

    #[tokio::test]
    async fn an_address_is_closed_after_twenty_failures_with_any_name() {
        let throttle = throttle().await;
        for n in 0..20 {
            throttle.attempt(&format!("name {n}"), &format!("2001:db8::{n:x}")).await.unwrap();
        }
        assert!(throttle.attempt("another", "2001:db8::ffff").await.is_err());
        throttle.attempt("another", "2001:db8:0:1::1").await.unwrap();
    }

    #[tokio::test]
    async fn a_right_password_takes_the_counts_back() {
        let throttle = throttle().await;
        for _ in 0..30 {
            throttle.attempt("admin", "192.0.2.1").await.unwrap();
            throttle.passed("admin", "192.0.2.1").await;
        }
    }
}
