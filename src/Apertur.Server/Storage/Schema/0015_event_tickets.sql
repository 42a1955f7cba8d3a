-- What opens the event stream of a protected session once, where no header can carry its password.
CREATE TABLE event_tickets (
  hash       TEXT   NOT NULL PRIMARY KEY,                -- SHA-256 of the ticket, hex
  session_id TEXT   NOT NULL,
  expires_at BIGINT NOT NULL
);
