//! Readings: a queue that all replicas share; whoever takes one makes it.

use grok2api_proto::Result;
use uuid::Uuid;

use super::{Redis, lease::uuid, script::strange};
use crate::{
    classes::Classes,
    pool::{Target, Urgency},
    reading::{ReadEnd, ReadJob},
};

impl Redis {
    pub(super) async fn take_read(&self) -> Result<Option<ReadJob>> {
        let budget = self.view.lock().roster.limits().readings_per_minute.to_string();
        loop {
            let mut answer = self.call("take", std::slice::from_ref(&budget)).await?;
            if !answer.has_more() {
                return Ok(None);
            }
            let (target, urgency, number) = (answer.text()?, answer.number()?, answer.number()?);
            if let Some(job) = self.job(&target, urgency, number)? {
                return Ok(Some(job));
            }
            self.call("done", &[target, "1".to_owned(), "1".to_owned()]).await?;
        }
    }

    /// Takes in what a reading brought; when that fails, the reading counts as never made.
    pub(super) async fn end_read(&self, job: &ReadJob, end: &ReadEnd) -> Result<()> {
        let target = job.target;
        let read = self.change(target.0, None, |account, now| {
            let read = account.take(job, end, now);
            (read, read.probe.then_some((target, Urgency::Used)).into_iter().collect())
        });
        let read = read.await?.unwrap_or_default();
        let name = name(target, self.view.lock().roster.classes());
        let flag = |flag: bool| u8::from(flag).to_string();
        self.call("done", &[name, flag(read.ok), flag(read.satisfied)]).await.map(drop)
    }

    /// Asks for readings. Returns how many had begun before.
    pub(super) async fn want(&self, targets: &[Target], urgency: Urgency) -> Result<u64> {
        let named = |target: &Target| name(*target, self.view.lock().roster.classes());
        let args: Vec<String> = targets.iter().flat_map(|target| [named(target), rank(urgency)]).collect();
        let begun = self.call("want", &args).await?.number()?;
        u64::try_from(begun).map_err(strange)
    }

    /// Asks for what is not known of accounts.
    pub(super) async fn want_unknown(&self, ids: &[Uuid]) -> Result<()> {
        let now = self.time();
        let unknown: Vec<Target> = {
            let view = self.view.lock();
            ids.iter().flat_map(|id| view.roster.unknown(*id, now)).collect()
        };
        for chunk in unknown.chunks(super::CHUNK) {
            self.want(chunk, Urgency::Idle).await?;
        }
        Ok(())
    }

    pub(super) async fn drop_shared(&self, id: Uuid) -> Result<()> {
        let mut args = vec![id.to_string()];
        {
            let view = self.view.lock();
            let classes = view.roster.classes();
            args.extend(classes.ids().map(|class| name((id, class), classes)));
        }
        self.call("drop", &args).await.map(drop)
    }

    /// The reading of a target; none when its account is gone or out of use.
    fn job(&self, target: &str, urgency: i64, number: i64) -> Result<Option<ReadJob>> {
        let (id, class) = target.split_once('/').ok_or_else(|| strange("a target without a class"))?;
        let (id, now) = (uuid(id)?, self.time());
        let mut view = self.view.lock();
        let class = view.roster.class(class, now);
        let number = u64::try_from(number).map_err(strange)?;
        let due = ((id, class), Urgency::ALL[usize::try_from(urgency).map_err(strange)?.min(3)]);
        let roster = &view.roster;
        Ok(roster.get(id).and_then(|account| ReadJob::of(account, roster.classes(), due, number, now)))
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
