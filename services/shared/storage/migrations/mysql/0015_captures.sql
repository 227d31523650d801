-- Bodies of requests and answers, for a share of the requests when the operator wants them.
CREATE TABLE IF NOT EXISTS captures (
    -- The ledger's id of the request: a UUIDv7.
    id     BINARY(16) NOT NULL PRIMARY KEY,
    -- Bytes of what is sealed.
    size   BIGINT     NOT NULL,
    -- For the row of this id.
    sealed MEDIUMBLOB NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
