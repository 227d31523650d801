//! Which services a process runs.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// One deployable part of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Runtime configuration.
    Config,
    /// The accounts.
    TokenPool,
    /// Generated media.
    MediaCache,
    /// Conversation turns.
    Chat,
    /// The public HTTP side.
    Gateway,
}

/// A set of roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Role {
    const ALL: [(Role, &'static str); 5] = [
        (Role::Config, "config"),
        (Role::TokenPool, "token-pool"),
        (Role::MediaCache, "media-cache"),
        (Role::Chat, "chat"),
        (Role::Gateway, "gateway"),
    ];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Role::ALL.iter().find(|(role, _)| role == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl Roles {
    /// Everything in one process.
    pub fn all() -> Self {
        Self(Role::ALL.into_iter().map(|(role, _)| role).collect())
    }

    /// Names of the roles.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Whether the role runs here.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Whether some role runs elsewhere.
    pub fn split(&self) -> bool {
        self.0.len() < Role::ALL.len()
    }

    /// Whether a role here keeps state in the data directory.
    pub fn need_storage(&self) -> bool {
        [Role::Config, Role::TokenPool, Role::MediaCache].into_iter().any(|role| self.has(role))
    }
}

impl fmt::Display for Roles {
    /// As `--run` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&if self.split() { self.names().join(",") } else { "all".to_owned() })
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::all());
        }
        let one = |name: &str| {
            let known = Role::ALL.iter().find(|(_, known)| *known == name.trim());
            known.map(|(role, _)| *role).ok_or_else(|| {
                format!(
                    "unknown role {name:?}; roles are all, gateway, chat, token-pool, media-cache, config"
                )
            })
        };
        text.split(',').map(one).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_from_a_list_and_mistakes_are_named() {
        let roles: Roles = "chat,token-pool".parse().unwrap();
        assert!(roles.has(Role::Chat) && roles.has(Role::TokenPool) && !roles.has(Role::Gateway));
        assert!(roles.split() && roles.need_storage());
        assert!(!"all".parse::<Roles>().unwrap().split());
        assert!("chat,cache".parse::<Roles>().unwrap_err().contains("\"cache\""));
    }
}
