-- Uploads by tus: what has come of a photo that comes in pieces. Each request that brings bytes writes a part of its own.
CREATE TABLE partial_uploads (
  id         TEXT    NOT NULL PRIMARY KEY,
  session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  key        TEXT    NOT NULL,                          -- the photo's idempotency key in its session
  length     BIGINT  NOT NULL,                          -- bytes of the whole
  metadata   TEXT    NOT NULL,                          -- Upload-Metadata as it was sent
  encryption TEXT    NOT NULL CHECK (encryption IN ('none', 'server', 'end_to_end')),
  parts      TEXT    NOT NULL,                          -- JSON array: durable bytes of each part that is closed
  is_open    BOOLEAN NOT NULL,                          -- the part after those is being written, or was when its node stopped
  is_checked BOOLEAN NOT NULL,                          -- that part counts only when its checksum is right
  answer     TEXT,                                      -- JSON of the answer since the photo was received
  created_at BIGINT  NOT NULL,
  expires_at BIGINT  NOT NULL,
  UNIQUE (session_id, key)
);
CREATE INDEX partial_uploads_expiry ON partial_uploads (expires_at);
