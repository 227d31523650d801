-- Sessions of the console. Times are epoch milliseconds.
CREATE TABLE IF NOT EXISTS sessions (
    digest       BINARY(32) NOT NULL PRIMARY KEY, -- SHA-256 of the id, which is known to the browser only
    admin        BINARY(16) NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    address      MEDIUMTEXT NOT NULL,
    user_agent   MEDIUMTEXT NOT NULL,
    KEY sessions_admin (admin),
    KEY sessions_expires (expires_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
