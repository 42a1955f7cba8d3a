-- The eight characters of a session's short link; null while it has none, or after it was revoked.
ALTER TABLE sessions ADD COLUMN short_code TEXT;
CREATE UNIQUE INDEX sessions_short_code ON sessions (short_code) WHERE short_code IS NOT NULL;

-- When the session's link was sent to somebody lately, unix milliseconds: a JSON array.
ALTER TABLE sessions ADD COLUMN shares TEXT NOT NULL DEFAULT '[]';
