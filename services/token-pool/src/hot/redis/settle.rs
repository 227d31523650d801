//! How leases end on Redis: the script gives units and slot back, who is to blame is judged here.

use grok2api_proto::{Result, pool::Outcome};
use grok2api_storage::accounts::Tier;
use uuid::Uuid;

use super::{
    State,
    change::{Change, Changed},
    lease::About,
    script::strange,
};
use crate::{
    account::{Account, Blame},
    classes::ClassId,
    policy::{self, Effect},
    pool::Urgency,
    roster::Roster,
    wanted::{Settlement, Spent},
};

/// A lease that has ended just now.
struct Ended {
    account: Uuid,
    class: ClassId,
    began_at: i64,
    about: About,
}

impl State {
    /// See [`Hot::settle`](crate::hot::Hot::settle). One round trip; a failure that is blamed costs more.
    pub(super) async fn settle(&self, lease: Uuid, settlement: &Settlement) -> Result<Option<Uuid>> {
        let ended = match self.end(lease, settlement, false).await {
            // The answer may have been lost after the lease had ended; blame must not be lost with it.
            Err(_) => self.end(lease, settlement, true).await?,
            Ok(ended) => ended,
        };
        let Some(ended) = ended else { return Ok(None) };
        let blame = Blame::of(settlement, ended.class, ended.began_at);
        match blame.effect {
            Effect::Absolve => self.absolve(ended.account).await?,
            _ => self.blame(&ended, &blame).await?,
        }
        Ok(Some(ended.account))
    }

    /// Gives a lease back that nobody holds, until that has succeeded or it has expired by itself.
    pub(super) async fn give_back(&self, lease: Uuid) {
        let unused = Settlement {
            outcome: Outcome::ClientCancelled,
            charged: false,
            units: None,
            retry_after_ms: None,
            cause: String::new(),
        };
        if let Err(error) = self.settle(lease, &unused).await {
            tracing::debug!(%error, "a lease that nobody holds could not be given back, and will expire");
        }
    }

    async fn end(&self, lease: Uuid, settlement: &Settlement, again: bool) -> Result<Option<Ended>> {
        let spent = match settlement.spent() {
            None => String::new(),
            Some(Spent::Reserved) => "reserved".to_owned(),
            Some(Spent::Known(units)) => units.to_string(),
        };
        let outcome = i32::from(settlement.outcome).to_string();
        let again = u8::from(again).to_string();
        let (sent, mut answer) = self.call("settle", &[lease.to_string(), spent, outcome, again]).await?;
        if !answer.has_more() {
            return Ok(None);
        }
        let expired = answer.text()? == "expired";
        let (account, class) = (answer.id()?, answer.text()?);
        let began_at = answer.text()?.parse().map_err(strange)?;
        let about = serde_json::from_str(&answer.text()?).map_err(strange)?;
        self.view.lock().adopt(account, &answer.fields()?, sent, self.time())?;
        self.ended(account, &class, if expired { Outcome::Unspecified } else { settlement.outcome });
        let class = self.view.lock().roster.class(&class, self.time());
        Ok((!expired).then_some(Ended { account, class, began_at, about }))
    }

    async fn absolve(&self, id: Uuid) -> Result<()> {
        // Nearly always there is nothing to forget, and nothing to ask for.
        let struck = self.view.lock().roster.get(id).is_some_and(Account::is_struck);
        if struck {
            self.change(id, |_, account, _| {
                account.absolve();
                Some(Change::of(()))
            })
            .await?;
        }
        Ok(())
    }

    async fn blame(&self, ended: &Ended, blame: &Blame) -> Result<()> {
        if blame.effect.is_penalty() && self.penalise(ended, blame).await? {
            return Ok(());
        }
        if !policy::is_failure(blame.outcome) {
            return Ok(());
        }
        let target = (ended.account, blame.class);
        let limited = blame.outcome == Outcome::RateLimited;
        self.change(ended.account, |_, account, now| {
            account.record(blame, false, now);
            Some(Change::of(()).wanting(limited.then_some((target, Urgency::Used))))
        })
        .await
        .map(drop)
    }

    /// Whether the account was penalised, or is gone; else it is spared.
    async fn penalise(&self, ended: &Ended, blame: &Blame) -> Result<bool> {
        // One after the other: whether one more may rest depends on how many do.
        let _alone = if blame.effect.is_soft() { Some(self.resting.lock().await) } else { None };
        let target = (ended.account, blame.class);
        let penalised = self.change(ended.account, |roster, account, now| {
            let witness = ended.witness(roster, blame, now)?;
            account.record(blame, true, now);
            let probe = account.blame(blame, now).then_some((target, Urgency::Used));
            let request = Some(ended.about.request_id.clone());
            Some(Change { request, witness, ..Change::of(()).wanting(probe) })
        });
        Ok(matches!(penalised.await?, Changed::Done(()) | Changed::Gone))
    }
}

impl Ended {
    /// Nothing when the account must be spared. Else, where it is to rest, another account that can serve in its
    /// place and must still be able to when this is written; with none at hand the count of those that are merely
    /// busy has to do.
    fn witness(&self, roster: &Roster, blame: &Blame, now: i64) -> Option<Option<(Uuid, u64)>> {
        let tier = Tier::of(&self.about.minimum_tier).unwrap_or_default();
        let tags = &self.about.tags;
        if roster.spares(self.account, blame.outcome, blame.class, tier, tags) {
            return None;
        }
        if !blame.effect.is_soft() {
            return Some(None);
        }
        let another = roster.another(self.account, blame.class, tier, tags, now);
        Some(another.map(|account| (account.stored.id, account.stamp.revision)))
    }
}
