-- What the pages of a project's sessions show of whose they are.
ALTER TABLE projects ADD COLUMN brand_name TEXT;
ALTER TABLE projects ADD COLUMN brand_logo TEXT;                           -- the hash of its row in project_logos
ALTER TABLE projects ADD COLUMN brand_accent TEXT;                         -- six hex digits
ALTER TABLE projects ADD COLUMN brand_return_url TEXT;

-- Apart from projects, which are read with every request.
CREATE TABLE project_logos (
  project_id TEXT NOT NULL PRIMARY KEY REFERENCES projects (id),
  hash       TEXT NOT NULL,
  png        TEXT NOT NULL                                               -- base64
);
CREATE INDEX project_logos_by_hash ON project_logos (hash);
