-- Whose Done is whose. A visitor is one browser on the page of a session, by an id that it makes up for that session.
ALTER TABLE sessions ADD COLUMN done TEXT CHECK (done IN ('visitor', 'session', 'never'));
ALTER TABLE sessions ADD COLUMN allow_withdraw BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE uploads ADD COLUMN visitor TEXT;

CREATE TABLE visitors (
  session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  id         TEXT    NOT NULL,
  pages      INTEGER NOT NULL,                          -- that it has open: streams of events
  done_at    BIGINT,                                    -- since when its part is done; null while it is not
  PRIMARY KEY (session_id, id)
);
