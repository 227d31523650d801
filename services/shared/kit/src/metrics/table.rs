//! The table: every metric of the product. `docs/metrics.md` is made of it.
//!
//! Labels have few values: what clients can make up (model names nobody knows, paths, messages) is never one. Nothing is
//! counted per token: what a stream brought is added up when it ends.

use super::{About, Counter, Gauge, Histogram, Kind, Observed, UpDown};

macro_rules! metrics {
    ($($id:ident: $type:ident $kind:ident $name:literal, $unit:literal, [$($label:literal),*], $roles:literal, $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub static $id: $type = $type::new(About {
                name: $name, kind: Kind::$kind, unit: $unit, labels: &[$($label),*], roles: $roles, meaning: $meaning,
            });
        )*

        /// Every line.
        pub static TABLE: &[&About] = &[$(&$id.about),*];
    };
}

metrics! {
    HTTP_DURATION: Histogram Histogram "http.server.request.duration", "s", ["http.request.method", "http.route", "http.response.status_code"], "gateway",
        "From a request's head to the last byte of its answer.";
    HTTP_ACTIVE: UpDown Gauge "http.server.active_requests", "{request}", [], "gateway",
        "Requests whose answer has not ended.";
    HTTP_PLACES: Gauge Gauge "grok2api.http.places", "{request}", [], "gateway",
        "Most requests of clients at the same time (`http.max_in_flight`).";
    STREAMS_IN_FLIGHT: UpDown Gauge "grok2api.streams.in_flight", "{request}", ["role"], "gateway, chat",
        "Generations that are being served: requests of a gateway, turns of a chat.";
    REQUESTS: Counter Counter "grok2api.requests", "{request}", ["endpoint", "model", "outcome"], "gateway",
        "Generations that ended, as the usage ledger has them; `model` is `none` when nobody was asked.";
    REQUEST_DURATION: Histogram Histogram "gen_ai.server.request.duration", "s", ["gen_ai.request.model", "outcome"], "gateway",
        "From a generation's beginning to its end.";
    FIRST_OUTPUT: Histogram Histogram "gen_ai.server.time_to_first_token", "s", ["gen_ai.request.model"], "gateway",
        "From a generation's beginning to its first output.";
    TOKENS: Counter Counter "grok2api.tokens", "{token}", ["model", "type"], "gateway",
        "Tokens by estimate, of prompts (`input`) and answers (`output`).";
    OVERHEAD: Histogram Histogram "grok2api.overhead", "s", ["http.route"], "gateway",
        "What of the time to an answer's head was spent in the product and not with the upstream.";
    REFUSED: Counter Counter "grok2api.admissions.refused", "{request}", ["reason"], "gateway",
        "Requests refused at the door, by the error's code.";
    KEY_REQUESTS: Counter Counter "grok2api.key.requests", "{request}", ["key", "outcome"], "gateway",
        "Generations that ended, by the id of the client key (`none` without one).";
    KEY_TOKENS: Counter Counter "grok2api.key.tokens", "{token}", ["key", "type"], "gateway",
        "Tokens by estimate, by the id of the client key.";
    KEY_UNITS: Counter Counter "grok2api.key.units", "{unit}", ["key"], "gateway",
        "Quota units spent, by the id of the client key.";
    LEDGER_PENDING: Observed Gauge "grok2api.ledger.pending", "{entry}", [], "gateway",
        "Entries of the usage ledger that wait to be sent.";
    LEDGER_LOST: Counter Counter "grok2api.ledger.lost", "{entry}", [], "gateway",
        "Entries of the usage ledger that found no room, or were refused, and are lost.";
    TURN_DURATION: Histogram Histogram "gen_ai.client.operation.duration", "s", ["gen_ai.request.model", "error.type"], "chat",
        "From a turn's beginning to its end, over all its attempts; `error_type` is empty for a good end.";
    ATTEMPTS: Counter Counter "grok2api.attempts", "{attempt}", ["model", "outcome"], "chat",
        "Accounts asked for a turn, by what came of it.";
    UPSTREAM_DURATION: Histogram Histogram "grok2api.upstream.request.duration", "s", ["operation", "status"], "chat, token-pool, media-cache",
        "From a request to the upstream to the head of its answer; `status` is the HTTP status, or `timeout`, `connect`, `broken`, `given_up`.";
    POOL_ACCOUNTS: Observed Gauge "grok2api.pool.accounts", "{account}", ["tier", "state"], "token-pool",
        "Accounts by what an operator wants to know of them first.";
    POOL_REMAINING: Observed Gauge "grok2api.pool.units.remaining", "{unit}", ["class", "tier"], "token-pool",
        "Quota units left in the windows of accounts that can be used, as far as they are known.";
    POOL_LIMIT: Observed Gauge "grok2api.pool.units.limit", "{unit}", ["class", "tier"], "token-pool",
        "Quota units of the same windows when they are full.";
    POOL_ACTIVE: Observed Gauge "grok2api.pool.leases.active", "{lease}", [], "token-pool",
        "Leases that are held now, over the whole pool.";
    POOL_LEASES: Counter Counter "grok2api.pool.leases", "{lease}", ["result"], "token-pool",
        "Leases asked for: `granted`, or the code of the refusal.";
    POOL_SETTLES: Counter Counter "grok2api.pool.settles", "{lease}", ["outcome"], "token-pool",
        "Leases settled, by how the turn ended.";
    POOL_COOLDOWNS: Counter Counter "grok2api.pool.cooldowns", "{failure}", ["outcome"], "token-pool",
        "Settled failures of a kind that rests, closes or ends an account.";
    POOL_READINGS: Counter Counter "grok2api.pool.readings", "{reading}", ["result"], "token-pool",
        "Quotas read from the upstream: `taken`, `refused` or `failed`.";
    MEDIA_FETCHES: Counter Counter "grok2api.media.fetches", "{item}", ["kind", "result"], "media-cache",
        "Assets wanted: `hit`, `fetched` or `failed`.";
    MEDIA_READS: Counter Counter "grok2api.media.reads", "{item}", ["kind", "result"], "media-cache",
        "Media asked for by clients: `hit` or `missing`.";
    MEDIA_ITEMS: Gauge Gauge "grok2api.media.items", "{item}", ["kind"], "media-cache",
        "Media held.";
    MEDIA_BYTES: Gauge Gauge "grok2api.media.size", "By", ["kind"], "media-cache",
        "Bytes of the media held.";
    MEDIA_LIMIT: Gauge Gauge "grok2api.media.limit", "By", ["kind"], "media-cache",
        "Most bytes of media held.";
    MEDIA_EVICTIONS: Counter Counter "grok2api.media.evictions", "{item}", ["kind"], "media-cache",
        "Media that went to make room.";
    RPC_SERVER_DURATION: Histogram Histogram "rpc.server.call.duration", "s", ["rpc.method", "rpc.response.status_code"], "chat, token-pool, media-cache, config",
        "From a call of another role to the end of its answer.";
    RPC_CLIENT_DURATION: Histogram Histogram "rpc.client.call.duration", "s", ["rpc.method", "rpc.response.status_code"], "all",
        "From a call to another role to the end of its answer.";
    STORE_UP: Gauge Gauge "grok2api.store.up", "{store}", [], "token-pool, media-cache, config",
        "1 while the durable store answers, else 0.";
    STORE_FAILURES: Counter Counter "grok2api.store.failures", "{operation}", ["part"], "token-pool, media-cache, config",
        "Operations that failed because the store was away, by the part of the state.";
    CONFIG_REVISION: Observed Gauge "grok2api.config.revision", "{revision}", [], "all",
        "The revision of the parameters that this process works with.";
    READY: Observed Gauge "grok2api.ready", "{process}", [], "all",
        "1 while `/readyz` says so, else 0.";
    BUILD: Observed Gauge "grok2api.build.info", "{process}", ["version", "roles"], "all",
        "Always 1: which version runs, in which roles.";
    PROCESS_CPU: Observed Counter "process.cpu.time", "s", [], "all",
        "Processor time of user and system.";
    PROCESS_MEMORY: Observed Gauge "process.memory.usage", "By", [], "all",
        "Memory that is resident.";
    PROCESS_OPEN_FILES: Observed Gauge "process.open.files", "{file}", [], "all",
        "Open files and sockets.";
    PROCESS_TASKS: Observed Gauge "process.tasks", "{task}", [], "all",
        "Tasks of the asynchronous runtime that are alive.";
    PROCESS_START: Observed Gauge "process.start.time", "s", [], "all",
        "When the process began to serve, in seconds since 1970.";
}
