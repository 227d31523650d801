//! The index of the media cache: what is held, how large it is, when it was last used.

use crate::Result;

/// What is cached apart from each other, with limits of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A picture.
    Image,
    /// A film.
    Video,
}

/// One cached item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// With the name, the item's identity.
    pub kind: Kind,
    /// File name, unique within its kind.
    pub name: String,
    /// Digest of the asset it was fetched from, unique within its kind.
    pub source: String,
    /// Media type, from the content.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// Strong validator, with its quotes.
    pub etag: String,
    /// Epoch milliseconds.
    pub created_at: i64,
    /// Epoch milliseconds.
    pub last_used_at: i64,
    /// For whom it was fetched: `key:` and an id, `admin:` and a name; empty when that is not known.
    pub owner: String,
}

/// One use of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The item's kind.
    pub kind: Kind,
    /// The item's name.
    pub name: String,
    /// Epoch milliseconds.
    pub at: i64,
}

/// How much of a kind is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Number of items.
    pub items: u64,
    /// Sum of their sizes.
    pub bytes: u64,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 2] = [Kind::Image, Kind::Video];

    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
        }
    }
}

/// Keeps the index. Every call fails only when the store does, or on an impossible row.
#[async_trait::async_trait]
pub trait MediaIndex: Send + Sync + 'static {
    /// Adds an item; one of the same kind with the same name or the same source is replaced.
    async fn put(&self, item: &Item) -> Result<()>;

    /// The item of that name.
    async fn get(&self, kind: Kind, name: &str) -> Result<Option<Item>>;

    /// The item fetched from that source.
    async fn find(&self, kind: Kind, source: &str) -> Result<Option<Item>>;

    /// Notes uses, in one transaction; a use older than the noted one and a use of an unknown item change nothing.
    async fn touch(&self, uses: &[Use]) -> Result<()>;

    /// Items and bytes of a kind.
    async fn usage(&self, kind: Kind) -> Result<Usage>;

    /// At most `limit` items, the one longest unused first; ties by name.
    async fn least_recently_used(&self, kind: Kind, limit: u32) -> Result<Vec<Item>>;

    /// At most `limit` items whose names follow `after` (the empty text: all), by name.
    async fn page(&self, kind: Kind, after: &str, limit: u32) -> Result<Vec<Item>>;

    /// At most `limit` items made before that time, or at it under a lesser name (absent: all); the newest first.
    async fn newest(&self, kind: Kind, before: Option<(i64, &str)>, limit: u32) -> Result<Vec<Item>>;

    /// Forgets an item; whether it was known.
    async fn remove(&self, kind: Kind, name: &str) -> Result<bool>;

    /// Forgets all items of a kind; how many there were.
    async fn clear(&self, kind: Kind) -> Result<u64>;
}
