-- The usage ledger: one row for each request, by an id that is its time, and the sums that dashboards read.
CREATE TABLE IF NOT EXISTS ledger (
    -- UUIDv7: the time of the start stands in its first six bytes.
    id                BINARY(16)   NOT NULL PRIMARY KEY,
    request_id        VARCHAR(128) NOT NULL,
    -- Numbers of ledger_names; the account is that of the last attempt.
    model             INT          NOT NULL,
    client_key        INT          NOT NULL,
    account           INT          NOT NULL,
    endpoint          INT          NOT NULL,
    attempts          TEXT         NOT NULL, -- JSON
    first_output_ms   BIGINT,
    duration_ms       BIGINT       NOT NULL,
    prompt_tokens     BIGINT       NOT NULL,
    completion_tokens BIGINT       NOT NULL,
    reasoning_tokens  BIGINT       NOT NULL,
    tokens_estimated  BOOLEAN      NOT NULL,
    units             BIGINT       NOT NULL,
    images            BIGINT       NOT NULL,
    videos            BIGINT       NOT NULL,
    outcome           TINYINT      NOT NULL,
    http_status       SMALLINT     NOT NULL,
    streamed          BOOLEAN      NOT NULL,
    error_code        VARCHAR(128) NOT NULL,
    error_message     TEXT         NOT NULL,
    -- Each holds what the others filter by, so that rows that do not match are passed over in the index.
    KEY ledger_model (model, id, account, client_key, outcome),
    KEY ledger_client_key (client_key, id, account, model, outcome),
    KEY ledger_account (account, id, client_key, model, outcome),
    KEY ledger_outcome (outcome, id, account, client_key, model)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Models, keys, accounts and endpoints by number; compared byte by byte.
CREATE TABLE IF NOT EXISTS ledger_names (
    id   INT            NOT NULL AUTO_INCREMENT PRIMARY KEY,
    -- 1 model, 2 key, 3 account, 4 endpoint.
    kind TINYINT        NOT NULL,
    name VARBINARY(255) NOT NULL,
    UNIQUE KEY ledger_names_name (kind, name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- How many rows there are; counting them would take seconds.
CREATE TABLE IF NOT EXISTS ledger_state (
    single TINYINT NOT NULL PRIMARY KEY CHECK (single = 1),
    kept   BIGINT  NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
INSERT IGNORE INTO ledger_state (single, kept) VALUES (1, 0);

-- What the requests of a minute, hour or day add up to.
CREATE TABLE IF NOT EXISTS ledger_sums (
    -- 0 everything, 1 by model, 2 by key, 3 by account.
    dimension         TINYINT NOT NULL,
    -- 1 minute, 2 hour, 3 day.
    grain             TINYINT NOT NULL,
    -- Number of the name; 0 for everything.
    value             INT     NOT NULL,
    -- Epoch milliseconds.
    start             BIGINT  NOT NULL,
    requests          BIGINT  NOT NULL,
    succeeded         BIGINT  NOT NULL,
    cancelled         BIGINT  NOT NULL,
    invalid           BIGINT  NOT NULL,
    refused           BIGINT  NOT NULL,
    limited           BIGINT  NOT NULL,
    unavailable       BIGINT  NOT NULL,
    upstream          BIGINT  NOT NULL,
    timed_out         BIGINT  NOT NULL,
    internal          BIGINT  NOT NULL,
    prompt_tokens     BIGINT  NOT NULL,
    completion_tokens BIGINT  NOT NULL,
    reasoning_tokens  BIGINT  NOT NULL,
    units             BIGINT  NOT NULL,
    images            BIGINT  NOT NULL,
    videos            BIGINT  NOT NULL,
    output_ms         BIGINT  NOT NULL,
    first_output_ms   BIGINT  NOT NULL,
    duration_ms       BIGINT  NOT NULL,
    lost              BIGINT  NOT NULL,
    -- How many times to the first output, and to the end, fell into each slot: 100 ms * 1.6^i at the most.
    f0 INT NOT NULL, f1 INT NOT NULL, f2 INT NOT NULL, f3 INT NOT NULL, f4 INT NOT NULL,
    f5 INT NOT NULL, f6 INT NOT NULL, f7 INT NOT NULL, f8 INT NOT NULL, f9 INT NOT NULL,
    f10 INT NOT NULL, f11 INT NOT NULL, f12 INT NOT NULL, f13 INT NOT NULL, f14 INT NOT NULL,
    f15 INT NOT NULL, f16 INT NOT NULL, f17 INT NOT NULL, f18 INT NOT NULL, f19 INT NOT NULL,
    d0 INT NOT NULL, d1 INT NOT NULL, d2 INT NOT NULL, d3 INT NOT NULL, d4 INT NOT NULL,
    d5 INT NOT NULL, d6 INT NOT NULL, d7 INT NOT NULL, d8 INT NOT NULL, d9 INT NOT NULL,
    d10 INT NOT NULL, d11 INT NOT NULL, d12 INT NOT NULL, d13 INT NOT NULL, d14 INT NOT NULL,
    d15 INT NOT NULL, d16 INT NOT NULL, d17 INT NOT NULL, d18 INT NOT NULL, d19 INT NOT NULL,
    PRIMARY KEY (dimension, grain, value, start),
    -- Which names have most requests in a time, from the index alone.
    KEY ledger_sums_rank (dimension, grain, start, value, requests)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
