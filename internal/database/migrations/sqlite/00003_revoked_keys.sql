-- +goose Up
-- The keys that are refused for good. They are kept, however old: only beyond a number of rows are the oldest removed.
CREATE TABLE revoked_keys (
  number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- grows in the order of commits
  key_digest TEXT    NOT NULL UNIQUE,
  revoked_at INTEGER NOT NULL
) STRICT;
