//! Time passes: dead leases end, rests end, windows refill, and what others did is seen.

use std::sync::atomic::Ordering;

use futures_util::{StreamExt as _, stream};
use grok2api_proto::{Result, pool::Outcome};
use uuid::Uuid;

use super::{
    CHUNK, State,
    change::Change,
    script::Answer,
    view::{Lost, Sent},
};
use crate::pool::Urgency;

const AT_ONCE: usize = 16;

impl State {
    /// See [`Hot::advance`](crate::hot::Hot::advance). Who asks while it goes on waits for the next one, together
    /// with all others who wait.
    pub(super) async fn advance(&self) -> Result<bool> {
        let asked = self.advances.load(Ordering::Acquire);
        let _alone = self.advancing.lock().await;
        if self.advances.load(Ordering::Acquire) > asked {
            return Ok(true);
        }
        let mut changed = self.expire().await?;
        changed |= self.catch_up().await?;
        changed |= self.roll_due().await?;
        self.pay().await?;
        // Only what has succeeded counts for those who wait.
        self.advances.fetch_add(1, Ordering::Release);
        Ok(changed)
    }

    async fn expire(&self) -> Result<bool> {
        let mut any = false;
        loop {
            let (_, mut ended) = self.call("expire", &[]).await?;
            if !ended.has_more() {
                return Ok(any);
            }
            any = true;
            while ended.has_more() {
                let (id, class) = (ended.id()?, ended.text()?);
                self.ended(id, &class, Outcome::Unspecified);
            }
        }
    }

    /// Notes that a lease has ended here.
    pub(super) fn ended(&self, id: Uuid, class: &str, outcome: Outcome) {
        let (now, mut view) = (self.time(), self.view.lock());
        view.roster.write(id);
        let class = view.roster.class(class, now);
        view.roster.settled(id, class, outcome, now);
    }

    /// Where the state is now, before anything is read of it.
    pub(super) async fn first_look(&self) -> Result<()> {
        let (_, mut answer) = self.call("changed", &["inf".to_owned(), "1".to_owned()]).await?;
        let (birth, newest) = (answer.text()?, answer.number()?);
        let mut view = self.view.lock();
        (view.birth, view.seen) = (birth, newest);
        Ok(())
    }

    /// Sees what others have changed. Returns whether there was something.
    pub(super) async fn catch_up(&self) -> Result<bool> {
        let mut any = false;
        loop {
            let seen = self.view.lock().seen;
            let (sent, answer) = self.call("changed", &[seen.to_string(), CHUNK.to_string()]).await?;
            let rows = self.see(seen, sent, answer)?;
            any |= rows > 0;
            let lost = self.view.lock().lost.is_some();
            if lost {
                self.mend().await?;
            } else if rows < CHUNK {
                return Ok(any);
            }
        }
    }

    fn see(&self, seen: u64, sent: Sent, mut answer: Answer) -> Result<usize> {
        let (birth, newest): (_, u64) = (answer.text()?, answer.number()?);
        let mut view = self.view.lock();
        if view.birth.is_empty() {
            view.birth.clone_from(&birth);
        }
        if view.birth != birth {
            view.lost = Some(Lost::Reborn);
        } else if newest < seen {
            view.lost.get_or_insert(Lost::Older);
        }
        let mut rows = 0;
        // What was known is needed to mend a loss, and must not be written over before.
        while view.lost.is_none() && answer.has_more() {
            let (id, version, fields) = (answer.id()?, answer.number()?, answer.fields()?);
            view.adopt(id, &fields, sent, self.time())?;
            view.seen = view.seen.max(version);
            rows += 1;
        }
        Ok(rows)
    }

    async fn roll_due(&self) -> Result<bool> {
        let mut any = false;
        loop {
            let mut due = self.view.lock().roster.due(CHUNK, self.time());
            if due.is_empty() {
                return Ok(any);
            }
            any = true;
            // Every replica does this: they begin in different places.
            let middle = self.caller.replica.bytes().map(usize::from).sum::<usize>() % due.len();
            due.rotate_left(middle);
            let mut rolls = stream::iter(due).map(|id| self.roll(id)).buffer_unordered(AT_ONCE);
            while let Some(rolled) = rolls.next().await {
                rolled?;
            }
        }
    }

    async fn roll(&self, id: Uuid) -> Result<()> {
        let rolled = self.change(id, |_, account, now| {
            let due = account.roll(now);
            Some(Change::of(()).wanting(due.into_iter().map(|class| ((id, class), Urgency::Reset))))
        });
        rolled.await.map(drop)
    }
}
