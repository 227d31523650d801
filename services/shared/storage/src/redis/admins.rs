//! [`Admins`] in Redis: documents with their own names.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Redis,
    documents::{Document, Documents, Keys},
};
use crate::{
    Error, Result,
    admins::{Admin, Admins, Role, impossible},
};

const KEYS: Keys = Keys {
    document: "{g2a}:admin:",
    names: "{g2a}:admins:names",
    changed: "{g2a}:admins:changed",
    version: "{g2a}:admins:version",
};

/// What no script looks at.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rest {
    role: Role,
    password_hash: String,
    last_login_at: Option<i64>,
    disabled: bool,
    /// Rows from before there was a console lack it.
    #[serde(default)]
    must_change: bool,
}

struct RedisAdmins(Documents);

impl Redis {
    /// Those who may use the console.
    pub fn admins(&self) -> Arc<dyn Admins> {
        Arc::new(RedisAdmins(Documents { redis: self.clone(), keys: KEYS, impossible }))
    }
}

#[async_trait]
impl Admins for RedisAdmins {
    async fn list(&self) -> Result<Vec<Admin>> {
        let (_, documents) = self.0.changed_since(0).await?;
        let mut admins = documents.into_iter().map(open).collect::<Result<Vec<_>>>()?;
        admins.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(admins)
    }

    async fn get(&self, id: Uuid) -> Result<Option<Admin>> {
        self.0.get(&id.to_string()).await?.map(open).transpose()
    }

    async fn find(&self, name: &str) -> Result<Option<Admin>> {
        self.0.find(name.as_bytes()).await?.map(open).transpose()
    }

    async fn insert(&self, admin: &Admin) -> Result<()> {
        if self.0.insert(document(admin)?, None).await? { Ok(()) } else { Err(taken(admin)) }
    }

    async fn update(&self, admin: &Admin) -> Result<u64> {
        if admin.rules() {
            return self.0.update(document(admin)?, None).await?.ok_or_else(|| taken(admin));
        }
        // Two owners must not step down for each other's sake: whoever is second looks again.
        loop {
            let (newest, documents) = self.0.changed_since(0).await?;
            let admins = documents.into_iter().map(open).collect::<Result<Vec<_>>>()?;
            let mut owners = admins.iter().filter(|admin| admin.rules()).map(|admin| admin.id);
            if owners.next() == Some(admin.id) && owners.next().is_none() {
                return Err(Error::LastOwner { name: admin.name.clone() });
            }
            if let Ok(written) = self.0.update_while(document(admin)?, newest).await? {
                return written.ok_or_else(|| taken(admin));
            }
        }
    }
}

fn taken(admin: &Admin) -> Error {
    Error::Taken { what: format!("the name {:?}", admin.name) }
}

fn document(admin: &Admin) -> Result<Document> {
    let rest = Rest {
        role: admin.role,
        password_hash: admin.password_hash.clone(),
        last_login_at: admin.last_login_at,
        disabled: admin.disabled,
        must_change: admin.must_change,
    };
    Ok(Document {
        id: admin.id,
        name: admin.name.clone().into_bytes(),
        created_at: admin.created_at,
        used_at: None,
        version: admin.version,
        rest: serde_json::to_vec(&rest).map_err(|error| impossible(admin.id, error))?,
    })
}

fn open(document: Document) -> Result<Admin> {
    let id = document.id;
    let rest: Rest = serde_json::from_slice(&document.rest).map_err(|error| impossible(id, error))?;
    Ok(Admin {
        id,
        name: String::from_utf8(document.name).map_err(|_| impossible(id, "its name is no text"))?,
        role: rest.role,
        password_hash: rest.password_hash,
        created_at: document.created_at,
        last_login_at: rest.last_login_at,
        disabled: rest.disabled,
        must_change: rest.must_change,
        version: document.version,
    })
}
