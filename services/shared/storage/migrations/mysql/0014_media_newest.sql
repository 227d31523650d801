-- The gallery reads from its end. A start that was cut off may have made it.
SET @missing = (SELECT COUNT(*) = 0 FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'media' AND index_name = 'media_created');
SET @change = IF(@missing, 'CREATE INDEX media_created ON media (kind, created_at, name)', 'DO 0');
PREPARE change_media FROM @change;
EXECUTE change_media;
DEALLOCATE PREPARE change_media;
