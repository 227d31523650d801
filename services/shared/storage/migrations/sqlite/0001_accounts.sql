-- Accounts of the upstream. Times are epoch milliseconds.
CREATE TABLE accounts (
    id           BLOB    PRIMARY KEY NOT NULL, -- UUIDv7
    token_hash   BLOB    NOT NULL UNIQUE,      -- SHA-256 of the token
    sealed_token BLOB    NOT NULL,             -- sealed for `id`
    tier         TEXT    NOT NULL,             -- basic, super, heavy
    status       TEXT    NOT NULL,             -- active, cooling, invalid, banned
    status_at    INTEGER NOT NULL,             -- cooling: until; invalid and banned: since; active: 0
    status_cause TEXT    NOT NULL,
    enabled      INTEGER NOT NULL,
    note         TEXT    NOT NULL,
    user_id      TEXT,
    windows      TEXT    NOT NULL,             -- JSON: class to window
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    deleted_at   INTEGER,
    version      INTEGER NOT NULL,             -- counts the writes of this row
    changed      INTEGER NOT NULL              -- accounts_version.value at the last of them
) STRICT;
CREATE INDEX accounts_changed ON accounts (changed);

-- Counts the writes to all accounts, so that another process notices them cheaply.
CREATE TABLE accounts_version (
    single INTEGER PRIMARY KEY NOT NULL CHECK (single = 1),
    value  INTEGER NOT NULL
) STRICT;
INSERT INTO accounts_version (single, value) VALUES (1, 0);

-- A known text under the sealing key: opens with the right key only.
CREATE TABLE seal_check (
    single INTEGER PRIMARY KEY NOT NULL CHECK (single = 1),
    sealed BLOB    NOT NULL
) STRICT;
