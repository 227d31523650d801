//! Changes of an account beyond leases coming and going.

use grok2api_proto::{Error, Kind, Result};
use uuid::Uuid;

use super::{State, reads, script::strange, view::Owed};
use crate::{
    account::Account,
    pool::{Target, Urgency},
    roster::Roster,
};

/// An account that others change all the time is given up after so many tries.
const TRIES: usize = 100;

/// What a change comes to.
pub(super) struct Change<R> {
    pub(super) result: R,
    /// Readings it asks for.
    pub(super) wants: Vec<(Target, Urgency)>,
    /// The request that penalises the account, if any.
    pub(super) request: Option<String>,
    /// Another account that must stay as it is for this change to be right, and its revision.
    pub(super) witness: Option<(Uuid, u64)>,
}

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed<R> {
    Done(R),
    /// The change itself found that it must not be made.
    Declined,
    /// The request has penalised enough accounts.
    Spared,
    /// There is no such account.
    Gone,
}

impl<R> Change<R> {
    pub(super) fn of(result: R) -> Self {
        Self { result, wants: Vec::new(), request: None, witness: None }
    }

    pub(super) fn wanting(self, wants: impl IntoIterator<Item = (Target, Urgency)>) -> Self {
        Self { wants: wants.into_iter().collect(), ..self }
    }
}

impl<R> Changed<R> {
    pub(super) fn done(self) -> Option<R> {
        match self {
            Self::Done(result) => Some(result),
            Self::Declined | Self::Spared | Self::Gone => None,
        }
    }
}

impl State {
    /// The one way to change an account: computed here, written if nobody was faster, else computed again. A change
    /// that gives nothing is declined.
    pub(super) async fn change<R>(
        &self,
        id: Uuid,
        change: impl Fn(&Roster, &mut Account, i64) -> Option<Change<R>> + Send + Sync,
    ) -> Result<Changed<R>> {
        for _ in 0..TRIES {
            let (result, args) = match self.attempt(id, &change)? {
                Attempt::Write(result, args) => (result, args),
                Attempt::Over(changed) => return Ok(changed),
            };
            let (sent, mut answer) = self.call("put", &args).await?;
            match answer.text()?.as_str() {
                "put" => {
                    let fields = answer.fields()?;
                    let mut view = self.view.lock();
                    view.adopt(id, &fields, sent, self.time())?;
                    view.roster.write(id);
                    return Ok(Changed::Done(result));
                }
                "changed" => {
                    let fields = answer.fields()?;
                    self.view.lock().adopt(id, &fields, sent, self.time())?;
                }
                "witness" => {
                    let (witness, fields) = (answer.id()?, answer.fields()?);
                    self.view.lock().adopt(witness, &fields, sent, self.time())?;
                }
                "spared" => return Ok(Changed::Spared),
                _ => {
                    // Lost, or removed elsewhere: then it is gone here as well after this.
                    self.view.lock().owed.insert(id, Owed::Load);
                    self.pay().await?;
                }
            }
            self.mend().await?;
        }
        let text = format!("account {id} is changed by others all the time");
        Err(Error::new(Kind::Unavailable, "storage_unavailable", text))
    }

    fn attempt<R>(
        &self,
        id: Uuid,
        change: impl Fn(&Roster, &mut Account, i64) -> Option<Change<R>>,
    ) -> Result<Attempt<R>> {
        let view = self.view.lock();
        let classes = view.roster.classes();
        let Some(before) = view.roster.get(id) else { return Ok(Attempt::Over(Changed::Gone)) };
        let mut after = before.clone();
        let Some(change) = change(&view.roster, &mut after, self.time()) else {
            return Ok(Attempt::Over(Changed::Declined));
        };
        let (old, new) = (before.fields(classes).map_err(strange)?, after.fields(classes).map_err(strange)?);
        let new: Vec<_> = new.into_iter().filter(|field| !old.contains(field)).collect();
        if new.is_empty() && change.wants.is_empty() {
            return Ok(Attempt::Over(Changed::Done(change.result)));
        }
        let witness = change.witness.map(|(id, revision)| (id.to_string(), revision.to_string()));
        let (witness, revision) = witness.unwrap_or_default();
        let mut args = vec![
            id.to_string(),
            before.stamp.version.to_string(),
            change.request.unwrap_or_default(),
            witness,
            revision,
            (new.len() * 2).to_string(),
        ];
        args.extend(new.into_iter().flat_map(|(field, value)| [field, value]));
        for (target, urgency) in change.wants {
            args.extend([reads::name(target, classes), reads::rank(urgency)]);
        }
        Ok(Attempt::Write(change.result, args))
    }

    /// See [`Hot::clear`](crate::hot::Hot::clear).
    pub(super) async fn clear(&self, id: Uuid) -> Result<bool> {
        let cleared = self.change(id, |roster, account, _| {
            let cleared = account.clear();
            let targets = roster.targets(id).into_iter().filter(|_| cleared);
            Some(Change::of(cleared).wanting(targets.map(|target| (target, Urgency::Used))))
        });
        Ok(cleared.await?.done().unwrap_or_default())
    }
}

enum Attempt<R> {
    Write(R, Vec<String>),
    Over(Changed<R>),
}
