-- What the pool knows of an account beyond its windows.
ALTER TABLE accounts ADD COLUMN tags     TEXT    NOT NULL DEFAULT '[]'; -- JSON: texts, sorted
ALTER TABLE accounts ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;    -- higher first within a tier
ALTER TABLE accounts ADD COLUMN failures TEXT    NOT NULL DEFAULT '[]'; -- JSON: newest last
