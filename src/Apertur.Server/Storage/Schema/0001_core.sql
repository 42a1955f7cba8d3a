-- One script for SQLite and PostgreSQL. Ids are UUIDs as lower-case text, instants are unix milliseconds, lists and objects are JSON text.
-- Text in *_secret and destinations.config is encrypted, bound to its table, row and column.

CREATE TABLE users (
  id            TEXT    NOT NULL PRIMARY KEY,
  email         TEXT    NOT NULL UNIQUE,              -- lower case
  password_hash TEXT    NOT NULL,
  created_at    BIGINT  NOT NULL
);

CREATE TABLE projects (
  id             TEXT   NOT NULL PRIMARY KEY,
  name           TEXT   NOT NULL,
  webhook_secret TEXT   NOT NULL,
  created_at     BIGINT NOT NULL,
  updated_at     BIGINT NOT NULL
);

CREATE TABLE members (
  project_id TEXT   NOT NULL REFERENCES projects (id),
  user_id    TEXT   NOT NULL REFERENCES users (id),
  role       TEXT   NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (project_id, user_id)
);
CREATE INDEX members_user ON members (user_id);

CREATE TABLE api_keys (
  id                     TEXT    NOT NULL PRIMARY KEY,
  project_id             TEXT    NOT NULL REFERENCES projects (id),
  env                    TEXT    NOT NULL CHECK (env IN ('live', 'test')),
  prefix                 TEXT    NOT NULL,             -- what is shown of it
  hash                   TEXT    NOT NULL UNIQUE,      -- SHA-256 of the whole key, hex
  label                  TEXT    NOT NULL,
  is_active              BOOLEAN NOT NULL,
  long_polling_enabled   BOOLEAN NOT NULL,
  default_destinations   TEXT    NOT NULL,             -- JSON array of ids
  max_images             INTEGER,
  allowed_mime_types     TEXT    NOT NULL,             -- JSON array, empty for all
  max_image_dimension    INTEGER,
  last_used_at           BIGINT,
  created_at             BIGINT  NOT NULL
);
CREATE INDEX api_keys_project ON api_keys (project_id, created_at);

CREATE TABLE destinations (
  id              TEXT    NOT NULL PRIMARY KEY,
  project_id      TEXT    NOT NULL REFERENCES projects (id),
  type            TEXT    NOT NULL,
  name            TEXT    NOT NULL,
  config          TEXT    NOT NULL,                    -- encrypted JSON
  is_active       BOOLEAN NOT NULL,
  parked_reason   TEXT,                                -- why it cannot be used until its owner acts
  -- The breaker: see docs/delivery-states.md.
  lane_limit      INTEGER,                             -- deliveries at once while recovering; null when healthy
  open_until      BIGINT,                              -- nothing is claimed before
  opened_count    INTEGER NOT NULL DEFAULT 0,          -- times opened in a row
  window_start    BIGINT  NOT NULL DEFAULT 0,
  window_attempts INTEGER NOT NULL DEFAULT 0,
  window_failures INTEGER NOT NULL DEFAULT 0,
  created_at      BIGINT  NOT NULL,
  updated_at      BIGINT  NOT NULL,
  deleted_at      BIGINT
);
CREATE INDEX destinations_project ON destinations (project_id, created_at);

CREATE TABLE sessions (
  id                  TEXT    NOT NULL PRIMARY KEY,
  project_id          TEXT    NOT NULL REFERENCES projects (id),
  key_id              TEXT    REFERENCES api_keys (id),
  env                 TEXT    NOT NULL CHECK (env IN ('live', 'test')),
  label               TEXT,
  tags                TEXT,                            -- JSON array
  metadata            TEXT,                            -- JSON object
  destination_ids     TEXT    NOT NULL,                -- JSON array, in the caller's order
  destinations_count  INTEGER NOT NULL,
  long_polling        BOOLEAN NOT NULL,
  max_images          INTEGER NOT NULL,
  allowed_mime_types  TEXT    NOT NULL,                -- JSON array, empty for all
  max_image_dimension INTEGER,
  max_image_size_mb   INTEGER NOT NULL,
  password_hash       TEXT,
  created_at          BIGINT  NOT NULL,
  expires_at          BIGINT  NOT NULL,
  opened_at           BIGINT,                          -- the page was opened, or the first image came
  completed_at        BIGINT,                          -- closed by a person
  last_changed        BIGINT  NOT NULL,                -- never goes back
  -- Kept in the transaction of what they count.
  next_index          INTEGER NOT NULL DEFAULT 0,
  images_count        INTEGER NOT NULL DEFAULT 0,
  images_dispatched   INTEGER NOT NULL DEFAULT 0,      -- with at least one destination
  images_delivered    INTEGER NOT NULL DEFAULT 0,      -- with at least one delivery sent
  images_failed       INTEGER NOT NULL DEFAULT 0,      -- with at least one delivery failed for good
  deliveries_open     INTEGER NOT NULL DEFAULT 0       -- neither sent nor failed
);
CREATE INDEX sessions_list ON sessions (project_id, env, created_at, id);

CREATE TABLE uploads (
  id                     TEXT    NOT NULL PRIMARY KEY, -- also the name of the stored file
  session_id             TEXT    NOT NULL REFERENCES sessions (id),
  project_id             TEXT    NOT NULL REFERENCES projects (id),
  env                    TEXT    NOT NULL,
  image_index            INTEGER NOT NULL,
  filename               TEXT    NOT NULL,
  size_bytes             BIGINT  NOT NULL,
  mime_type              TEXT    NOT NULL,
  source                 TEXT    NOT NULL,
  sha256                 TEXT    NOT NULL,
  width                  INTEGER,
  height                 INTEGER,
  is_encrypted           BOOLEAN NOT NULL,
  destination_types      TEXT    NOT NULL,             -- JSON array with one entry a destination, sorted
  destinations_total     INTEGER NOT NULL,
  destinations_delivered INTEGER NOT NULL DEFAULT 0,
  destinations_failed    INTEGER NOT NULL DEFAULT 0,
  acknowledged_at        BIGINT,
  created_at             BIGINT  NOT NULL
);
CREATE UNIQUE INDEX uploads_session ON uploads (session_id, image_index);
CREATE INDEX uploads_list ON uploads (project_id, env, created_at, id);

-- The table is the queue.
CREATE TABLE deliveries (
  id               TEXT    NOT NULL PRIMARY KEY,
  upload_id        TEXT    NOT NULL REFERENCES uploads (id),
  session_id       TEXT    NOT NULL REFERENCES sessions (id),
  destination_id   TEXT    NOT NULL REFERENCES destinations (id),
  destination_type TEXT    NOT NULL,                   -- kept as they were: history outlives the destination
  destination_name TEXT    NOT NULL,
  state            TEXT    NOT NULL CHECK (state IN ('pending', 'sending', 'retrying', 'sent', 'failed')),
  attempts         INTEGER NOT NULL DEFAULT 0,
  due_at           BIGINT  NOT NULL,
  lease_token      TEXT,
  lease_until      BIGINT,
  last_error       TEXT,
  reference        TEXT,
  created_at       BIGINT  NOT NULL,
  updated_at       BIGINT  NOT NULL,
  CHECK ((state = 'sending') = (lease_token IS NOT NULL))
);
CREATE INDEX deliveries_session ON deliveries (session_id, upload_id);
CREATE INDEX deliveries_waiting ON deliveries (destination_id, due_at) WHERE state IN ('pending', 'retrying');
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state = 'sending';

-- Lists and statistics read these instead of counting rows. A day is a UTC day; things count on the day their row was created.
CREATE TABLE daily_counts (
  project_id       TEXT    NOT NULL REFERENCES projects (id),
  env              TEXT    NOT NULL,
  day              INTEGER NOT NULL,                   -- days since 1970-01-01
  sessions         BIGINT  NOT NULL DEFAULT 0,
  images           BIGINT  NOT NULL DEFAULT 0,
  images_delivered BIGINT  NOT NULL DEFAULT 0,
  sent             BIGINT  NOT NULL DEFAULT 0,
  failed           BIGINT  NOT NULL DEFAULT 0,
  PRIMARY KEY (project_id, env, day)
);
