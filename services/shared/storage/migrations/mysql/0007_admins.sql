-- Those who may use the console; none is ever deleted. Times are epoch milliseconds.
CREATE TABLE IF NOT EXISTS admins (
    id            BINARY(16) NOT NULL PRIMARY KEY, -- UUIDv7
    name          VARBINARY(255) NOT NULL UNIQUE, -- compared byte by byte
    role          VARCHAR(16) NOT NULL, -- viewer, operator, owner
    password_hash MEDIUMTEXT NOT NULL, -- argon2id in its text form
    created_at    BIGINT NOT NULL,
    last_login_at BIGINT,
    disabled      BOOLEAN NOT NULL,
    version       BIGINT NOT NULL -- counts the writes of this row
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
