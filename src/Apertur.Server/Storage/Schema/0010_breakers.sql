-- Breakers count time too: an endpoint that accepts and never answers burns lanes in few attempts.
ALTER TABLE destinations ADD COLUMN timeouts INTEGER NOT NULL DEFAULT 0;            -- attempts in a row that got no answer in time
ALTER TABLE destinations ADD COLUMN has_answered BOOLEAN NOT NULL DEFAULT TRUE;     -- ever; those from before this column are believed to have
ALTER TABLE destinations ADD COLUMN window_lane_ms BIGINT NOT NULL DEFAULT 0;       -- what failed attempts of the window took

-- Event webhooks have breakers as destinations do.
ALTER TABLE event_webhooks ADD COLUMN lane_limit INTEGER;
ALTER TABLE event_webhooks ADD COLUMN open_until BIGINT;
ALTER TABLE event_webhooks ADD COLUMN opened_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event_webhooks ADD COLUMN window_start BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event_webhooks ADD COLUMN window_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event_webhooks ADD COLUMN window_failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event_webhooks ADD COLUMN timeouts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event_webhooks ADD COLUMN has_answered BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE event_webhooks ADD COLUMN window_lane_ms BIGINT NOT NULL DEFAULT 0;
