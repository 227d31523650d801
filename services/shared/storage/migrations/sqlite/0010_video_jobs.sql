-- Videos that clients asked for; the bytes lie in the media cache.
CREATE TABLE video_jobs (
    -- Begins with its time, so ids are in the order of making.
    id         TEXT    NOT NULL PRIMARY KEY,
    -- Who asked: only they see it.
    client     TEXT    NOT NULL,
    -- 1 until it has ended.
    open       INTEGER NOT NULL,
    -- Epoch milliseconds: the last sign of whoever works on it.
    alive_at   INTEGER NOT NULL,
    -- Epoch milliseconds.
    created_at INTEGER NOT NULL,
    -- Grows with every change.
    version    INTEGER NOT NULL,
    -- The rest, as the service writes it.
    details    BLOB    NOT NULL
) WITHOUT ROWID;

CREATE INDEX video_jobs_client ON video_jobs (client, id);
CREATE INDEX video_jobs_open ON video_jobs (open, alive_at);
CREATE INDEX video_jobs_created ON video_jobs (created_at);
