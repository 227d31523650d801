//! One request must not take the pool down: it can penalise a few accounts, not more.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use crate::policy::{PENALISED_PER_REQUEST, REQUEST_REMEMBERED_MS};

/// Remembers whom each request has penalised.
#[derive(Debug, Default)]
pub(crate) struct Firewall {
    penalised: HashMap<String, Vec<Uuid>>,
    /// In the order they came; the time of the first penalty.
    ages: VecDeque<(i64, String)>,
}

impl Firewall {
    /// Whether the request may penalise the account; if so, it has.
    pub(crate) fn admit(&mut self, request_id: &str, account: Uuid, now: i64) -> bool {
        self.forget(now);
        let Some(accounts) = self.penalised.get_mut(request_id) else {
            self.penalised.insert(request_id.to_owned(), vec![account]);
            self.ages.push_back((now, request_id.to_owned()));
            return true;
        };
        if accounts.contains(&account) {
            return true;
        }
        let admitted = accounts.len() < PENALISED_PER_REQUEST;
        if admitted {
            accounts.push(account);
        }
        admitted
    }

    fn forget(&mut self, now: i64) {
        while let Some((_, old)) = self.ages.pop_front_if(|(at, _)| *at + REQUEST_REMEMBERED_MS <= now) {
            self.penalised.remove(&old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_account_is_spared_until_the_request_is_forgotten() {
        let mut firewall = Firewall::default();
        let accounts: Vec<Uuid> = (0..3).map(Uuid::from_u128).collect();
        let admitted: Vec<bool> = accounts.iter().map(|id| firewall.admit("r1", *id, 0)).collect();
        assert_eq!(admitted, [true, true, false]);
        assert!(firewall.admit("r1", accounts[0], 1), "the same account again is no new one");
        assert!(firewall.admit("r2", accounts[2], 1), "another request is another matter");
        assert!(firewall.admit("r1", accounts[2], REQUEST_REMEMBERED_MS));
        assert_eq!(firewall.penalised.len(), 2);
    }
}
