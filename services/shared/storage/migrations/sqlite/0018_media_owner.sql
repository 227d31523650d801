-- For whom it was made: "key:" and a client key's id, "admin:" and a name, or nothing.
ALTER TABLE media ADD COLUMN owner TEXT NOT NULL DEFAULT '';
