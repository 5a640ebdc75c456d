-- +goose Up
-- Links that rotate the key of an object that exists. Of other links all three are empty.
ALTER TABLE claims ADD COLUMN succeeds TEXT NOT NULL DEFAULT ''; -- key id of the key that is replaced
ALTER TABLE claims ADD COLUMN issued TEXT NOT NULL DEFAULT ''; -- key id of a key that a claim has recorded
ALTER TABLE claims ADD COLUMN overlap BIGINT; -- in seconds; NULL: as the object says
