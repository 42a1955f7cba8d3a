-- What a list looks at stands in the index that it goes by, so that no row is opened which it does not show. These columns cost no more writing:
-- a row enters and leaves each of these indexes when they change. All are dropped first: PostgreSQL has whoever reads wait from then on, and must
-- not wait for them in turn.
DROP INDEX uploads_failed;
DROP INDEX deliveries_failed;
DROP INDEX deliveries_retrying;
DROP INDEX deliveries_waiting;

CREATE INDEX uploads_failed ON uploads (project_id, env, created_at, id, destinations_failed, destinations_total) WHERE destinations_failed > 0;

CREATE INDEX deliveries_failed ON deliveries (destination_id, updated_at, upload_id, received_at) WHERE state = 'failed';
CREATE INDEX deliveries_retrying ON deliveries (destination_id, received_at, upload_id, updated_at) WHERE state = 'retrying';

-- As it was, and now younger than the index of all deliveries of a destination: of two that look alike, SQLite takes the younger.
CREATE INDEX deliveries_waiting ON deliveries (destination_id, due_at) WHERE state IN ('pending', 'retrying');
