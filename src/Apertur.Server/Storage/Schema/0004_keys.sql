-- What a key may ask of whoever shows it.
ALTER TABLE api_keys ADD COLUMN allowed_ips TEXT NOT NULL DEFAULT '[]';        -- JSON array of networks, empty for everywhere
ALTER TABLE api_keys ADD COLUMN allowed_domains TEXT NOT NULL DEFAULT '[]';    -- JSON array of hosts, empty for every page
ALTER TABLE api_keys ADD COLUMN signing_secret TEXT;                           -- encrypted; null: requests need no signature
ALTER TABLE api_keys ADD COLUMN totp_secret TEXT;                              -- encrypted
ALTER TABLE api_keys ADD COLUMN totp_on BOOLEAN NOT NULL DEFAULT FALSE;        -- a first code has been confirmed
ALTER TABLE api_keys ADD COLUMN totp_last_step BIGINT NOT NULL DEFAULT 0;      -- each code is good once

-- Sessions go on naming the key that made them.
ALTER TABLE api_keys ADD COLUMN deleted_at BIGINT;

-- What was answered to a request with an Idempotency-Key, written in the transaction of what the request did.
CREATE TABLE idempotent_answers (
  scope       TEXT   NOT NULL,                         -- whose keys these are: a session, or a caller
  key         TEXT   NOT NULL,
  fingerprint TEXT   NOT NULL,                         -- of what was sent
  answer      TEXT   NOT NULL,                         -- JSON
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (scope, key)
);
CREATE INDEX idempotent_answers_age ON idempotent_answers (created_at);
