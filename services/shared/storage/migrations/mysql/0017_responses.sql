-- Responses that clients may come back to.
CREATE TABLE IF NOT EXISTS responses (
    -- The id of the turn: a UUIDv7.
    id     BINARY(16) NOT NULL PRIMARY KEY,
    -- Bytes of what is sealed.
    size   BIGINT     NOT NULL,
    -- For the row of this id.
    sealed MEDIUMBLOB NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
