//! Readings: a queue that all replicas share; whoever takes one makes it.

use grok2api_proto::Result;
use uuid::Uuid;

use super::{
    CHUNK, State,
    change::Change,
    script::{strange, uuid},
};
use crate::{
    classes::Classes,
    pool::{Target, Urgency, bulk_budget},
    reading::{ReadEnd, ReadJob},
};

/// What to do with a reading that was taken from the queue.
enum Taken {
    Make(ReadJob),
    /// Its account is out of use.
    Forget,
    /// Its account is not known here yet.
    Leave,
}

impl State {
    pub(super) async fn take_read(&self) -> Result<Option<ReadJob>> {
        let budget = self.view.lock().roster.limits().readings_per_minute;
        let bulk = bulk_budget(budget as usize);
        let budgets = [budget.to_string(), bulk.to_string()];
        loop {
            let (_, mut answer) = self.call("take", &budgets).await?;
            if !answer.has_more() {
                return Ok(None);
            }
            let (target, urgency, number) = (answer.text()?, answer.number()?, answer.number()?);
            match self.judge(&target, urgency, number)? {
                Taken::Make(job) => {
                    if job.anonymous {
                        // Whose it is will be asked along with it. When that is not counted, it is asked all the same.
                        self.call("along", &[number.to_string(), urgency.to_string()]).await.ok();
                    }
                    return Ok(Some(job));
                }
                Taken::Forget => self.put_back(target, number, false).await?,
                Taken::Leave => {
                    self.put_back(target, number, true).await?;
                    return Ok(None);
                }
            }
        }
    }

    /// A reading that is not made after all costs nothing; `again` when another replica is to make it.
    async fn put_back(&self, target: String, number: u64, again: bool) -> Result<()> {
        let args = [target, number.to_string(), u8::from(again).to_string()];
        self.call("unread", &args).await.map(drop)
    }

    /// Takes in what a reading brought; when that fails, the reading counts as never made.
    pub(super) async fn end_read(&self, job: &ReadJob, end: &ReadEnd) -> Result<()> {
        let target = job.target;
        let read = self.change(target.0, |_, account, now| {
            let read = account.take(job, end, now);
            Some(Change::of(read).wanting(read.probe.then_some((target, Urgency::Used))))
        });
        let read = read.await?.done().unwrap_or_default();
        let name = name(target, self.view.lock().roster.classes());
        let flag = |flag: bool| u8::from(flag).to_string();
        self.call("done", &[name, flag(read.ok), flag(read.satisfied)]).await?;
        // A pause of no time is none.
        match end.pause_ms().filter(|pause| *pause > 0) {
            Some(pause) => self.call("pause", &[pause.to_string()]).await.map(drop),
            None => Ok(()),
        }
    }

    pub(super) async fn tell_read(&self, job: &ReadJob) -> Result<()> {
        let (id, class) = job.target;
        let told = self.change(id, |_, account, _| {
            account.window_mut(class).told(job.number);
            Some(Change::of(()))
        });
        told.await.map(drop)
    }

    /// Asks for readings of all windows of accounts. Returns how many had begun before.
    pub(super) async fn want_all(&self, ids: &[Uuid], urgency: Urgency) -> Result<u64> {
        let targets: Vec<Target> = {
            let view = self.view.lock();
            ids.iter().flat_map(|id| view.roster.targets(*id)).collect()
        };
        self.want(&targets, urgency).await
    }

    /// Asks for what is not known of accounts.
    pub(super) async fn want_unknown(&self, ids: &[Uuid]) -> Result<()> {
        let now = self.time();
        let unknown: Vec<Target> = {
            let view = self.view.lock();
            ids.iter().flat_map(|id| view.roster.unknown(*id, now)).collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        self.want(&unknown, Urgency::Idle).await.map(drop)
    }

    async fn want(&self, targets: &[Target], urgency: Urgency) -> Result<u64> {
        let mut before = None;
        // With nothing to ask for, there is still something to know.
        let chunks =
            targets.chunks(CHUNK).chain(std::iter::once([].as_slice()).filter(|_| targets.is_empty()));
        for chunk in chunks {
            let named = |target: &Target| name(*target, self.view.lock().roster.classes());
            let args: Vec<String> = chunk.iter().flat_map(|target| [named(target), rank(urgency)]).collect();
            let begun = self.call("want", &args).await?.1.number()?;
            before.get_or_insert(begun);
        }
        Ok(before.unwrap_or_default())
    }

    fn judge(&self, target: &str, urgency: usize, number: u64) -> Result<Taken> {
        let (id, class) = target.split_once('/').ok_or_else(|| strange("a target without a class"))?;
        let (id, now) = (uuid(id)?, self.time());
        let urgency = Urgency::ALL.get(urgency).ok_or_else(|| strange("an unknown urgency"))?;
        let mut view = self.view.lock();
        let class = view.roster.class(class, now);
        let Some(account) = view.roster.get(id) else { return Ok(Taken::Leave) };
        let job = ReadJob::of(account, view.roster.classes(), ((id, class), *urgency), number, now);
        Ok(job.map_or(Taken::Forget, Taken::Make))
    }
}

/// A target as the script knows it.
pub(super) fn name((id, class): Target, classes: &Classes) -> String {
    format!("{id}/{}", classes.name(class))
}

/// 0 is the most urgent.
pub(super) fn rank(urgency: Urgency) -> String {
    (urgency as u8).to_string()
}
