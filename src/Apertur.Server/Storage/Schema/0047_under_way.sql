-- What is under way to an endpoint is counted without reading all that ever went there: of an index that tells no endpoint, and one of all rows that
-- does, SQLite takes the latter. How long a lease runs is not in it, so that extending one writes no index.
DROP INDEX deliveries_leased;
DROP INDEX event_deliveries_leased;
CREATE INDEX deliveries_leased ON deliveries (destination_id) WHERE state = 'sending';
CREATE INDEX event_deliveries_leased ON event_deliveries (webhook_id) WHERE state = 'sending';
