-- Those who may use the console; none is ever deleted. Times are epoch milliseconds.
CREATE TABLE admins (
    id            BLOB NOT NULL PRIMARY KEY, -- UUIDv7
    name          TEXT NOT NULL UNIQUE, -- compared byte by byte
    role          TEXT NOT NULL, -- viewer, operator, owner
    password_hash TEXT NOT NULL, -- argon2id in its text form
    created_at    INTEGER NOT NULL,
    last_login_at INTEGER,
    disabled      INTEGER NOT NULL,
    version       INTEGER NOT NULL -- counts the writes of this row
) STRICT;
