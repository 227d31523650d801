-- Sessions of the console. Times are epoch milliseconds.
CREATE TABLE sessions (
    digest       BLOB NOT NULL PRIMARY KEY, -- SHA-256 of the id, which is known to the browser only
    admin        BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    address      TEXT NOT NULL,
    user_agent   TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_admin ON sessions (admin);
CREATE INDEX sessions_expires ON sessions (expires_at);
