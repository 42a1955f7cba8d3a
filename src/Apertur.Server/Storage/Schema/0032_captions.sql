-- What whoever sends a photo says of it.
ALTER TABLE sessions ADD COLUMN allow_captions BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE uploads ADD COLUMN caption TEXT;                               -- null when nothing is said
