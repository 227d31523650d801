//! Leases: the order is this replica's advice, the claim is the script's.

use grok2api_proto::{Result, pool::Outcome};
use grok2api_storage::accounts::Tier;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Redis, script::strange};
use crate::{
    account::{Account, Blame, Fields},
    policy::{self, Effect},
    pool::Urgency,
    roster::{Bound, Refusal},
    wanted::{Granted, LEASE_MS, Refused, Settlement, Spent, Wanted},
};

/// Candidates handed to the script at once: when the first was taken meanwhile, the next is tried in the same call.
const CANDIDATES: usize = 8;
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
struct About {
    request_id: String,
    minimum_tier: String,
    tags: Vec<String>,
}

impl Redis {
    /// See [`Hot::lease`](crate::hot::Hot::lease).
    pub(super) async fn lease_one(&self, wanted: &Wanted, patient: bool) -> Result<Result<Granted, Refused>> {
        let lease = Uuid::now_v7();
        let mut fresh = false;
        let mut refused = Refusal::busy().refused(self.time());
        for _ in 0..TRIES {
            match self.plan(wanted, patient) {
                Ok(plan) => {
                    if let Some(granted) = self.claim(lease, wanted, &plan).await? {
                        return Ok(Ok(granted));
                    }
                }
                Err(refusal) if fresh => return Ok(Err(refusal)),
                Err(refusal) => {
                    // Nobody is refused for what others have changed meanwhile.
                    self.advance_all().await?;
                    (fresh, refused) = (true, refusal);
                }
            }
        }
        Ok(Err(refused))
    }

    fn plan(&self, wanted: &Wanted, patient: bool) -> Result<Plan, Refused> {
        let now = self.time();
        let mut view = self.view.lock();
        let class = view.roster.class(&wanted.class, now);
        let bound = wanted.followed().and_then(|key| view.affinity.of(key, now));
        let request = view.roster.request(wanted, class);
        let (chosen, bind) = match view.roster.bound(bound, &request, now) {
            Bound::To(id) => (vec![id], true),
            Bound::Busy if patient => return Err(Refusal::busy().refused(now)),
            other => (view.roster.best(&request, CANDIDATES, now), other == Bound::Nowhere),
        };
        if chosen.is_empty() {
            return Err(view.roster.refusal(wanted, class, now).refused(now));
        }
        let revision = |id| view.roster.get(id).map(|account| (id, account.stamp.revision));
        let candidates = chosen.into_iter().filter_map(revision).collect();
        Ok(Plan { candidates, bound, bind, concurrency: view.roster.limits().concurrency })
    }

    /// One round trip; nothing when the plan was out of date.
    async fn claim(&self, lease: Uuid, wanted: &Wanted, plan: &Plan) -> Result<Option<Granted>> {
        let about = About {
            request_id: wanted.request_id.clone(),
            minimum_tier: wanted.minimum_tier.name().to_owned(),
            tags: wanted.tags.clone(),
        };
        let flag = |flag: bool| if flag { "1" } else { "0" }.to_owned();
        let mut args = vec![
            lease.to_string(),
            wanted.owner.clone(),
            wanted.class.clone(),
            wanted.cost.to_string(),
            plan.concurrency.to_string(),
            wanted.rate_limit_name.clone(),
            serde_json::to_string(&about).map_err(strange)?,
            wanted.affinity.clone().unwrap_or_default(),
            plan.bound.map(|id| id.to_string()).unwrap_or_default(),
            flag(wanted.followed().is_some()),
            flag(wanted.affinity.is_some() && plan.bind),
        ];
        for (id, revision) in &plan.candidates {
            args.extend([id.to_string(), revision.to_string()]);
        }
        let mut answer = self.call("lease", &args).await?;
        match answer.text()?.as_str() {
            "leased" => {
                let id = uuid(&answer.text()?)?;
                let fields = answer.fields()?;
                Ok(self.granted(lease, wanted, plan, id, &fields))
            }
            "bound" => {
                let bound = answer.text()?;
                self.learn(wanted, (!bound.is_empty()).then(|| uuid(&bound)).transpose()?);
                Ok(None)
            }
            _ => {
                let mut missing = false;
                while answer.has_more() {
                    let (id, fields) = (uuid(&answer.text()?)?, answer.fields()?);
                    missing |= fields.0.is_empty();
                    self.adopt(id, &fields);
                }
                if missing {
                    self.restore().await?;
                }
                Ok(None)
            }
        }
    }

    fn granted(
        &self,
        lease: Uuid,
        wanted: &Wanted,
        plan: &Plan,
        id: Uuid,
        fields: &Fields,
    ) -> Option<Granted> {
        let now = self.time();
        let mut view = self.view.lock();
        view.adopt(id, fields, false, now);
        if let Some(key) = wanted.affinity.as_deref().filter(|_| plan.bind) {
            view.affinity.bind(key, id, now);
        }
        view.roster.write(id);
        let class = view.roster.class(&wanted.class, now);
        view.roster.leased(id, class, now);
        // Removed here at this very moment: its lease ends by itself.
        let account = view.roster.get(id)?;
        let (token, tier) = (account.stored.token.clone(), account.stored.tier);
        Some(Granted { lease, account: id, token, tier, expires_at: now + LEASE_MS })
    }

    fn learn(&self, wanted: &Wanted, bound: Option<Uuid>) {
        let Some(key) = wanted.affinity.as_deref() else { return };
        let mut view = self.view.lock();
        match bound {
            Some(id) => view.affinity.bind(key, id, self.time()),
            None => view.affinity.unbind(key),
        }
    }

    /// See [`Hot::settle`](crate::hot::Hot::settle). One round trip; a failure that is blamed costs a second one.
    pub(super) async fn settle_one(&self, lease: Uuid, settlement: &Settlement) -> Result<Option<Uuid>> {
        let spent = match settlement.spent() {
            None => String::new(),
            Some(Spent::Reserved) => "reserved".to_owned(),
            Some(Spent::Known(units)) => units.to_string(),
        };
        let outcome = i32::from(settlement.outcome).to_string();
        let mut answer = self.call("settle", &[lease.to_string(), spent, outcome]).await?;
        if !answer.has_more() {
            return Ok(None);
        }
        let expired = answer.text()? == "expired";
        let id = uuid(&answer.text()?)?;
        let class = answer.text()?;
        let began_at = answer.text()?.parse().map_err(strange)?;
        let about: About = serde_json::from_str(&answer.text()?).map_err(strange)?;
        self.adopt(id, &answer.fields()?);
        let class = {
            let (now, mut view) = (self.time(), self.view.lock());
            let class = view.roster.class(&class, now);
            view.roster.write(id);
            view.roster.settled(
                id,
                class,
                if expired { Outcome::Unspecified } else { settlement.outcome },
                now,
            );
            class
        };
        if expired {
            return Ok(None);
        }
        let blame = Blame::of(settlement, class, began_at);
        match blame.effect {
            Effect::Absolve => self.absolve(id).await?,
            _ => self.blame(id, &blame, &about).await?,
        }
        Ok(Some(id))
    }

    async fn absolve(&self, id: Uuid) -> Result<()> {
        // Nearly always there is nothing to forget, and nothing to ask for.
        let struck = self.view.lock().roster.get(id).is_some_and(Account::is_struck);
        if struck {
            self.change(id, None, |account, _| {
                account.absolve();
                ((), Vec::new())
            })
            .await?;
        }
        Ok(())
    }

    async fn blame(&self, id: Uuid, blame: &Blame, about: &About) -> Result<()> {
        let tier = Tier::of(&about.minimum_tier).unwrap_or_default();
        let spared = self.view.lock().roster.spares(id, blame.outcome, blame.class, tier, &about.tags);
        let target = (id, blame.class);
        if blame.effect.is_penalty() && !spared {
            let penalised = self.change(id, Some(&about.request_id), |account, now| {
                account.record(blame, true, now);
                let probe = account.blame(blame, now);
                ((), probe.then_some((target, Urgency::Used)).into_iter().collect())
            });
            if penalised.await?.is_some() {
                return Ok(());
            }
        }
        if policy::is_failure(blame.outcome) {
            self.change(id, None, |account, now| {
                account.record(blame, false, now);
                let limited = blame.outcome == Outcome::RateLimited;
                ((), limited.then_some((target, Urgency::Used)).into_iter().collect())
            })
            .await?;
        }
        Ok(())
    }
}

pub(super) fn uuid(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|_| strange(format_args!("{text:?} for an account")))
}
