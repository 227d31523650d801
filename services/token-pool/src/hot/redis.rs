//! The hot state in Redis, shared by many replicas.
//!
//! One hash an account, changed by one script only. The rule of eligibility and the order of trying run here, over a
//! copy of every account that lags a little; the script then takes slot and units only if the account is still as it
//! was judged. What leases and settlements change are plain numbers, which the script adds up; everything else is
//! computed here by the same functions that serve a single process, and written if nobody was faster.

mod follow;
mod lease;
mod reads;
mod script;
mod view;

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use grok2api_kit::clock::Clock;
use grok2api_proto::{Error, Kind, Result};
use grok2api_storage::accounts::StoredAccount;
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use redis::Client;
use uuid::Uuid;

use super::{Elsewhere, Hot};
use crate::{
    account::{Account, Fields},
    pool::{Target, Urgency},
    reading::{ReadEnd, ReadJob},
    roster::{News, Roster},
    wanted::{Granted, Refused, Settlement, Wanted},
};
use follow::Follower;
use lease::uuid;
use script::{Answer, Caller, strange};
use view::View;

/// Begins every key; the braces keep all of them in one slot of a cluster.
pub(crate) const PREFIX: &str = "{g2a-pool}:";
/// Redis keeps the state, so the store may lag; it is asked when Redis has lost it.
const GATHER: Duration = Duration::from_secs(2);
/// Accounts made or written at once.
const CHUNK: usize = 200;
const AT_ONCE: usize = 16;

/// The state in Redis, as one replica uses it.
pub(crate) struct Redis {
    caller: Caller,
    view: Mutex<View>,
    clock: Clock,
    /// What the server's clock is ahead of ours, in milliseconds.
    ahead: AtomicI64,
    follower: Follower,
}

impl Redis {
    /// Connects.
    ///
    /// # Errors
    /// An address that is none, or a server that does not answer.
    pub(crate) async fn connect(url: &str, prefix: &str, clock: Clock) -> Result<Self> {
        let wrong = |error| Error::new(Kind::Unavailable, "storage_unavailable", format!("redis: {error}"));
        let client = Client::open(url).map_err(wrong)?;
        let replica = Uuid::now_v7().to_string();
        let caller = Caller::connect(client.clone(), prefix, replica).await?;
        let follower = Follower::new(client, caller.channel());
        Ok(Self { caller, view: Mutex::default(), clock, ahead: AtomicI64::new(0), follower })
    }

    /// By the server's clock.
    fn time(&self) -> i64 {
        self.clock.now_ms() + self.ahead.load(Ordering::Relaxed)
    }

    async fn call(&self, operation: &str, args: &[String]) -> Result<Answer> {
        let now = self.clock.is_manual().then(|| self.clock.now_ms());
        let (at, answer) = self.caller.call(operation, now, args).await?;
        self.ahead.store(at - self.clock.now_ms(), Ordering::Relaxed);
        Ok(answer)
    }

    fn adopt(&self, id: Uuid, fields: &Fields) {
        self.view.lock().adopt(id, fields, false, self.time());
    }

    /// The one way to change an account beyond leases coming and going: computed here, written if nobody was faster,
    /// else computed again. `request` is the one that penalises it. Nothing when the account is gone or spared.
    async fn change<R>(
        &self,
        id: Uuid,
        request: Option<&str>,
        change: impl Fn(&mut Account, i64) -> (R, Vec<(Target, Urgency)>) + Send + Sync,
    ) -> Result<Option<R>> {
        loop {
            let Some((result, args)) = self.changed(id, request, &change)? else { return Ok(None) };
            if args.is_empty() {
                return Ok(Some(result));
            }
            let mut answer = self.call("put", &args).await?;
            match answer.text()?.as_str() {
                "put" => {
                    self.adopt(id, &answer.fields()?);
                    self.view.lock().roster.write(id);
                    return Ok(Some(result));
                }
                "changed" => self.view.lock().adopt(id, &answer.fields()?, true, self.time()),
                _ => return Ok(None),
            }
        }
    }

    /// What to write after a change; nothing when the change changes nothing.
    fn changed<R>(
        &self,
        id: Uuid,
        request: Option<&str>,
        change: impl Fn(&mut Account, i64) -> (R, Vec<(Target, Urgency)>),
    ) -> Result<Option<(R, Vec<String>)>> {
        let view = self.view.lock();
        let classes = view.roster.classes();
        let Some(before) = view.roster.get(id) else { return Ok(None) };
        let mut after = before.clone();
        let (result, wants) = change(&mut after, self.time());
        let (old, new) = (before.fields(classes).map_err(strange)?, after.fields(classes).map_err(strange)?);
        let new: Vec<_> = new.into_iter().filter(|field| !old.contains(field)).collect();
        if new.is_empty() && wants.is_empty() {
            return Ok(Some((result, Vec::new())));
        }
        let mut args = vec![
            id.to_string(),
            before.stamp.version.to_string(),
            request.unwrap_or_default().to_owned(),
            "changed".to_owned(),
            (new.len() * 2).to_string(),
        ];
        args.extend(new.into_iter().flat_map(|(field, value)| [field, value]));
        for (target, urgency) in wants {
            args.extend([reads::name(target, classes), reads::rank(urgency)]);
        }
        Ok(Some((result, args)))
    }

    /// Makes accounts in the shared state that are not there yet, and learns the others.
    async fn load(&self, accounts: &[Account]) -> Result<Vec<Uuid>> {
        let mut made = Vec::new();
        for chunk in accounts.chunks(CHUNK) {
            let mut args = Vec::new();
            for account in chunk {
                let fields = account.fields(self.view.lock().roster.classes()).map_err(strange)?;
                args.extend([account.stored.id.to_string(), (fields.len() * 2).to_string()]);
                args.extend(fields.into_iter().flat_map(|(field, value)| [field, value]));
            }
            let mut answer = self.call("load", &args).await?;
            while answer.has_more() {
                let (id, new, fields) = (uuid(&answer.text()?)?, answer.number()?, answer.fields()?);
                self.view.lock().adopt(id, &fields, true, self.time());
                made.extend((new == 1).then_some(id));
            }
        }
        Ok(made)
    }

    /// Makes again what Redis has lost, from what is known here.
    async fn restore(&self) -> Result<()> {
        let orphans = self.view.lock().orphans();
        let made = self.load(&orphans).await?;
        if !made.is_empty() {
            tracing::warn!("Redis had lost the state of {} accounts; it was made again", made.len());
        }
        Ok(())
    }

    /// Sees what others have changed. Returns whether there was something.
    async fn catch_up(&self) -> Result<bool> {
        let mut changed = false;
        loop {
            let seen = self.view.lock().seen;
            let mut answer = self.call("changed", &[seen.to_string()]).await?;
            let (birth, newest) = (answer.text()?, answer.number()?);
            let reborn = {
                let mut view = self.view.lock();
                let before = std::mem::replace(&mut view.birth, birth.clone());
                !before.is_empty() && before != birth
            };
            // Another server with older state has taken over, or a new one with none.
            if reborn || newest < seen {
                self.view.lock().seen = 0;
                self.restore().await?;
                changed = true;
                continue;
            }
            let mut rows = 0;
            while answer.has_more() {
                let (id, number, fields) = (uuid(&answer.text()?)?, answer.number()?, answer.fields()?);
                let mut view = self.view.lock();
                view.adopt(id, &fields, seen == 0, self.time());
                view.seen = view.seen.max(number);
                rows += 1;
            }
            changed |= rows > 0;
            if rows < CHUNK {
                return Ok(changed);
            }
        }
    }

    /// See [`Hot::advance`].
    async fn advance_all(&self) -> Result<bool> {
        let mut changed = false;
        loop {
            let mut ended = self.call("expire", &[]).await?;
            if !ended.has_more() {
                break;
            }
            while ended.has_more() {
                let (id, class) = (uuid(&ended.text()?)?, ended.text()?);
                let (now, mut view) = (self.time(), self.view.lock());
                let class = view.roster.class(&class, now);
                view.roster.write(id);
                view.roster.settled(id, class, grok2api_proto::pool::Outcome::Unspecified, now);
            }
            changed = true;
        }
        changed |= self.catch_up().await?;
        loop {
            let due = self.view.lock().roster.due(CHUNK, self.time());
            if due.is_empty() {
                return Ok(changed);
            }
            changed = true;
            let mut rolls = stream::iter(due).map(|id| self.roll(id)).buffer_unordered(AT_ONCE);
            while let Some(rolled) = rolls.next().await {
                rolled?;
            }
        }
    }

    async fn roll(&self, id: Uuid) -> Result<()> {
        let rolled = self.change(id, None, |account, now| {
            let due = account.roll(now);
            ((), due.into_iter().map(|class| ((id, class), Urgency::Reset)).collect())
        });
        if rolled.await?.is_none() {
            // Gone from the shared state but not from the store: it is made again, or it would be due for ever.
            self.restore().await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Hot for Redis {
    async fn lease(&self, wanted: &Wanted, patient: bool) -> Result<Result<Granted, Refused>> {
        self.lease_one(wanted, patient).await
    }

    async fn settle(&self, lease: Uuid, settlement: &Settlement) -> Result<Option<Uuid>> {
        self.settle_one(lease, settlement).await
    }

    async fn renew(&self, owner: &str, leases: &[Uuid]) -> Result<Vec<Uuid>> {
        let mut args = vec![owner.to_owned()];
        args.extend(leases.iter().map(Uuid::to_string));
        let mut answer = self.call("renew", &args).await?;
        let mut lost = Vec::new();
        while answer.has_more() {
            lost.push(uuid(&answer.text()?)?);
        }
        Ok(lost)
    }

    async fn advance(&self) -> Result<bool> {
        self.advance_all().await
    }

    async fn clear(&self, id: Uuid) -> Result<bool> {
        let targets = self.view.lock().roster.targets(id);
        let cleared = self.change(id, None, |account, _| {
            let cleared = account.clear();
            let wants = targets.iter().filter(|_| cleared).map(|target| (*target, Urgency::Used));
            (cleared, wants.collect())
        });
        Ok(cleared.await?.unwrap_or_default())
    }

    async fn bound(&self, conversation: &str) -> Result<Option<Uuid>> {
        let bound = self.call("bound", &[conversation.to_owned()]).await?.text()?;
        if bound.is_empty() { Ok(None) } else { uuid(&bound).map(Some) }
    }

    async fn merge(&self, rows: Vec<StoredAccount>) -> Result<()> {
        let now = self.time();
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for row in rows {
            let id = row.id;
            let news = self.view.lock().roster.merge(row, false, now);
            match news {
                News::Nothing => {}
                News::Changed => changed.push(id),
                News::Added => added.extend(self.view.lock().roster.get(id).cloned()),
                News::Removed => self.drop_shared(id).await?,
            }
        }
        changed.extend(self.load(&added).await?);
        self.want_unknown(&changed).await
    }

    async fn remove(&self, id: Uuid) -> Result<()> {
        self.view.lock().roster.remove(id, self.time());
        self.drop_shared(id).await
    }

    async fn ask(&self, id: Uuid) -> Result<u64> {
        let targets = self.view.lock().roster.targets(id);
        self.want(&targets, Urgency::Asked).await
    }

    async fn recheck(&self, id: Uuid) -> Result<()> {
        let targets = self.view.lock().roster.targets(id);
        self.want(&targets, Urgency::Used).await.map(drop)
    }

    async fn next_read(&self) -> Result<Option<ReadJob>> {
        self.take_read().await
    }

    async fn read_done(&self, job: &ReadJob, end: &ReadEnd) -> Result<()> {
        self.end_read(job, end).await
    }

    async fn read_told(&self, job: &ReadJob) -> Result<()> {
        let (id, class) = job.target;
        let told = self.change(id, None, |account, _| {
            account.window_mut(class).read_number = job.number;
            ((), Vec::new())
        });
        told.await.map(drop)
    }

    async fn stored(&self) -> Result<()> {
        self.call("stored", &[]).await.map(drop)
    }

    async fn follow(&self) -> Elsewhere {
        self.hear().await
    }

    fn roster(&self) -> MappedMutexGuard<'_, Roster> {
        MutexGuard::map(self.view.lock(), |view| &mut view.roster)
    }

    fn now(&self) -> i64 {
        self.time()
    }

    fn gather(&self) -> Duration {
        GATHER
    }
}
