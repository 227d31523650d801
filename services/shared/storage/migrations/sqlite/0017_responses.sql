-- Responses that clients may come back to.
CREATE TABLE responses (
    -- The id of the turn: a UUIDv7.
    id     BLOB    NOT NULL PRIMARY KEY,
    -- Bytes of what is sealed.
    size   INTEGER NOT NULL,
    -- For the row of this id.
    sealed BLOB    NOT NULL
);
