-- Where a page of a list begins within a day that has many rows. A row whose counts are nothing is deleted.
CREATE TABLE minute_counts (
  project_id TEXT    NOT NULL REFERENCES projects (id),
  env        TEXT    NOT NULL,
  minute     INTEGER NOT NULL,                          -- minutes since 1970-01-01
  sessions   BIGINT  NOT NULL DEFAULT 0,
  images     BIGINT  NOT NULL DEFAULT 0,
  PRIMARY KEY (project_id, env, minute)
);
INSERT INTO minute_counts (project_id, env, minute, sessions, images)
SELECT project_id, env, minute, sum(sessions), sum(images)
FROM (
  SELECT project_id, env, CAST(created_at / 60000 AS INTEGER) AS minute, 1 AS sessions, 0 AS images FROM sessions
  UNION ALL
  SELECT project_id, env, CAST(created_at / 60000 AS INTEGER), 0, 1 FROM uploads) c
GROUP BY project_id, env, minute;
