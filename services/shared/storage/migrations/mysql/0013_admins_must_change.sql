-- Whether the password is the default or somebody else's choice, so that nothing is open but to set another.
-- MySQL cannot add a column only if it is missing, and a start that was cut off may have added it.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'admins' AND column_name = 'must_change');
SET @change = IF(@missing, 'ALTER TABLE admins ADD COLUMN must_change BOOLEAN NOT NULL DEFAULT FALSE', 'DO 0');
PREPARE change_admins FROM @change;
EXECUTE change_admins;
DEALLOCATE PREPARE change_admins;
