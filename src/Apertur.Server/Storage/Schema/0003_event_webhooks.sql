CREATE TABLE event_webhooks (
  id                     TEXT    NOT NULL PRIMARY KEY,
  project_id             TEXT    NOT NULL REFERENCES projects (id),
  url                    TEXT    NOT NULL,
  topics                 TEXT    NOT NULL,             -- JSON array of topics and patterns
  signature_method       TEXT    NOT NULL CHECK (signature_method IN ('hmac_sha256', 'svix')),
  secret                 TEXT    NOT NULL,             -- encrypted
  custom_headers         TEXT    NOT NULL,             -- encrypted JSON object
  max_retries            INTEGER NOT NULL,
  retry_intervals        TEXT    NOT NULL,             -- JSON array of seconds; the last one repeats
  disable_after_failures INTEGER NOT NULL,
  is_active              BOOLEAN NOT NULL,
  consecutive_failures   INTEGER NOT NULL DEFAULT 0,   -- events that failed for good since one arrived
  disabled_at            BIGINT,                       -- when too many failures switched it off
  created_at             BIGINT  NOT NULL,
  updated_at             BIGINT  NOT NULL
);
CREATE INDEX event_webhooks_project ON event_webhooks (project_id, created_at);

-- What happened, for events that somebody listens to.
CREATE TABLE event_log (
  id         TEXT   NOT NULL PRIMARY KEY,
  project_id TEXT   NOT NULL REFERENCES projects (id),
  topic      TEXT   NOT NULL,
  body       TEXT   NOT NULL,                          -- JSON as it is sent, but for the link to the image
  upload_id  TEXT,                                     -- the image that the body links to
  created_at BIGINT NOT NULL
);
CREATE INDEX event_log_age ON event_log (created_at);

-- One event on its way to one webhook: queue entry and history. No foreign key to the webhook: PostgreSQL would have every upload wait for
-- the outcomes that write to the webhook's row.
CREATE TABLE event_deliveries (
  id            TEXT    NOT NULL PRIMARY KEY,
  event_id      TEXT    NOT NULL REFERENCES event_log (id),
  webhook_id    TEXT    NOT NULL,
  topic         TEXT    NOT NULL,
  state         TEXT    NOT NULL CHECK (state IN ('pending', 'sending', 'retrying', 'sent', 'failed')),
  attempts      INTEGER NOT NULL DEFAULT 0,
  due_at        BIGINT  NOT NULL,
  lease_token   TEXT,
  lease_until   BIGINT,
  response_code INTEGER,
  response_body TEXT,                                  -- its beginning
  duration_ms   INTEGER NOT NULL DEFAULT 0,            -- of the last attempt
  last_error    TEXT,
  created_at    BIGINT  NOT NULL,
  updated_at    BIGINT  NOT NULL,
  CHECK ((state = 'sending') = (lease_token IS NOT NULL))
);
CREATE INDEX event_deliveries_history ON event_deliveries (webhook_id, created_at, id);
CREATE INDEX event_deliveries_event ON event_deliveries (event_id);
CREATE INDEX event_deliveries_waiting ON event_deliveries (webhook_id, due_at) WHERE state IN ('pending', 'retrying');
CREATE INDEX event_deliveries_leased ON event_deliveries (lease_until) WHERE state = 'sending';
