-- Whose database the folder images/ belongs to. The folder carries the id too, in the file images/owner.
CREATE TABLE images_owner (
  id        TEXT    NOT NULL PRIMARY KEY,
  the_one   INTEGER NOT NULL UNIQUE CHECK (the_one = 1),
  is_marked BOOLEAN NOT NULL                           -- the folder was given the mark, and has to carry it from then on
);

-- A stored image that was found to be no longer what was received: when, and what is wrong with it. Null while all is well.
ALTER TABLE uploads ADD COLUMN damaged_at BIGINT;
ALTER TABLE uploads ADD COLUMN damage TEXT CHECK (damage IN ('missing', 'truncated', 'extended', 'altered'));
CREATE INDEX uploads_damaged ON uploads (damaged_at) WHERE damaged_at IS NOT NULL;
