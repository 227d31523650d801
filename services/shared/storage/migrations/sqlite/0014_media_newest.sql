-- The gallery reads from its end.
CREATE INDEX media_created ON media (kind, created_at, name);
