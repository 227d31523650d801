//! Leave for one request.

use std::sync::Arc;

use grok2api_proto::keys::{AdmitResponse, Settlement, Slot, Used};
use parking_lot::Mutex;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Admissions;

/// Clones are one leave; when the last is dropped, it is settled: by default as of a request that was not served.
#[derive(Clone)]
pub(crate) struct Permit(Arc<Held>);

struct Held {
    admissions: Admissions,
    settlement: Mutex<Settlement>,
    _open: TaskTrackerToken,
}

impl Permit {
    /// Of a request that may have been counted anywhere.
    pub(super) fn new(admissions: Admissions, key: &str, request: &str) -> Self {
        let (key, request) = (key.to_owned(), request.to_owned());
        let settlement = Settlement { key, request, used: None, limits: true, budgets: true };
        let open = admissions.0.open.token();
        Self(Arc::new(Held { admissions, settlement: Mutex::new(settlement), _open: open }))
    }

    /// Who has counted it is known now.
    pub(super) fn answered(&self, answer: &AdmitResponse) {
        {
            let mut settlement = self.0.settlement.lock();
            (settlement.limits, settlement.budgets) = (answer.limits, answer.budgets);
        }
        if answer.holds_slot {
            self.hold_slot();
        }
    }

    pub(super) fn hold_slot(&self) {
        let Settlement { key, request, .. } = self.0.settlement.lock().clone();
        self.0.admissions.0.slots.lock().insert(request.clone(), Slot { key, request });
    }

    /// The request is over, with this to count.
    pub(crate) fn used(&self, used: Used) {
        self.0.settlement.lock().used = Some(used);
    }

    /// Somebody else serves the request, and settles it.
    pub(crate) fn leave(&self) {
        let mut settlement = self.0.settlement.lock();
        (settlement.limits, settlement.budgets) = (false, false);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let settlement = std::mem::take(self.settlement.get_mut());
        self.admissions.0.slots.lock().remove(&settlement.request);
        if settlement.limits || settlement.budgets {
            self.admissions.settle(settlement);
        }
    }
}
