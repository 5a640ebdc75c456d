-- +goose Up
-- What the calls of a series have in common. Records and roll-ups name it by its id.
CREATE TABLE usage_series (
  id        BIGINT NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  mark      BYTEA  NOT NULL UNIQUE, -- a digest of the columns from provider to roles
  provider  TEXT   NOT NULL,
  model     TEXT   NOT NULL,
  call_type TEXT   NOT NULL,
  status    TEXT   NOT NULL,
  key_uid   TEXT   NOT NULL,
  key_name  TEXT   NOT NULL,
  owner     TEXT   NOT NULL,
  namespace TEXT   NOT NULL,
  roles     TEXT   NOT NULL, -- JSON; those that the key named then, whose counters a new price corrects
  used_at   BIGINT NOT NULL -- no earlier than a day before the receipt of its latest record
);

CREATE TABLE usage_records (
  number         BIGINT NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  mark           BYTEA  NOT NULL UNIQUE, -- a digest of owner and id
  id             TEXT   NOT NULL,
  at             BIGINT NOT NULL,
  received_at    BIGINT NOT NULL,
  job            TEXT   NOT NULL,
  series         BIGINT NOT NULL,
  input          BIGINT NOT NULL,
  output         BIGINT NOT NULL,
  cache_read     BIGINT NOT NULL,
  cache_write    BIGINT NOT NULL,
  reasoning      BIGINT NOT NULL,
  cost           BIGINT, -- billionths of a dollar, as everywhere
  price          TEXT   NOT NULL,
  duration_ms    BIGINT,
  prompt_chars   BIGINT NOT NULL,
  response_chars BIGINT NOT NULL,
  service_tier   TEXT   NOT NULL,
  tags           TEXT   NOT NULL -- JSON, or empty
);
CREATE INDEX usage_records_at ON usage_records (at, number);
CREATE INDEX usage_records_received_at ON usage_records (received_at);
CREATE INDEX usage_records_job ON usage_records (job, at) WHERE job <> '';

-- Sums for each quarter of an hour, which begins at quarter. Reports read the rows of a series one after the other.
CREATE TABLE usage_rollups (
  series      BIGINT NOT NULL,
  quarter     BIGINT NOT NULL,
  calls       BIGINT NOT NULL,
  unpriced    BIGINT NOT NULL,
  timed       BIGINT NOT NULL,
  input       BIGINT NOT NULL,
  output      BIGINT NOT NULL,
  cache_read  BIGINT NOT NULL,
  cache_write BIGINT NOT NULL,
  reasoning   BIGINT NOT NULL,
  cost        BIGINT NOT NULL,
  duration_ms BIGINT NOT NULL,
  PRIMARY KEY (series, quarter)
);
CREATE INDEX usage_rollups_quarter ON usage_rollups (quarter);

-- The same sums for each day in UTC, for reports of whole days.
CREATE TABLE usage_days (
  series      BIGINT NOT NULL,
  day         BIGINT NOT NULL,
  calls       BIGINT NOT NULL,
  unpriced    BIGINT NOT NULL,
  timed       BIGINT NOT NULL,
  input       BIGINT NOT NULL,
  output      BIGINT NOT NULL,
  cache_read  BIGINT NOT NULL,
  cache_write BIGINT NOT NULL,
  reasoning   BIGINT NOT NULL,
  cost        BIGINT NOT NULL,
  duration_ms BIGINT NOT NULL,
  PRIMARY KEY (series, day)
);
CREATE INDEX usage_days_day ON usage_days (day);

CREATE TABLE usage_tags (
  series      BIGINT NOT NULL,
  quarter     BIGINT NOT NULL,
  tag         TEXT   NOT NULL,
  calls       BIGINT NOT NULL,
  unpriced    BIGINT NOT NULL,
  timed       BIGINT NOT NULL,
  input       BIGINT NOT NULL,
  output      BIGINT NOT NULL,
  cache_read  BIGINT NOT NULL,
  cache_write BIGINT NOT NULL,
  reasoning   BIGINT NOT NULL,
  cost        BIGINT NOT NULL,
  duration_ms BIGINT NOT NULL,
  PRIMARY KEY (series, quarter, tag)
);
CREATE INDEX usage_tags_quarter ON usage_tags (quarter);

CREATE TABLE usage_jobs (
  job         TEXT   NOT NULL,
  day         BIGINT NOT NULL,
  calls       BIGINT NOT NULL,
  unpriced    BIGINT NOT NULL,
  timed       BIGINT NOT NULL,
  input       BIGINT NOT NULL,
  output      BIGINT NOT NULL,
  cache_read  BIGINT NOT NULL,
  cache_write BIGINT NOT NULL,
  reasoning   BIGINT NOT NULL,
  cost        BIGINT NOT NULL,
  duration_ms BIGINT NOT NULL,
  PRIMARY KEY (job, day)
);
CREATE INDEX usage_jobs_day ON usage_jobs (day, job);

-- What was used in a period of a budget, by a key or a role: the other is empty.
CREATE TABLE usage_counters (
  key_uid TEXT   NOT NULL,
  role    TEXT   NOT NULL,
  period  TEXT   NOT NULL,
  start   BIGINT NOT NULL,
  tokens  BIGINT NOT NULL,
  cost    BIGINT NOT NULL,
  PRIMARY KEY (key_uid, role, period, start)
);
CREATE INDEX usage_counters_start ON usage_counters (start);
