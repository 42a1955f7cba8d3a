-- The trace of the request that a photo came with, which each attempt at its delivery goes on (W3C traceparent); null when nobody records it.
ALTER TABLE deliveries ADD COLUMN trace_parent TEXT;
