-- What a person allowed this server at an OAuth provider, for one destination. The tokens are encrypted.
CREATE TABLE oauth_grants (
  id            TEXT   NOT NULL PRIMARY KEY,           -- the destination's
  refresh_token TEXT   NOT NULL,
  access_token  TEXT,                                  -- null when it has to be renewed before the next use
  access_until  BIGINT NOT NULL,                       -- it is renewed from then on, some time before it ends
  version       TEXT   NOT NULL,                       -- another with every change of a token: a verdict on an older one counts no more
  refresher     TEXT,                                  -- who is asking the provider for a new token
  refresh_until BIGINT,                                -- the latest end of that
  connected_at  BIGINT NOT NULL
);

-- A connection that somebody has begun and not finished yet.
CREATE TABLE oauth_requests (
  id             TEXT   NOT NULL PRIMARY KEY,
  state_hash     TEXT   NOT NULL UNIQUE,               -- SHA-256 of the state that comes back from the provider, hex
  browser_hash   TEXT,                                 -- SHA-256 of the cookie of the browser that began it, hex; null for an API key
  destination_id TEXT   NOT NULL,
  key_id         TEXT,                                 -- who asked: a key,
  user_id        TEXT,                                 -- or a person
  verifier       TEXT   NOT NULL,                      -- encrypted
  callback       TEXT   NOT NULL,
  expires_at     BIGINT NOT NULL
);

-- What a destination wants to know again in the next attempt; encrypted, gone with the end of the delivery.
ALTER TABLE deliveries ADD COLUMN resume TEXT;

-- When the owner last did something about the destination: an attempt that was claimed before cannot park it any more.
ALTER TABLE destinations ADD COLUMN resumed_at BIGINT NOT NULL DEFAULT 0;
