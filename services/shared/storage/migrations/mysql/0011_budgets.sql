-- What client keys with budgets have used, in the periods of UTC.
CREATE TABLE IF NOT EXISTS budget_spends (
    client_key BINARY(16) NOT NULL,
    -- 0 day, 1 week, 2 month, 3 for ever.
    period     BIGINT     NOT NULL,
    -- When it began, epoch milliseconds; 0 for ever.
    start      BIGINT     NOT NULL,
    requests   BIGINT     NOT NULL,
    tokens     BIGINT     NOT NULL,
    units      BIGINT     NOT NULL,
    PRIMARY KEY (client_key, period, start)
) ENGINE = InnoDB;

-- Requests that were counted and are not settled, and those that were settled before they were counted.
CREATE TABLE IF NOT EXISTS budget_reservations (
    -- The request's.
    id         BINARY(16) NOT NULL PRIMARY KEY,
    client_key BINARY(16) NOT NULL,
    -- Epoch milliseconds: which periods it is counted in.
    began_at   BIGINT     NOT NULL,
    -- Counted beforehand.
    tokens     BIGINT     NOT NULL,
    -- 1 when it must not be counted any more.
    ended      BIGINT     NOT NULL,
    KEY budget_reservations_began (began_at)
) ENGINE = InnoDB;
