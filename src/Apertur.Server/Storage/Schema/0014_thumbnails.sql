-- Why an image has no thumbnail, and which build of this program found that: another one tries again.
ALTER TABLE uploads ADD COLUMN thumbnail_failure TEXT;
ALTER TABLE uploads ADD COLUMN thumbnail_failed_by TEXT;
