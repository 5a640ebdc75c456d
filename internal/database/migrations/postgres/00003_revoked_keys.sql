-- +goose Up
-- The keys that are refused for good. They are kept, however old: only beyond a number of rows are the oldest removed.
CREATE TABLE revoked_keys (
  number     BIGINT NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY, -- grows in the order of commits
  key_digest TEXT   NOT NULL UNIQUE,
  revoked_at BIGINT NOT NULL
);
