-- +goose Up
-- Links that hand a new key over once. A link stays for a while after its end.
CREATE TABLE claims (
  id             TEXT   NOT NULL PRIMARY KEY,
  token_hash     TEXT   NOT NULL UNIQUE, -- SHA-256 of the token, in hexadecimal
  kind           TEXT   NOT NULL, -- user or key
  subject        TEXT   NOT NULL,
  name           TEXT   NOT NULL,
  namespace      TEXT   NOT NULL, -- of the AdminUser or APIKey, as object and uid
  object         TEXT   NOT NULL,
  uid            TEXT   NOT NULL,
  creator        TEXT   NOT NULL,
  creator_key    TEXT   NOT NULL, -- digest of the creator's key
  owner          TEXT   NOT NULL,
  created_at     BIGINT NOT NULL,
  ends_at        BIGINT NOT NULL,
  attempt        TEXT   NOT NULL DEFAULT '', -- the claim that the link is reserved for
  reserved_until BIGINT NOT NULL DEFAULT 0,
  state          TEXT   NOT NULL,
  ended_at       BIGINT NOT NULL DEFAULT 0,
  settled        BIGINT NOT NULL DEFAULT 0 -- 1 when nothing remains to be done after the end
);
CREATE INDEX claims_state ON claims (state, creator);
