-- How often whoever sent a photo has said something else of it: each time is told to all who listen.
ALTER TABLE uploads ADD COLUMN caption_changes INTEGER NOT NULL DEFAULT 0;
