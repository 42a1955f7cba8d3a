-- A replay: deliveries that somebody wants made again, or that a destination of today never got, taken up little by little.
CREATE TABLE replays (
  id             TEXT    NOT NULL PRIMARY KEY,
  project_id     TEXT    NOT NULL REFERENCES projects (id),
  env            TEXT,                                 -- null for both
  webhook_id     TEXT,                                 -- events that it was to get, in place of photos
  destination_id TEXT,
  session_id     TEXT,
  upload_ids     TEXT,                                 -- JSON array
  status         TEXT    NOT NULL CHECK (status IN ('failed', 'sent', 'never_dispatched')),
  error_contains TEXT,                                 -- lower case
  since          BIGINT  NOT NULL,                     -- of what came in from then on,
  until          BIGINT  NOT NULL,                     -- and before then
  state          TEXT    NOT NULL CHECK (state IN ('running', 'paused', 'completed', 'cancelled')),
  reason         TEXT,                                 -- why it was cancelled, when nobody did
  total          INTEGER NOT NULL,                     -- how many there were when it was made
  queued         INTEGER NOT NULL DEFAULT 0,
  place          BIGINT  NOT NULL,                     -- what came in before then has been looked at
  created_by     TEXT    NOT NULL,
  created_at     BIGINT  NOT NULL,
  updated_at     BIGINT  NOT NULL,
  ended_at       BIGINT
);
CREATE INDEX replays_project ON replays (project_id, created_at);
CREATE INDEX replays_running ON replays (created_at) WHERE state = 'running';

-- The replay that a delivery was taken up by last.
ALTER TABLE deliveries ADD COLUMN replay_id TEXT;
ALTER TABLE event_deliveries ADD COLUMN replay_id TEXT;
CREATE INDEX deliveries_replay ON deliveries (replay_id, state) WHERE replay_id IS NOT NULL;
CREATE INDEX event_deliveries_replay ON event_deliveries (replay_id, state) WHERE replay_id IS NOT NULL;

-- Dead letters.
CREATE INDEX deliveries_failed ON deliveries (destination_id, updated_at) WHERE state = 'failed';
