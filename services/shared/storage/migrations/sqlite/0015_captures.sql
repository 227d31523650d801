-- Bodies of requests and answers, for a share of the requests when the operator wants them.
CREATE TABLE captures (
    -- The ledger's id of the request: a UUIDv7.
    id     BLOB    NOT NULL PRIMARY KEY,
    -- Bytes of what is sealed.
    size   INTEGER NOT NULL,
    -- For the row of this id.
    sealed BLOB    NOT NULL
);
