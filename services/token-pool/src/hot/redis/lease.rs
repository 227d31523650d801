//! Leases: the order is this replica's advice, the claim is the script's.

use std::sync::atomic::Ordering;

use grok2api_proto::Result;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    State,
    script::{Answer, strange, uuid},
    view::{Owed, Sent},
};
use crate::{
    account::Fields,
    roster::{Bound, Refusal},
    wanted::{Granted, LEASE_MS, Refused, Wanted},
};

/// Candidates handed to the script at once: when the first was taken meanwhile, the next is tried in the same call.
const CANDIDATES: usize = 8;
/// Who asks while others wait for their answer begins further down, so that a crowd does not meet on one account.
const FURTHER_DOWN: usize = 24;
/// Every try ends with a lease, or with news that make the next one differ.
const TRIES: usize = 64;

/// What to ask the script for.
struct Plan {
    /// With the revision this replica has judged.
    candidates: Vec<(Uuid, u64)>,
    /// The account the conversation is known to be bound to.
    bound: Option<Uuid>,
    bind: bool,
    concurrency: u32,
}

/// What of a request is needed when its lease ends.
#[derive(Serialize, Deserialize)]
pub(super) struct About {
    pub(super) request_id: String,
    pub(super) minimum_tier: String,
    pub(super) tags: Vec<String>,
}

impl State {
    /// See [`Hot::lease`](crate::hot::Hot::lease).
    pub(super) async fn lease(&self, wanted: &Wanted, patient: bool) -> Result<Result<Granted, Refused>> {
        let mut fresh = false;
        for _ in 0..TRIES {
            match self.plan(wanted, patient, fresh) {
                Some(Ok(plan)) => {
                    if let Some(granted) = self.claim(wanted, &plan).await? {
                        return Ok(Ok(granted));
                    }
                }
                Some(Err(refused)) => return Ok(Err(refused)),
                None => {
                    // Nobody is refused for what others have changed meanwhile.
                    self.advance().await?;
                    fresh = true;
                }
            }
        }
        Ok(Err(Refusal::busy().refused(self.time())))
    }

    /// Whom to ask for; or why there is nobody, once that is `fresh` news.
    fn plan(&self, wanted: &Wanted, patient: bool, fresh: bool) -> Option<Result<Plan, Refused>> {
        let now = self.time();
        let mut view = self.view.lock();
        let class = view.roster.class(&wanted.class, now);
        let bound = wanted.followed().and_then(|key| view.affinity.of(key, now));
        let request = view.roster.request(wanted, class);
        let (mut chosen, bind) = match view.roster.bound(bound, &request, now) {
            Bound::To(id) => (vec![id], true),
            Bound::Busy if patient => return fresh.then(|| Err(Refusal::busy().refused(now))),
            other => {
                let others = self.claims.load(Ordering::Relaxed).min(FURTHER_DOWN);
                let mut best = view.roster.best(&request, CANDIDATES + others, now);
                let first = others % best.len().max(1);
                best.rotate_left(first);
                (best, other == Bound::Nowhere)
            }
        };
        if chosen.is_empty() {
            return fresh.then(|| Err(view.roster.refusal(wanted, class, now).refused(now)));
        }
        chosen.truncate(CANDIDATES);
        let revision = |id| view.roster.get(id).map(|account| (id, account.stamp.revision));
        let candidates = chosen.into_iter().filter_map(revision).collect();
        Some(Ok(Plan { candidates, bound, bind, concurrency: view.roster.limits().concurrency }))
    }

    /// One round trip; nothing when the plan was out of date.
    async fn claim(&self, wanted: &Wanted, plan: &Plan) -> Result<Option<Granted>> {
        let lease = Uuid::now_v7();
        let args = plan.args(lease, wanted)?;
        self.claims.fetch_add(1, Ordering::Relaxed);
        let called = self.call("lease", &args).await;
        self.claims.fetch_sub(1, Ordering::Relaxed);
        let (sent, mut answer) = match called {
            Ok(answer) => answer,
            Err(error) => {
                // It may have been granted, and only the answer was lost.
                self.give_back(lease).await;
                return Err(error);
            }
        };
        match answer.text()?.as_str() {
            "leased" => {
                let (id, fields) = (answer.id()?, answer.fields()?);
                let granted = self.granted(lease, wanted, plan, (id, &fields), sent)?;
                if granted.is_none() {
                    self.give_back(lease).await;
                }
                Ok(granted)
            }
            "bound" => {
                let bound = answer.text()?;
                self.learn(wanted, (!bound.is_empty()).then(|| uuid(&bound)).transpose()?);
                Ok(None)
            }
            _ => self.outdated(sent, answer).await.map(|()| None),
        }
    }

    /// Learns why none of the candidates was given.
    async fn outdated(&self, sent: Sent, mut answer: Answer) -> Result<()> {
        while answer.has_more() {
            let (id, fields) = (answer.id()?, answer.fields()?);
            let mut view = self.view.lock();
            view.adopt(id, &fields, sent, self.time())?;
            if fields.0.is_empty() && view.roster.get(id).is_some() {
                view.owed.insert(id, Owed::Load);
            }
        }
        self.mend().await?;
        self.pay().await
    }

    /// Nothing when the account was removed here at this very moment.
    fn granted(
        &self,
        lease: Uuid,
        wanted: &Wanted,
        plan: &Plan,
        (id, fields): (Uuid, &Fields),
        sent: Sent,
    ) -> Result<Option<Granted>> {
        let now = self.time();
        let mut view = self.view.lock();
        view.adopt(id, fields, sent, now)?;
        if let Some(key) = wanted.affinity.as_deref().filter(|_| plan.bind) {
            view.affinity.bind(key, id, now);
        }
        view.roster.write(id);
        let class = view.roster.class(&wanted.class, now);
        view.roster.leased(id, class, now);
        Ok(view.roster.get(id).map(|account| Granted {
            lease,
            account: id,
            token: account.stored.token.clone(),
            tier: account.stored.tier,
            expires_at: now + LEASE_MS,
        }))
    }

    fn learn(&self, wanted: &Wanted, bound: Option<Uuid>) {
        let Some(key) = wanted.affinity.as_deref() else { return };
        let mut view = self.view.lock();
        match bound {
            Some(id) => view.affinity.bind(key, id, self.time()),
            None => view.affinity.unbind(key),
        }
    }
}

impl Plan {
    fn args(&self, lease: Uuid, wanted: &Wanted) -> Result<Vec<String>> {
        let about = About {
            request_id: wanted.request_id.clone(),
            minimum_tier: wanted.minimum_tier.name().to_owned(),
            tags: wanted.tags.clone(),
        };
        let flag = |flag: bool| u8::from(flag).to_string();
        let mut args = vec![
            lease.to_string(),
            wanted.owner.clone(),
            wanted.class.clone(),
            wanted.cost.to_string(),
            self.concurrency.to_string(),
            wanted.rate_limit_name.clone(),
            serde_json::to_string(&about).map_err(strange)?,
            wanted.affinity.clone().unwrap_or_default(),
            self.bound.map(|id| id.to_string()).unwrap_or_default(),
            flag(wanted.followed().is_some()),
            flag(wanted.affinity.is_some() && self.bind),
        ];
        for (id, revision) in &self.candidates {
            args.extend([id.to_string(), revision.to_string()]);
        }
        Ok(args)
    }
}
