-- One row per revision of the runtime configuration; revision 0, the defaults, has no row.
CREATE TABLE settings_revisions (
    number     INTEGER PRIMARY KEY NOT NULL,
    -- Sealed, since it holds secrets: a JSON object, parameter name to the value that differs from the default.
    overrides  BLOB    NOT NULL,
    author     TEXT    NOT NULL,
    -- Epoch milliseconds.
    created_at INTEGER NOT NULL
);
