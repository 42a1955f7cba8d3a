-- People who sign in, the links that let them in, what they may do, and who did what.

ALTER TABLE users ADD COLUMN disabled_at BIGINT;
ALTER TABLE users ADD COLUMN totp_secret TEXT;                            -- encrypted
ALTER TABLE users ADD COLUMN totp_on BOOLEAN NOT NULL DEFAULT FALSE;      -- a first code has been confirmed
ALTER TABLE users ADD COLUMN totp_last_step BIGINT NOT NULL DEFAULT 0;    -- each code is good once

-- A deleted project is out of reach at once; its rows are removed in the background.
ALTER TABLE projects ADD COLUMN disabled_at BIGINT;
ALTER TABLE projects ADD COLUMN deleted_at BIGINT;
ALTER TABLE projects ADD COLUMN previous_webhook_secret TEXT;             -- encrypted; signs too until the next column's time
ALTER TABLE projects ADD COLUMN previous_webhook_secret_until BIGINT;
ALTER TABLE projects ADD COLUMN e2e_public_key TEXT;                      -- PEM
ALTER TABLE projects ADD COLUMN retention_days INTEGER;
ALTER TABLE projects ADD COLUMN max_images_per_session INTEGER;
ALTER TABLE projects ADD COLUMN max_image_size_mb INTEGER;

-- One sign-in is one family of refresh tokens: each is good once, and the second use of any ends them all.
CREATE TABLE sign_ins (
  id         TEXT   NOT NULL PRIMARY KEY,
  user_id    TEXT   NOT NULL REFERENCES users (id),
  created_at BIGINT NOT NULL
);
CREATE INDEX sign_ins_user ON sign_ins (user_id);

CREATE TABLE refresh_tokens (
  hash       TEXT   NOT NULL PRIMARY KEY,                                 -- SHA-256, hex
  sign_in_id TEXT   NOT NULL REFERENCES sign_ins (id),
  used_at    BIGINT,
  expires_at BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_sign_in ON refresh_tokens (sign_in_id);
CREATE INDEX refresh_tokens_expired ON refresh_tokens (expires_at);

CREATE TABLE one_time_links (
  id         TEXT   NOT NULL PRIMARY KEY,
  hash       TEXT   NOT NULL UNIQUE,                                      -- SHA-256 of what stands in the link, hex
  kind       TEXT   NOT NULL CHECK (kind IN ('owner', 'password', 'invitation')),
  user_id    TEXT   REFERENCES users (id),                                -- whose password
  project_id TEXT   REFERENCES projects (id),                             -- into which project
  email      TEXT,
  role       TEXT,
  created_by TEXT   REFERENCES users (id),                                -- null: on the command line
  expires_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX one_time_links_project ON one_time_links (project_id);

-- Guesses of secrets that people choose, counted where a restart or a second node does not forget them.
CREATE TABLE guesses (
  subject TEXT    NOT NULL,                                               -- what was guessed at, or from where
  seconds INTEGER NOT NULL,                                               -- length of the window
  started BIGINT  NOT NULL,
  count   INTEGER NOT NULL,
  PRIMARY KEY (subject, seconds)
);

CREATE TABLE audit_log (
  id         TEXT   NOT NULL PRIMARY KEY,
  project_id TEXT   NOT NULL REFERENCES projects (id),
  actor_type TEXT   NOT NULL CHECK (actor_type IN ('person', 'key', 'operator')),
  actor_id   TEXT,
  actor_name TEXT   NOT NULL,                                             -- e-mail address or key prefix, as it was then
  action     TEXT   NOT NULL,
  thing_id   TEXT,
  address    TEXT,
  created_at BIGINT NOT NULL
);
CREATE INDEX audit_log_project ON audit_log (project_id, id);
