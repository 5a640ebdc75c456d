-- +goose Up
-- The reason that an actor gave for an operation.
ALTER TABLE audit ADD COLUMN reason TEXT NOT NULL DEFAULT '';
