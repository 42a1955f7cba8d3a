-- The history of an event webhook by what became of each event. Whatever is asked for may be few among very many, at either end.
CREATE INDEX event_deliveries_sent ON event_deliveries (webhook_id, created_at, id) WHERE state = 'sent';
CREATE INDEX event_deliveries_failed ON event_deliveries (webhook_id, created_at, id) WHERE state = 'failed';
CREATE INDEX event_deliveries_open ON event_deliveries (webhook_id, created_at, id) WHERE state IN ('pending', 'sending', 'retrying');
