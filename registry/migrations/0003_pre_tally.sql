-- What resolvers have answered, counted: by time and prefix, by source, and second by second. The workers of a node add
-- to the same rows, each in one transaction at a time and in the order of the keys. None of these tables is a handle table.

CREATE TABLE resolution_count (
  period text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL,
  prefix_id int NOT NULL,
  system text COLLATE "C" NOT NULL,
  protocol text COLLATE "C" NOT NULL,
  requests bigint NOT NULL,
  successes bigint NOT NULL,
  PRIMARY KEY (period, at, prefix_id, system, protocol)
) WITH (fillfactor = 50);
COMMENT ON TABLE resolution_count IS 'Resolutions by prefix, code system and protocol; each is in its minute, its hour and its day.';
COMMENT ON COLUMN resolution_count.period IS 'minute, hour or day.';
COMMENT ON COLUMN resolution_count.at IS 'When the period began.';
COMMENT ON COLUMN resolution_count.prefix_id IS 'The prefix asked for; 0 for all that are not this node''s.';
COMMENT ON COLUMN resolution_count.system IS 'Code system of the identifiers.';
COMMENT ON COLUMN resolution_count.protocol IS 'http, https, batch, udp, tcp or tunnel.';
COMMENT ON COLUMN resolution_count.requests IS 'Identifiers that were asked for.';
COMMENT ON COLUMN resolution_count.successes IS 'Those that content was found for and shown.';

CREATE TABLE resolution_source (
  day timestamptz NOT NULL,
  prefix_id int NOT NULL,
  source text COLLATE "C" NOT NULL,
  requests bigint NOT NULL,
  successes bigint NOT NULL,
  PRIMARY KEY (day, prefix_id, source)
) WITH (fillfactor = 50);
COMMENT ON TABLE resolution_source IS 'Resolutions of a day by prefix and by where they came from.';
COMMENT ON COLUMN resolution_source.day IS 'When the day began.';
COMMENT ON COLUMN resolution_source.prefix_id IS 'The prefix asked for; 0 for all that are not this node''s.';
COMMENT ON COLUMN resolution_source.source IS 'IPv4 address or IPv6 /64; empty for those beyond the number that is kept.';
COMMENT ON COLUMN resolution_source.requests IS 'Identifiers that were asked for.';
COMMENT ON COLUMN resolution_source.successes IS 'Those that content was found for and shown.';

CREATE TABLE resolution_second (
  day timestamptz NOT NULL,
  at timestamptz NOT NULL,
  requests bigint NOT NULL,
  PRIMARY KEY (day, at)
) WITH (fillfactor = 50);
COMMENT ON TABLE resolution_second IS 'Resolutions of each second lately, and of the busiest second of each day before.';
COMMENT ON COLUMN resolution_second.day IS 'When the day began.';
COMMENT ON COLUMN resolution_second.at IS 'When the second began.';
COMMENT ON COLUMN resolution_second.requests IS 'Identifiers that were asked for, by all workers.';
