-- What admins did, in the order of the ids.
CREATE TABLE IF NOT EXISTS actions (
    id        BINARY(16) NOT NULL PRIMARY KEY, -- UUIDv7
    at        BIGINT NOT NULL, -- epoch milliseconds
    actor     MEDIUMTEXT NOT NULL, -- an admin's name, or "command line"
    what      MEDIUMTEXT NOT NULL, -- e.g. client_key.update
    target    MEDIUMTEXT NOT NULL, -- e.g. the id of the client key
    was       MEDIUMTEXT NOT NULL, -- JSON; null when there was nothing
    became    MEDIUMTEXT NOT NULL -- JSON; null when there is nothing
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
