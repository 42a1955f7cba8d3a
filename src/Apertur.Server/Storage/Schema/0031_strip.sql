-- What is taken out of photos before they are stored, and what they were before it was.
ALTER TABLE sessions ADD COLUMN strip TEXT NOT NULL DEFAULT 'none' CHECK (strip IN ('none', 'location', 'all'));
ALTER TABLE projects ADD COLUMN strip TEXT NOT NULL DEFAULT 'none' CHECK (strip IN ('none', 'location', 'all'));
ALTER TABLE uploads ADD COLUMN original_sha256 TEXT;                       -- of what was sent; null when that is what is stored
