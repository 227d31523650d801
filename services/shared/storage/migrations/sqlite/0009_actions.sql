-- What admins did, in the order of the ids.
CREATE TABLE actions (
    id        BLOB NOT NULL PRIMARY KEY, -- UUIDv7
    at        INTEGER NOT NULL, -- epoch milliseconds
    actor     TEXT NOT NULL, -- an admin's name, or "command line"
    what      TEXT NOT NULL, -- e.g. client_key.update
    target    TEXT NOT NULL, -- e.g. the id of the client key
    was       TEXT NOT NULL, -- JSON; null when there was nothing
    became    TEXT NOT NULL -- JSON; null when there is nothing
) STRICT;
