-- +goose Up
-- Times are microseconds since 1970, UTC. The tables of the two dialects have the same columns.
CREATE TABLE sessions (
  id         BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of the cookie's secret
  username   TEXT    NOT NULL,
  key_digest TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_username ON sessions (username);
CREATE INDEX sessions_key_digest ON sessions (key_digest);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE last_uses (
  uid       TEXT    NOT NULL PRIMARY KEY, -- of the AdminUser or APIKey
  key_id    TEXT    NOT NULL,
  used_at   INTEGER NOT NULL,
  used_from TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX last_uses_used_at ON last_uses (used_at);

CREATE TABLE seen_users (
  id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  username   TEXT    NOT NULL UNIQUE,
  first_seen INTEGER NOT NULL,
  last_seen  INTEGER NOT NULL,
  seen_from  TEXT    NOT NULL
) STRICT;

CREATE TABLE audit (
  id        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  mark      TEXT    NOT NULL UNIQUE, -- identifies the entry, so that a repeated write stores it once
  at        INTEGER NOT NULL,
  actor     TEXT    NOT NULL,
  key_id    TEXT    NOT NULL,
  came_from TEXT    NOT NULL,
  action    TEXT    NOT NULL,
  target    TEXT    NOT NULL,
  outcome   TEXT    NOT NULL,
  detail    TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_target ON audit (target, id);

-- The server updates this row to find out whether the database accepts writes.
CREATE TABLE probe (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  at INTEGER NOT NULL
) STRICT;
INSERT INTO probe (id, at) VALUES (1, 0);
