-- Guesses at a session's password that were evaluated and wrong, or are being evaluated: a JSON array of instants, oldest first.
ALTER TABLE sessions ADD COLUMN password_guesses TEXT NOT NULL DEFAULT '[]';

-- When the session was seen to be over, completed or expired, and that was announced; null while it is open.
ALTER TABLE sessions ADD COLUMN over_at BIGINT;
CREATE INDEX sessions_ending ON sessions (expires_at) WHERE over_at IS NULL;

-- Stamps for the event stream. Each is the session's last_changed in the transaction of what it marks: within a session, stamps are in the
-- order of commits.
ALTER TABLE uploads ADD COLUMN ready_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN started_at BIGINT;    -- the first attempt
ALTER TABLE deliveries ADD COLUMN ended_at BIGINT;      -- sent or failed
