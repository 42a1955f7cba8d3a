-- Why a row is due when it is, and which node holds a claim.
ALTER TABLE deliveries ADD COLUMN due_cause TEXT NOT NULL DEFAULT 'schedule';
ALTER TABLE deliveries ADD COLUMN due_by TEXT;                     -- who asked for another try
ALTER TABLE deliveries ADD COLUMN lease_node TEXT;
ALTER TABLE deliveries ADD COLUMN attempts_made INTEGER NOT NULL DEFAULT 0; -- rows of delivery_attempts there have ever been
ALTER TABLE event_deliveries ADD COLUMN due_cause TEXT NOT NULL DEFAULT 'schedule';
ALTER TABLE event_deliveries ADD COLUMN due_by TEXT;
ALTER TABLE event_deliveries ADD COLUMN lease_node TEXT;

-- Every attempt at a delivery, counted or not, written in the transaction of its outcome. Of each delivery the last ones are kept.
CREATE TABLE delivery_attempts (
  delivery_id TEXT    NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
  number      INTEGER NOT NULL,                        -- from 1, with those that did not count
  node        TEXT,                                    -- which process made it
  due_at      BIGINT  NOT NULL,                        -- why it was made when it was
  due_cause   TEXT    NOT NULL,
  due_by      TEXT,
  started_at  BIGINT  NOT NULL,
  duration_ms BIGINT,                                  -- null: not known, its process ended
  outcome     TEXT    NOT NULL,
  status      INTEGER,                                 -- of an HTTP answer
  reason      TEXT,
  next_at     BIGINT,                                  -- what was decided then; null when the delivery ended
  next_cause  TEXT,
  PRIMARY KEY (delivery_id, number)
);

-- The latest step of any code that was accepted: above the last one's when the clock was set back in between.
ALTER TABLE api_keys ADD COLUMN totp_highest_step BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN totp_highest_step BIGINT NOT NULL DEFAULT 0;
UPDATE api_keys SET totp_highest_step = totp_last_step;
UPDATE users SET totp_highest_step = totp_last_step;
