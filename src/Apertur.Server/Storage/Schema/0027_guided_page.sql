-- What the page of a session says to whoever sends photos, and where it leads afterwards.
ALTER TABLE sessions ADD COLUMN instructions TEXT;
ALTER TABLE sessions ADD COLUMN thank_you TEXT;
ALTER TABLE sessions ADD COLUMN return_url TEXT;
ALTER TABLE sessions ADD COLUMN camera_only BOOLEAN NOT NULL DEFAULT FALSE;
