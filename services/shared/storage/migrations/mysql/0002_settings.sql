-- One row per revision of the runtime configuration; revision 0, the defaults, has no row.
CREATE TABLE IF NOT EXISTS settings_revisions (
    number     BIGINT     NOT NULL PRIMARY KEY,
    -- Sealed, since it holds secrets: a JSON object, parameter name to the value that differs from the default.
    overrides  MEDIUMBLOB NOT NULL,
    author     TEXT       NOT NULL,
    -- Epoch milliseconds.
    created_at BIGINT     NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
