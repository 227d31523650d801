-- Every statement can be run again: MySQL ends the transaction at each of them, so a start that was cut off leaves some.

-- Accounts of the upstream. Times are epoch milliseconds.
CREATE TABLE IF NOT EXISTS accounts (
    id           BINARY(16)  NOT NULL PRIMARY KEY, -- UUIDv7
    token_hash   BINARY(32)  NOT NULL,             -- SHA-256 of the token
    sealed_token BLOB        NOT NULL,             -- sealed for `id`
    tier         VARCHAR(16) NOT NULL,             -- basic, super, heavy
    status       VARCHAR(16) NOT NULL,             -- active, cooling, invalid, banned
    status_at    BIGINT      NOT NULL,             -- cooling: until; invalid and banned: since; active: 0
    status_cause TEXT        NOT NULL,
    enabled      BOOLEAN     NOT NULL,
    note         MEDIUMTEXT  NOT NULL,
    user_id      TEXT,
    windows      MEDIUMTEXT  NOT NULL,             -- JSON: class to window
    created_at   BIGINT      NOT NULL,
    last_used_at BIGINT,
    deleted_at   BIGINT,
    version      BIGINT      NOT NULL,             -- counts the writes of this row
    changed      BIGINT      NOT NULL,             -- accounts_version.value at the last of them
    tags         MEDIUMTEXT  NOT NULL,             -- JSON: texts, sorted
    priority     INT         NOT NULL,             -- higher first within a tier
    failures     MEDIUMTEXT  NOT NULL,             -- JSON: newest last
    UNIQUE KEY accounts_token (token_hash),
    KEY accounts_changed (changed),
    KEY accounts_deleted (deleted_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Counts the writes to all accounts, so that another process notices them cheaply. Its row is locked by every writer.
CREATE TABLE IF NOT EXISTS accounts_version (
    single TINYINT NOT NULL PRIMARY KEY CHECK (single = 1),
    value  BIGINT  NOT NULL
) ENGINE = InnoDB;
INSERT IGNORE INTO accounts_version (single, value) VALUES (1, 0);

-- A known text under the sealing key: opens with the right key only.
CREATE TABLE IF NOT EXISTS seal_check (
    single TINYINT NOT NULL PRIMARY KEY CHECK (single = 1),
    sealed BLOB    NOT NULL
) ENGINE = InnoDB;
