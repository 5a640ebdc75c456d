-- +goose Up
-- From which addresses the keys of an object were used on which day.
CREATE TABLE key_uses (
  uid      TEXT    NOT NULL, -- of the AdminUser or APIKey
  day      INTEGER NOT NULL, -- its beginning, UTC
  address  TEXT    NOT NULL, -- empty: unknown; *: all beyond the bound of a day
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  PRIMARY KEY (uid, day, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX key_uses_last_at ON key_uses (last_at);
