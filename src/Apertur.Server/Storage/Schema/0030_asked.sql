-- What the page of a session asks of whoever sends photos, and what they gave.
ALTER TABLE sessions ADD COLUMN ask TEXT NOT NULL DEFAULT '[]';
ALTER TABLE uploads ADD COLUMN answers TEXT;                               -- a JSON object by field; null when nothing was given
