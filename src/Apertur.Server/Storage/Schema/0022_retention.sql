-- Photos are kept for the time that their project says: then their bytes go, and their rows stay or go too.
ALTER TABLE projects ADD COLUMN retention_rows TEXT NOT NULL DEFAULT 'keep' CHECK (retention_rows IN ('keep', 'remove'));
ALTER TABLE uploads ADD COLUMN removed_at BIGINT;                          -- when its time was up: nobody gets its bytes any more
ALTER TABLE uploads ADD COLUMN is_stored BOOLEAN NOT NULL DEFAULT TRUE;    -- its bytes may still be there
CREATE INDEX uploads_stored ON uploads (project_id, created_at, id) WHERE is_stored;
CREATE INDEX uploads_leaving ON uploads (removed_at) WHERE is_stored AND removed_at IS NOT NULL;
CREATE INDEX uploads_removed ON uploads (project_id, removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX sessions_over ON sessions (over_at) WHERE over_at IS NOT NULL;

-- What is stored, by the day it came.
ALTER TABLE daily_counts ADD COLUMN stored_images BIGINT NOT NULL DEFAULT 0;
ALTER TABLE daily_counts ADD COLUMN stored_bytes BIGINT NOT NULL DEFAULT 0;
UPDATE daily_counts SET
  stored_images = images,
  stored_bytes = (
    SELECT coalesce(sum(u.size_bytes), 0) FROM uploads u
    WHERE u.project_id = daily_counts.project_id AND u.env = daily_counts.env
      AND u.created_at >= CAST(daily_counts.day AS BIGINT) * 86400000 AND u.created_at < (CAST(daily_counts.day AS BIGINT) + 1) * 86400000);
