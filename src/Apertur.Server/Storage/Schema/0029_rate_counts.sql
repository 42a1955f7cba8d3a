-- Requests of this minute that nodes have put aside for themselves; see RateCounts.
CREATE TABLE rate_counts (
  kind    TEXT    NOT NULL,
  subject TEXT    NOT NULL,     -- a key's, person's or session's id
  minute  BIGINT  NOT NULL,     -- since 1970
  taken   INTEGER NOT NULL,
  PRIMARY KEY (subject, kind)
);
CREATE INDEX ix_rate_counts_minute ON rate_counts (minute);
