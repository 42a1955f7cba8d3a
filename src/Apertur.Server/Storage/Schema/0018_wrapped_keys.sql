-- Keys of the installation, for nodes that share no folder: encrypted with a key that is not in the database, and bound to their names.
CREATE TABLE wrapped_keys (
  name       TEXT   NOT NULL PRIMARY KEY,
  content    TEXT   NOT NULL,
  created_at BIGINT NOT NULL
);
