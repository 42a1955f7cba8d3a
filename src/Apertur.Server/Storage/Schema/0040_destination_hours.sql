-- Attempts of each of the last 168 hours at a destination. The slot of an hour is written over a week later, so the table does not grow.
CREATE TABLE destination_hours (
  destination_id TEXT    NOT NULL REFERENCES destinations (id),
  slot           INTEGER NOT NULL,                     -- hour modulo 168
  hour           BIGINT  NOT NULL,                     -- hours since 1970-01-01
  attempts       BIGINT  NOT NULL,
  failures       BIGINT  NOT NULL,                     -- those that did not arrive
  PRIMARY KEY (destination_id, slot)
);
