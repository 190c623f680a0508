-- What the prober saw of the node from outside: the meter of its promises.

CREATE TABLE probe_minute (
  at timestamptz NOT NULL,
  probe text COLLATE "C" NOT NULL,
  asked int NOT NULL,
  answered int NOT NULL,
  seconds float8 NOT NULL,
  slowest float8 NOT NULL,
  PRIMARY KEY (at, probe)
);
COMMENT ON TABLE probe_minute IS 'Questions and writes of the prober, minute by minute.';
COMMENT ON COLUMN probe_minute.at IS 'When the minute began.';
COMMENT ON COLUMN probe_minute.probe IS 'http, https, tcp, udp: a resolution; register: a write; visible: until it was answered everywhere.';
COMMENT ON COLUMN probe_minute.asked IS 'How often it was tried.';
COMMENT ON COLUMN probe_minute.answered IS 'How often it succeeded in time.';
COMMENT ON COLUMN probe_minute.seconds IS 'What those that succeeded took, together.';
COMMENT ON COLUMN probe_minute.slowest IS 'The longest of them.';

CREATE TABLE incident (
  incident_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  service text COLLATE "C" NOT NULL,
  cause text NOT NULL,
  began_at timestamptz NOT NULL,
  ended_at timestamptz
);
COMMENT ON TABLE incident IS 'Times at which at least 51 in 100 probes of a service failed: an exception and its recovery.';
COMMENT ON COLUMN incident.incident_id IS 'Its number.';
COMMENT ON COLUMN incident.service IS 'What failed: resolve or register.';
COMMENT ON COLUMN incident.cause IS 'The reason that most of the failed probes gave.';
COMMENT ON COLUMN incident.began_at IS 'When the first such minute began.';
COMMENT ON COLUMN incident.ended_at IS 'When the first minute after it began that was not such a one; NULL until then.';
