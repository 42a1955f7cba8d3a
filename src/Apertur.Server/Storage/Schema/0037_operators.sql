-- Who runs this server, and which version each node has.
ALTER TABLE users ADD COLUMN is_operator BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE workers ADD COLUMN version TEXT NOT NULL DEFAULT '';
