-- Whether the password is the default or somebody else's choice, so that nothing is open but to set another.
ALTER TABLE admins ADD COLUMN must_change INTEGER NOT NULL DEFAULT 0;
