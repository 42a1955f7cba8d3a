-- Lists by what few photos of very many have in common: without these, finding the last of them reads every photo. None looks at the count of
-- what was delivered: PostgreSQL would then write every index of a photo anew with each delivery.
CREATE INDEX uploads_failed ON uploads (project_id, env, created_at, id) WHERE destinations_failed > 0;
CREATE INDEX uploads_stored_only ON uploads (project_id, env, created_at, id) WHERE destinations_total = 0;
CREATE INDEX uploads_source ON uploads (project_id, env, source, created_at, id);

-- A name is looked for without opening each row.
DROP INDEX uploads_list;
CREATE INDEX uploads_list ON uploads (project_id, env, created_at, id, filename);

-- By time as well, and younger than the index of all deliveries, or SQLite reads all of them to count the few that are being tried again.
DROP INDEX deliveries_retrying;
CREATE INDEX deliveries_retrying ON deliveries (destination_id, received_at, upload_id) WHERE state = 'retrying';
