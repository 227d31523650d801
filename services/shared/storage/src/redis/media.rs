//! [`MediaIndex`] in Redis: for each kind a hash an item, sorted sets of names by use, by creation and by name, names by source,
//! and a counter of bytes.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::Script;

use super::{BATCH, Redis, text};
use crate::{
    Error, Result,
    media::{Item, Kind, MediaIndex, Usage, Use},
};

static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/media_put.lua")));
static TOUCH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/media_touch.lua")));
static REMOVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/media_remove.lua")));
const FIELDS: [&str; 7] = ["source", "size", "used", "type", "etag", "created", "owner"];

/// An item's fields, in the order of [`FIELDS`]; all absent when there is none. Items of before there were owners lack theirs.
type Fields =
    (Option<String>, Option<u64>, Option<i64>, Option<String>, Option<String>, Option<i64>, Option<String>);

struct RedisMedia {
    redis: Redis,
}

/// The keys of one kind.
struct Keys {
    item: String,
    names: String,
    used: String,
    sources: String,
    bytes: String,
    created: String,
}

impl Redis {
    /// The index of the media cache.
    pub fn media(&self) -> Arc<dyn MediaIndex> {
        Arc::new(RedisMedia { redis: self.clone() })
    }
}

impl Keys {
    fn of(kind: Kind) -> Self {
        let key = |name: &str| format!("{}{name}", prefix(kind));
        Self {
            item: key("item:"),
            names: key("names"),
            used: key("used"),
            sources: key("sources"),
            bytes: key("bytes"),
            created: key("created"),
        }
    }

    /// As the scripts take them.
    fn all(&self) -> [&str; 5] {
        [&self.names, &self.used, &self.sources, &self.bytes, &self.created]
    }
}

#[async_trait]
impl MediaIndex for RedisMedia {
    async fn put(&self, item: &Item) -> Result<()> {
        let keys = Keys::of(item.kind);
        let mut arguments = vec![text(&keys.item), text(&item.name), text(&item.source)];
        arguments.extend([text(item.size), text(item.last_used_at), text(item.created_at)]);
        arguments.extend([text("type"), text(&item.content_type), text("etag"), text(&item.etag)]);
        arguments.extend([text("owner"), text(&item.owner)]);
        self.redis.run(&PUT, &keys.all(), &arguments).await
    }

    async fn get(&self, kind: Kind, name: &str) -> Result<Option<Item>> {
        Ok(self.read(kind, vec![name.to_owned()]).await?.pop())
    }

    async fn find(&self, kind: Kind, source: &str) -> Result<Option<Item>> {
        let (name,): (Option<String>,) =
            self.redis.ask(redis::pipe().hget(Keys::of(kind).sources, source)).await?;
        let found = self.read(kind, name.into_iter().collect()).await?.pop();
        // It may have been replaced between the two.
        Ok(found.filter(|item| item.source == source))
    }

    async fn touch(&self, uses: &[Use]) -> Result<()> {
        if uses.is_empty() {
            return Ok(());
        }
        let uses =
            uses.iter().flat_map(|Use { kind, name, at }| [prefix(*kind).into_bytes(), text(name), text(at)]);
        self.redis.run(&TOUCH, &[], &uses.collect::<Vec<_>>()).await
    }

    async fn usage(&self, kind: Kind) -> Result<Usage> {
        let keys = Keys::of(kind);
        let (items, bytes): (u64, Option<u64>) =
            self.redis.ask(redis::pipe().zcard(keys.names).get(keys.bytes)).await?;
        Ok(Usage { items, bytes: bytes.unwrap_or_default() })
    }

    async fn least_recently_used(&self, kind: Kind, limit: u32) -> Result<Vec<Item>> {
        let last = isize::try_from(limit).unwrap_or(isize::MAX) - 1;
        if last < 0 {
            return Ok(Vec::new());
        }
        let (names,): (Vec<String>,) =
            self.redis.ask(redis::pipe().zrange(Keys::of(kind).used, 0, last)).await?;
        self.read(kind, names).await
    }

    async fn page(&self, kind: Kind, after: &str, limit: u32) -> Result<Vec<Item>> {
        let from = if after.is_empty() { "-".to_owned() } else { format!("({after}") };
        let mut names = redis::cmd("ZRANGEBYLEX");
        names.arg(Keys::of(kind).names).arg(from).arg("+").arg("LIMIT").arg(0).arg(limit);
        let (names,): (Vec<String>,) = self.redis.ask(redis::pipe().add_command(names)).await?;
        self.read(kind, names).await
    }

    async fn newest(&self, kind: Kind, before: Option<(i64, &str)>, limit: u32) -> Result<Vec<Item>> {
        let keys = Keys::of(kind);
        let (known, placed): (u64, u64) =
            self.redis.ask(redis::pipe().zcard(&keys.names).zcard(&keys.created)).await?;
        if known != placed {
            self.place(kind).await?;
        }
        let names = self.newest_names(&keys.created, before, limit as usize).await?;
        self.read(kind, names).await
    }

    async fn remove(&self, kind: Kind, name: &str) -> Result<bool> {
        let keys = Keys::of(kind);
        let arguments = [text(&keys.item), text(1), text(name)];
        self.redis.run(&REMOVE, &keys.all(), &arguments).await
    }

    async fn clear(&self, kind: Kind) -> Result<u64> {
        let (keys, mut all) = (Keys::of(kind), 0);
        loop {
            let some: u64 = self.redis.run(&REMOVE, &keys.all(), &[text(&keys.item), text(BATCH)]).await?;
            all += some;
            if some == 0 {
                return Ok(all);
            }
        }
    }
}

impl RedisMedia {
    /// Gives every item its place by creation: those of before there was such an order have none.
    async fn place(&self, kind: Kind) -> Result<()> {
        let mut after = String::new();
        loop {
            let items = self.page(kind, &after, BATCH as u32).await?;
            let Some(last) = items.last() else { return Ok(()) };
            after.clone_from(&last.name);
            let mut add = redis::pipe();
            for item in &items {
                add.zadd(Keys::of(kind).created, &item.name, item.created_at).ignore();
            }
            self.redis.ask::<()>(&add).await?;
        }
    }

    async fn newest_names(
        &self,
        created: &str,
        before: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let from = before.map_or_else(|| "+inf".to_owned(), |(at, _)| at.to_string());
        let (mut names, mut offset) = (Vec::with_capacity(limit), 0);
        while names.len() < limit {
            let mut ask = redis::cmd("ZREVRANGEBYSCORE");
            ask.arg(created).arg(&from).arg("-inf").arg("WITHSCORES");
            ask.arg("LIMIT").arg(offset).arg(limit.max(1));
            let (some,): (Vec<(String, i64)>,) = self.redis.ask(redis::pipe().add_command(ask)).await?;
            offset += some.len();
            let last = some.len() < limit.max(1);
            let follows = |(name, at): &(String, i64)| {
                before.is_none_or(|(then, than)| (*at, name.as_str()) < (then, than))
            };
            names.extend(some.into_iter().filter(follows).map(|(name, _)| name));
            if last {
                break;
            }
        }
        names.truncate(limit);
        Ok(names)
    }

    /// The items of those names, in order; without the ones that are gone.
    async fn read(&self, kind: Kind, names: Vec<String>) -> Result<Vec<Item>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let prefix = Keys::of(kind).item;
        let mut read = redis::pipe();
        for name in &names {
            read.cmd("HMGET").arg(format!("{prefix}{name}")).arg(&FIELDS);
        }
        let rows: Vec<Fields> = self.redis.ask(&read).await?;
        let rows = names
            .into_iter()
            .zip(rows)
            .filter(|(_, row)| !matches!(row, (None, None, None, None, None, None, _)));
        rows.map(|(name, row)| item(kind, name, row)).collect()
    }
}

/// The beginning of a kind's keys.
fn prefix(kind: Kind) -> String {
    let kind = match kind {
        Kind::Image => "image",
        Kind::Video => "video",
    };
    format!("{{g2a}}:media:{kind}:")
}

fn item(kind: Kind, name: String, row: Fields) -> Result<Item> {
    let (
        Some(source),
        Some(size),
        Some(last_used_at),
        Some(content_type),
        Some(etag),
        Some(created_at),
        owner,
    ) = row
    else {
        return Err(Error::ImpossibleRow { table: "media", id: name, reason: "a field is missing".into() });
    };
    let owner = owner.unwrap_or_default();
    Ok(Item { kind, name, source, content_type, size, etag, created_at, last_used_at, owner })
}
