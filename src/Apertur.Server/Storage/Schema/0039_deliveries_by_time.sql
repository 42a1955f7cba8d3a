-- When the photo of a delivery came in, so that those of a destination are listed newest first however many others there are.
ALTER TABLE deliveries ADD COLUMN received_at BIGINT NOT NULL DEFAULT 0;
UPDATE deliveries SET received_at = COALESCE((SELECT created_at FROM uploads WHERE uploads.id = deliveries.upload_id), created_at);
DROP INDEX deliveries_destination;
CREATE INDEX deliveries_destination ON deliveries (destination_id, received_at, upload_id);
