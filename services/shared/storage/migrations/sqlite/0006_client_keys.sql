-- Keys of the API's clients; a key is never deleted. Times are epoch milliseconds.
CREATE TABLE client_keys (
    id           BLOB NOT NULL PRIMARY KEY, -- UUIDv7
    digest       BLOB NOT NULL UNIQUE, -- SHA-256 of the secret, which is kept nowhere
    masked       TEXT NOT NULL, -- what people see of the secret
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER,
    spec         TEXT NOT NULL, -- JSON: what the operator says of the key
    version      INTEGER NOT NULL, -- counts the writes of this row, uses aside
    changed      INTEGER NOT NULL -- client_keys_version.value at the last of them
) STRICT;
CREATE INDEX client_keys_changed ON client_keys (changed);

-- Counts the writes to all client keys, so that another process notices them cheaply. Every writer locks its row.
CREATE TABLE client_keys_version (
    single INTEGER NOT NULL PRIMARY KEY CHECK (single = 1),
    value  INTEGER NOT NULL
) STRICT;
INSERT INTO client_keys_version (single, value) VALUES (1, 0);
