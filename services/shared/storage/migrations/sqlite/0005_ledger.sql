-- The usage ledger: one row for each request, by an id that is its time, and the sums that dashboards read.
CREATE TABLE ledger (
    -- UUIDv7: the time of the start stands in its first six bytes.
    id                BLOB    NOT NULL PRIMARY KEY,
    request_id        TEXT    NOT NULL,
    -- Numbers of ledger_names; the account is that of the last attempt.
    model             INTEGER NOT NULL,
    client_key        INTEGER NOT NULL,
    account           INTEGER NOT NULL,
    endpoint          INTEGER NOT NULL,
    attempts          TEXT    NOT NULL, -- JSON
    first_output_ms   INTEGER,
    duration_ms       INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    reasoning_tokens  INTEGER NOT NULL,
    tokens_estimated  BOOLEAN NOT NULL,
    units             INTEGER NOT NULL,
    images            INTEGER NOT NULL,
    videos            INTEGER NOT NULL,
    outcome           INTEGER NOT NULL,
    http_status       INTEGER NOT NULL,
    streamed          BOOLEAN NOT NULL,
    error_code        TEXT    NOT NULL,
    error_message     TEXT    NOT NULL
) WITHOUT ROWID;

-- Each holds what the others filter by, so that rows that do not match are passed over in the index.
CREATE INDEX ledger_model ON ledger (model, id, account, client_key, outcome);
CREATE INDEX ledger_client_key ON ledger (client_key, id, account, model, outcome);
CREATE INDEX ledger_account ON ledger (account, id, client_key, model, outcome);
CREATE INDEX ledger_outcome ON ledger (outcome, id, account, client_key, model);

-- Models, keys, accounts and endpoints by number.
CREATE TABLE ledger_names (
    id   INTEGER PRIMARY KEY,
    -- 1 model, 2 key, 3 account, 4 endpoint.
    kind INTEGER NOT NULL,
    name TEXT    NOT NULL,
    UNIQUE (kind, name)
);

-- How many rows there are; counting them would take seconds.
CREATE TABLE ledger_state (
    single INTEGER NOT NULL PRIMARY KEY CHECK (single = 1),
    kept   INTEGER NOT NULL
);
INSERT INTO ledger_state (single, kept) VALUES (1, 0);

-- What the requests of a minute, hour or day add up to.
CREATE TABLE ledger_sums (
    -- 0 everything, 1 by model, 2 by key, 3 by account.
    dimension         INTEGER NOT NULL,
    -- 1 minute, 2 hour, 3 day.
    grain             INTEGER NOT NULL,
    -- Number of the name; 0 for everything.
    value             INTEGER NOT NULL,
    -- Epoch milliseconds.
    start             INTEGER NOT NULL,
    requests          INTEGER NOT NULL,
    succeeded         INTEGER NOT NULL,
    cancelled         INTEGER NOT NULL,
    invalid           INTEGER NOT NULL,
    refused           INTEGER NOT NULL,
    limited           INTEGER NOT NULL,
    unavailable       INTEGER NOT NULL,
    upstream          INTEGER NOT NULL,
    timed_out         INTEGER NOT NULL,
    internal          INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    reasoning_tokens  INTEGER NOT NULL,
    units             INTEGER NOT NULL,
    images            INTEGER NOT NULL,
    videos            INTEGER NOT NULL,
    output_ms         INTEGER NOT NULL,
    first_output_ms   INTEGER NOT NULL,
    duration_ms       INTEGER NOT NULL,
    lost              INTEGER NOT NULL,
    -- How many times to the first output, and to the end, fell into each slot: 100 ms * 1.6^i at the most.
    f0 INTEGER NOT NULL, f1 INTEGER NOT NULL, f2 INTEGER NOT NULL, f3 INTEGER NOT NULL, f4 INTEGER NOT NULL,
    f5 INTEGER NOT NULL, f6 INTEGER NOT NULL, f7 INTEGER NOT NULL, f8 INTEGER NOT NULL, f9 INTEGER NOT NULL,
    f10 INTEGER NOT NULL, f11 INTEGER NOT NULL, f12 INTEGER NOT NULL, f13 INTEGER NOT NULL, f14 INTEGER NOT NULL,
    f15 INTEGER NOT NULL, f16 INTEGER NOT NULL, f17 INTEGER NOT NULL, f18 INTEGER NOT NULL, f19 INTEGER NOT NULL,
    d0 INTEGER NOT NULL, d1 INTEGER NOT NULL, d2 INTEGER NOT NULL, d3 INTEGER NOT NULL, d4 INTEGER NOT NULL,
    d5 INTEGER NOT NULL, d6 INTEGER NOT NULL, d7 INTEGER NOT NULL, d8 INTEGER NOT NULL, d9 INTEGER NOT NULL,
    d10 INTEGER NOT NULL, d11 INTEGER NOT NULL, d12 INTEGER NOT NULL, d13 INTEGER NOT NULL, d14 INTEGER NOT NULL,
    d15 INTEGER NOT NULL, d16 INTEGER NOT NULL, d17 INTEGER NOT NULL, d18 INTEGER NOT NULL, d19 INTEGER NOT NULL,
    PRIMARY KEY (dimension, grain, value, start)
) WITHOUT ROWID;

-- Which names have most requests in a time, from the index alone.
CREATE INDEX ledger_sums_rank ON ledger_sums (dimension, grain, start, value, requests);
