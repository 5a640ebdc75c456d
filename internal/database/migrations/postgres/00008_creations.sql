-- +goose Up
-- What was created with which idempotency key. A row outlives the object, so that the key creates nothing more.
CREATE TABLE creations (
  key_digest TEXT   NOT NULL PRIMARY KEY, -- SHA-256 of the caller and the idempotency key, in hexadecimal
  id         TEXT   NOT NULL, -- of what was created: the uid of an AdminUser or APIKey, or the id of a link
  created_at BIGINT NOT NULL
);
CREATE INDEX creations_created_at ON creations (created_at);
