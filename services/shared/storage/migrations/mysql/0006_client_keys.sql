-- Keys of the API's clients; a key is never deleted. Times are epoch milliseconds.
CREATE TABLE IF NOT EXISTS client_keys (
    id           BINARY(16) NOT NULL PRIMARY KEY, -- UUIDv7
    digest       BINARY(32) NOT NULL UNIQUE, -- SHA-256 of the secret, which is kept nowhere
    masked       MEDIUMTEXT NOT NULL, -- what people see of the secret
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT,
    spec         MEDIUMTEXT NOT NULL, -- JSON: what the operator says of the key
    version      BIGINT NOT NULL, -- counts the writes of this row, uses aside
    changed      BIGINT NOT NULL, -- client_keys_version.value at the last of them
    KEY client_keys_changed (changed)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Counts the writes to all client keys, so that another process notices them cheaply. Every writer locks its row.
CREATE TABLE IF NOT EXISTS client_keys_version (
    single TINYINT NOT NULL PRIMARY KEY CHECK (single = 1),
    value  BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
INSERT IGNORE INTO client_keys_version (single, value) VALUES (1, 0);
