-- What the media cache holds; the bytes lie in the object store under kind and name. Names are compared byte by byte.
CREATE TABLE IF NOT EXISTS media (
    -- 1 image, 2 video.
    kind         TINYINT        NOT NULL,
    name         VARBINARY(255) NOT NULL,
    -- The asset it was fetched from, as a digest.
    source       VARBINARY(255) NOT NULL,
    content_type TEXT           NOT NULL,
    -- Bytes.
    size         BIGINT         NOT NULL,
    etag         TEXT           NOT NULL,
    -- Epoch milliseconds.
    created_at   BIGINT         NOT NULL,
    last_used_at BIGINT         NOT NULL,
    PRIMARY KEY (kind, name),
    UNIQUE KEY media_source (kind, source),
    -- Eviction reads from its start; the size beside it lets the sum be taken from the index alone.
    KEY media_last_used (kind, last_used_at, name, size)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
