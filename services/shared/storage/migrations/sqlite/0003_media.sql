-- What the media cache holds; the bytes lie in the object store under kind and name.
CREATE TABLE media (
    -- 1 image, 2 video.
    kind         INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    -- The asset it was fetched from, as a digest.
    source       TEXT    NOT NULL,
    content_type TEXT    NOT NULL,
    -- Bytes.
    size         INTEGER NOT NULL,
    etag         TEXT    NOT NULL,
    -- Epoch milliseconds.
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;

CREATE UNIQUE INDEX media_source ON media (kind, source);
-- Eviction reads from its start; the size beside it lets the sum be taken from the index alone.
CREATE INDEX media_last_used ON media (kind, last_used_at, name, size);
