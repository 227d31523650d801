-- For whom it was made: "key:" and a client key's id, "admin:" and a name, or nothing.
-- MySQL cannot add a column only if it is missing, and a start that was cut off may have added it.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'media' AND column_name = 'owner');
SET @change = IF(@missing, 'ALTER TABLE media ADD COLUMN owner VARCHAR(300) NOT NULL DEFAULT ''''', 'DO 0');
PREPARE change_media FROM @change;
EXECUTE change_media;
DEALLOCATE PREPARE change_media;
