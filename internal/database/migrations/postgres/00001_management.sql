-- +goose Up
-- Times are microseconds since 1970, UTC. The tables of the two dialects have the same columns.
CREATE TABLE sessions (
  id         BYTEA  NOT NULL PRIMARY KEY, -- SHA-256 of the cookie's secret
  username   TEXT   NOT NULL,
  key_digest TEXT   NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_username ON sessions (username);
CREATE INDEX sessions_key_digest ON sessions (key_digest);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE last_uses (
  uid       TEXT   NOT NULL PRIMARY KEY, -- of the AdminUser or APIKey
  key_id    TEXT   NOT NULL,
  used_at   BIGINT NOT NULL,
  used_from TEXT   NOT NULL
);
CREATE INDEX last_uses_used_at ON last_uses (used_at);

CREATE TABLE seen_users (
  id         BIGINT NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  username   TEXT   NOT NULL UNIQUE,
  first_seen BIGINT NOT NULL,
  last_seen  BIGINT NOT NULL,
  seen_from  TEXT   NOT NULL
);

CREATE TABLE audit (
  id        BIGINT NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  mark      TEXT   NOT NULL UNIQUE, -- identifies the entry, so that a repeated write stores it once
  at        BIGINT NOT NULL,
  actor     TEXT   NOT NULL,
  key_id    TEXT   NOT NULL,
  came_from TEXT   NOT NULL,
  action    TEXT   NOT NULL,
  target    TEXT   NOT NULL,
  outcome   TEXT   NOT NULL,
  detail    TEXT   NOT NULL
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_target ON audit (target, id);

-- The server updates this row to find out whether the database accepts writes.
CREATE TABLE probe (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  at BIGINT  NOT NULL
);
INSERT INTO probe (id, at) VALUES (1, 0);
