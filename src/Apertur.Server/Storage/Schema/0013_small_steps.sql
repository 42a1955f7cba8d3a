-- Removing a row looks for what refers to it. Without these that is a search through the whole table, for each row that is removed.
CREATE INDEX deliveries_upload ON deliveries (upload_id);
CREATE INDEX deliveries_destination ON deliveries (destination_id);
CREATE INDEX sessions_key ON sessions (key_id);
CREATE INDEX event_log_project ON event_log (project_id);
