//! Accounts as a whole: made in the shared state, dropped from it, and made again after a loss.

use grok2api_proto::Result;
use uuid::Uuid;

use super::{
    CHUNK, State, reads,
    script::strange,
    view::{Lost, Owed},
};
use crate::account::Account;

impl State {
    /// Tells the shared state what it has not been told yet.
    pub(super) async fn pay(&self) -> Result<()> {
        loop {
            let owed: Vec<(Uuid, Owed)> =
                self.view.lock().owed.iter().take(CHUNK).map(|(id, owed)| (*id, *owed)).collect();
            if owed.is_empty() {
                return Ok(());
            }
            let mut loads = Vec::new();
            for (id, what) in &owed {
                match what {
                    Owed::Load => loads.extend(self.view.lock().roster.get(*id).map(Account::orphaned)),
                    Owed::Drop(row) => self.drop_one(*id, *row).await?,
                }
            }
            // Most are there already when a process starts, and need not be sent.
            let missing = self.load(&loads, What::Look).await?;
            loads.retain(|account| missing.contains(&account.stored.id));
            let made = self.load(&loads, What::Make).await?;
            self.paid(owed);
            self.want_unknown(&made).await?;
        }
    }

    /// What has come to be owed meanwhile stays.
    fn paid(&self, owed: Vec<(Uuid, Owed)>) {
        let mut view = self.view.lock();
        for (id, what) in owed {
            if view.owed.get(&id) == Some(&what) {
                view.owed.remove(&id);
            }
        }
    }

    async fn drop_one(&self, id: Uuid, row: u64) -> Result<()> {
        let mut args = vec![id.to_string(), row.to_string()];
        {
            let view = self.view.lock();
            let classes = view.roster.classes();
            args.extend(classes.ids().map(|class| reads::name((id, class), classes)));
        }
        self.call("drop", &args).await.map(drop)
    }

    /// Brings accounts and the shared state together. Returns those that are missing, when only looked for, else
    /// those that were made.
    async fn load(&self, accounts: &[Account], what: What) -> Result<Vec<Uuid>> {
        let mut found = Vec::new();
        for chunk in accounts.chunks(CHUNK) {
            let mut args = vec![if what == What::Mend { "1" } else { "0" }.to_owned()];
            for account in chunk {
                let fields = match what {
                    What::Look => Vec::new(),
                    _ => account.fields(self.view.lock().roster.classes()).map_err(strange)?,
                };
                let (id, row) = (account.stored.id, account.stored.version);
                args.extend([id.to_string(), row.to_string(), (fields.len() * 2).to_string()]);
                args.extend(fields.into_iter().flat_map(|(field, value)| [field, value]));
            }
            let (sent, mut answer) = self.call("load", &args).await?;
            while answer.has_more() {
                let (id, state, fields) = (answer.id()?, answer.text()?, answer.fields()?);
                match state.as_str() {
                    "missing" | "made" => found.push(id),
                    // Removed elsewhere, and not heard of here yet.
                    "gone" => drop(self.view.lock().roster.remove(id, self.time())),
                    _ => {}
                }
                self.view.lock().adopt(id, &fields, sent, self.time())?;
            }
        }
        Ok(found)
    }

    /// Mends a loss, if there is one: what every replica knows of spent units is brought in, the lesser number
    /// holds, and the state is read anew.
    pub(super) async fn mend(&self) -> Result<()> {
        let _alone = self.mending.lock().await;
        let (lost, birth, orphans) = {
            let view = self.view.lock();
            let Some(lost) = view.lost else { return Ok(()) };
            (lost, view.birth.clone(), view.orphans())
        };
        let birth = match lost {
            Lost::Older => self.call("rebirth", &[birth]).await?.1.text()?,
            Lost::Reborn => self.call("changed", &["inf".to_owned(), "1".to_owned()]).await?.1.text()?,
        };
        let made = self.load(&orphans, What::Mend).await?;
        tracing::warn!(
            accounts.made = made.len(),
            "Redis had lost state of the pool: {} of {} accounts were made again, the others lowered to what is known \
             to be left",
            made.len(),
            orphans.len()
        );
        self.view.lock().reborn(birth);
        self.want_unknown(&made).await
    }
}

/// What is wanted of accounts in the shared state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// To know whether they are there, and how they are.
    Look,
    /// That they are there.
    Make,
    /// That they are there, and have no more left than is known here.
    Mend,
}
