-- +goose Up
-- What the calls of a series have in common. Records and roll-ups name it by its id.
CREATE TABLE usage_series (
  id        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  mark      BLOB    NOT NULL UNIQUE, -- a digest of the columns from provider to roles
  provider  TEXT    NOT NULL,
  model     TEXT    NOT NULL,
  call_type TEXT    NOT NULL,
  status    TEXT    NOT NULL,
  key_uid   TEXT    NOT NULL,
  key_name  TEXT    NOT NULL,
  owner     TEXT    NOT NULL,
  namespace TEXT    NOT NULL,
  roles     TEXT    NOT NULL, -- JSON; those that the key named then, whose counters a new price corrects
  used_at   INTEGER NOT NULL -- no earlier than a day before the receipt of its latest record
) STRICT;

CREATE TABLE usage_records (
  number         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  mark           BLOB    NOT NULL UNIQUE, -- a digest of owner and id
  id             TEXT    NOT NULL,
  at             INTEGER NOT NULL,
  received_at    INTEGER NOT NULL,
  job            TEXT    NOT NULL,
  series         INTEGER NOT NULL,
  input          INTEGER NOT NULL,
  output         INTEGER NOT NULL,
  cache_read     INTEGER NOT NULL,
  cache_write    INTEGER NOT NULL,
  reasoning      INTEGER NOT NULL,
  cost           INTEGER, -- billionths of a dollar, as everywhere
  price          TEXT    NOT NULL,
  duration_ms    INTEGER,
  prompt_chars   INTEGER NOT NULL,
  response_chars INTEGER NOT NULL,
  service_tier   TEXT    NOT NULL,
  tags           TEXT    NOT NULL -- JSON, or empty
) STRICT;
CREATE INDEX usage_records_at ON usage_records (at);
CREATE INDEX usage_records_received_at ON usage_records (received_at);
CREATE INDEX usage_records_job ON usage_records (job, at) WHERE job <> '';

-- Sums for each quarter of an hour, which begins at quarter. Reports read the rows of a series one after the other.
CREATE TABLE usage_rollups (
  series      INTEGER NOT NULL,
  quarter     INTEGER NOT NULL,
  calls       INTEGER NOT NULL,
  unpriced    INTEGER NOT NULL,
  timed       INTEGER NOT NULL,
  input       INTEGER NOT NULL,
  output      INTEGER NOT NULL,
  cache_read  INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  reasoning   INTEGER NOT NULL,
  cost        INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  PRIMARY KEY (series, quarter)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_rollups_quarter ON usage_rollups (quarter);

-- The same sums for each day in UTC, for reports of whole days.
CREATE TABLE usage_days (
  series      INTEGER NOT NULL,
  day         INTEGER NOT NULL,
  calls       INTEGER NOT NULL,
  unpriced    INTEGER NOT NULL,
  timed       INTEGER NOT NULL,
  input       INTEGER NOT NULL,
  output      INTEGER NOT NULL,
  cache_read  INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  reasoning   INTEGER NOT NULL,
  cost        INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  PRIMARY KEY (series, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_days_day ON usage_days (day);

CREATE TABLE usage_tags (
  series      INTEGER NOT NULL,
  quarter     INTEGER NOT NULL,
  tag         TEXT    NOT NULL,
  calls       INTEGER NOT NULL,
  unpriced    INTEGER NOT NULL,
  timed       INTEGER NOT NULL,
  input       INTEGER NOT NULL,
  output      INTEGER NOT NULL,
  cache_read  INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  reasoning   INTEGER NOT NULL,
  cost        INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  PRIMARY KEY (series, quarter, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_tags_quarter ON usage_tags (quarter);

CREATE TABLE usage_jobs (
  job         TEXT    NOT NULL,
  day         INTEGER NOT NULL,
  calls       INTEGER NOT NULL,
  unpriced    INTEGER NOT NULL,
  timed       INTEGER NOT NULL,
  input       INTEGER NOT NULL,
  output      INTEGER NOT NULL,
  cache_read  INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  reasoning   INTEGER NOT NULL,
  cost        INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  PRIMARY KEY (job, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_jobs_day ON usage_jobs (day, job);

-- What was used in a period of a budget, by a key or a role: the other is empty.
CREATE TABLE usage_counters (
  key_uid TEXT    NOT NULL,
  role    TEXT    NOT NULL,
  period  TEXT    NOT NULL,
  start   INTEGER NOT NULL,
  tokens  INTEGER NOT NULL,
  cost    INTEGER NOT NULL,
  PRIMARY KEY (key_uid, role, period, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_counters_start ON usage_counters (start);
