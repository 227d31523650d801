//! Quota classes: the windows an account may have, by the names requests use.

use grok2api_storage::accounts::Tier;

/// Position of a class; cheap to copy and to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClassId(usize);

/// Which of the upstream's counters a class is measured by. Source: `grok-web-protocol.md` section 4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    /// `remainingTokens`, else `remainingQueries`: query credits shared by all ordinary models.
    Tokens,
    /// `remainingQueries` only.
    Queries,
}

/// Every class met so far.
#[derive(Clone, Debug)]
pub(crate) struct Classes(Vec<Class>);

#[derive(Clone, Debug)]
struct Class {
    name: String,
    rate_limit_name: String,
    /// Accounts of a lower tier are not asked about it of our own accord.
    tier: Tier,
}

/// Known before any request: name, what the upstream's rate-limit endpoint calls it, and the cheapest tier.
const KNOWN: [(&str, &str, Tier); 2] =
    [("normal", "grok-4-mini-thinking-tahoe", Tier::Basic), ("heavy", "grok-4-heavy", Tier::Super)];

impl Default for Classes {
    fn default() -> Self {
        let known = KNOWN.map(|(name, rate_limit_name, tier)| Class {
            name: name.to_owned(),
            rate_limit_name: rate_limit_name.to_owned(),
            tier,
        });
        Self(known.to_vec())
    }
}

impl Classes {
    /// The class of a name, made when it is new.
    pub(crate) fn intern(&mut self, name: &str) -> ClassId {
        let known = self.0.iter().position(|class| class.name == name);
        known.map(ClassId).unwrap_or_else(|| {
            self.0.push(Class { name: name.to_owned(), rate_limit_name: name.to_owned(), tier: Tier::Heavy });
            ClassId(self.0.len() - 1)
        })
    }

    /// The class of a name; of an unknown one, a class that no account has a window of.
    pub(crate) fn find(&self, name: &str) -> ClassId {
        ClassId(self.0.iter().position(|class| class.name == name).unwrap_or(self.0.len()))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn name(&self, class: ClassId) -> &str {
        &self.0[class.0].name
    }

    /// What to ask the upstream for when no lease has named it yet.
    pub(crate) fn rate_limit_name(&self, class: ClassId) -> &str {
        &self.0[class.0].rate_limit_name
    }

    pub(crate) fn counter(&self, class: ClassId) -> Counter {
        if self.name(class) == "heavy" { Counter::Queries } else { Counter::Tokens }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = ClassId> + use<> {
        (0..self.0.len()).map(ClassId)
    }

    /// The classes an account of this tier is asked about before it is used.
    pub(crate) fn of_tier(&self, tier: Tier) -> impl Iterator<Item = ClassId> + use<'_> {
        self.ids().filter(move |class| self.0[class.0].tier <= tier && self.is_known(*class))
    }

    /// Whether it was known before any request named it.
    pub(crate) fn is_known(&self, class: ClassId) -> bool {
        class.0 < KNOWN.len()
    }
}

impl ClassId {
    pub(crate) const fn new(index: usize) -> Self {
        Self(index)
    }

    pub(crate) fn index(self) -> usize {
        self.0
    }
}
