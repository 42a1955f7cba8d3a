-- JPEGs that destinations get in place of originals. A row outlives its upload until its file is gone, so nothing refers to that.
CREATE TABLE renditions (
  id         TEXT   NOT NULL PRIMARY KEY,                -- names the file
  upload_id  TEXT   NOT NULL,
  kind       TEXT   NOT NULL,                            -- such as jpeg-2000000-85-all
  size_bytes BIGINT NOT NULL,
  sha256     TEXT   NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (upload_id, kind)
);
