-- What client keys with budgets have used, in the periods of UTC.
CREATE TABLE budget_spends (
    client_key BLOB    NOT NULL,
    -- 0 day, 1 week, 2 month, 3 for ever.
    period     INTEGER NOT NULL,
    -- When it began, epoch milliseconds; 0 for ever.
    start      INTEGER NOT NULL,
    requests   INTEGER NOT NULL,
    tokens     INTEGER NOT NULL,
    units      INTEGER NOT NULL,
    PRIMARY KEY (client_key, period, start)
) WITHOUT ROWID;

-- Requests that were counted and are not settled, and those that were settled before they were counted.
CREATE TABLE budget_reservations (
    -- The request's.
    id         BLOB    NOT NULL PRIMARY KEY,
    client_key BLOB    NOT NULL,
    -- Epoch milliseconds: which periods it is counted in.
    began_at   INTEGER NOT NULL,
    -- Counted beforehand.
    tokens     INTEGER NOT NULL,
    -- 1 when it must not be counted any more.
    ended      INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX budget_reservations_began ON budget_reservations (began_at);
