-- Videos that clients asked for; the bytes lie in the media cache. Ids and clients are compared byte by byte.
CREATE TABLE IF NOT EXISTS video_jobs (
    -- Begins with its time, so ids are in the order of making.
    id         VARBINARY(64)  NOT NULL PRIMARY KEY,
    -- Who asked: only they see it.
    client     VARBINARY(255) NOT NULL,
    -- 1 until it has ended.
    open       TINYINT        NOT NULL,
    -- Epoch milliseconds: the last sign of whoever works on it.
    alive_at   BIGINT         NOT NULL,
    -- Epoch milliseconds.
    created_at BIGINT         NOT NULL,
    -- Grows with every change.
    version    BIGINT         NOT NULL,
    -- The rest, as the service writes it: an image to begin with may be part of it.
    details    LONGBLOB       NOT NULL,
    KEY video_jobs_client (client, id),
    KEY video_jobs_open (open, alive_at),
    KEY video_jobs_created (created_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
