-- A link may sign a person in. What a column may hold cannot be changed on every database: the table is made anew.
CREATE TABLE one_time_links_anew (
  id         TEXT   NOT NULL PRIMARY KEY,
  hash       TEXT   NOT NULL UNIQUE,                                      -- SHA-256 of what stands in the link, hex
  kind       TEXT   NOT NULL CHECK (kind IN ('owner', 'password', 'invitation', 'sign_in')),
  user_id    TEXT   REFERENCES users (id),                                -- whose password, or who signs in
  project_id TEXT   REFERENCES projects (id),                             -- into which project
  email      TEXT,
  role       TEXT,
  created_by TEXT   REFERENCES users (id),                                -- null: on the command line
  expires_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
INSERT INTO one_time_links_anew (id, hash, kind, user_id, project_id, email, role, created_by, expires_at, created_at)
SELECT id, hash, kind, user_id, project_id, email, role, created_by, expires_at, created_at FROM one_time_links;
DROP TABLE one_time_links;
ALTER TABLE one_time_links_anew RENAME TO one_time_links;
CREATE INDEX one_time_links_project ON one_time_links (project_id);
CREATE INDEX one_time_links_email ON one_time_links (email);
