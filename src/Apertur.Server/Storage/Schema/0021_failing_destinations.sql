-- Whether photos reach a destination: how attempts of the last hour ended, since when none has worked, and what the last failure was.
ALTER TABLE destinations ADD COLUMN last_hour TEXT NOT NULL DEFAULT '[]';         -- JSON array: for every five minutes their start, attempts, failures
ALTER TABLE destinations ADD COLUMN failing_since BIGINT;
ALTER TABLE destinations ADD COLUMN last_error TEXT;
ALTER TABLE destinations ADD COLUMN last_error_at BIGINT;

-- What the operator was told last by mail: that its breaker had opened, or closed.
ALTER TABLE destinations ADD COLUMN operator_told BOOLEAN NOT NULL DEFAULT FALSE;

-- Attempts in a row that did not work, for the breakers of both.
ALTER TABLE destinations ADD COLUMN failures_in_row INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event_webhooks ADD COLUMN failures_in_row INTEGER NOT NULL DEFAULT 0;

-- Nodes that work on the queues, with the time of their last sign of life; one that stops in order takes its row away.
CREATE TABLE workers (
  node    TEXT   NOT NULL PRIMARY KEY,
  seen_at BIGINT NOT NULL
);

-- What is being tried again is counted for statistics.
CREATE INDEX deliveries_retrying ON deliveries (destination_id) WHERE state = 'retrying';
