-- Jobs: files of changes that the registry works off by itself; and which load wrote a version, so that it can be undone.

CREATE TABLE job (
  job_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  enterprise_id int,
  submitted_by text NOT NULL,
  administrator jsonb NOT NULL,
  idempotency_key text NOT NULL,
  digest bytea NOT NULL,
  kind text COLLATE "C" NOT NULL,
  form text COLLATE "C" NOT NULL,
  source text NOT NULL,
  on_error text COLLATE "C" NOT NULL,
  wish jsonb,
  columns jsonb,
  octets bigint NOT NULL,
  state text COLLATE "C" NOT NULL,
  batch_id int,
  octets_read bigint NOT NULL DEFAULT 0,
  rate int NOT NULL DEFAULT 0,
  fault jsonb,
  created_at timestamptz NOT NULL,
  started_at timestamptz,
  finished_at timestamptz,
  kept boolean NOT NULL DEFAULT true,
  cancelled_by text,
  UNIQUE (submitted_by, idempotency_key)
);
CREATE INDEX job_open ON job (job_id) WHERE finished_at IS NULL;
CREATE INDEX job_finished_at ON job (finished_at) WHERE kept;
CREATE INDEX job_enterprise_id ON job (enterprise_id, job_id);
COMMENT ON TABLE job IS 'Files of changes, each worked off chunk by chunk as the ledger of loads has it.';
COMMENT ON COLUMN job.job_id IS 'Number of the job.';
COMMENT ON COLUMN job.enterprise_id IS 'Whose it is; none for the node''s own. Enterprises take turns.';
COMMENT ON COLUMN job.submitted_by IS 'Who sent it: an administrator as index:handle, a token, or a command.';
COMMENT ON COLUMN job.administrator IS 'The same with what he was allowed, as registry/jobs.py has it.';
COMMENT ON COLUMN job.idempotency_key IS 'Its name of the sender''s choice: sent again under it, it is the same job.';
COMMENT ON COLUMN job.digest IS 'SHA-256 of the file.';
COMMENT ON COLUMN job.kind IS 'register, update, delete or state.';
COMMENT ON COLUMN job.form IS 'ndjson, csv or xlsx.';
COMMENT ON COLUMN job.source IS 'Name of the file, for people.';
COMMENT ON COLUMN job.on_error IS 'proceed without the rows that are refused, or rollback when one is.';
COMMENT ON COLUMN job.wish IS 'Of kind state: what the handles are to become.';
COMMENT ON COLUMN job.columns IS 'What the columns of a table mean, when its header does not say it.';
COMMENT ON COLUMN job.octets IS 'Length of the file.';
COMMENT ON COLUMN job.state IS 'queued, running, undoing, finished, cancelled, undone or failed.';
COMMENT ON COLUMN job.batch_id IS 'Its load in the ledger, once it has begun.';
COMMENT ON COLUMN job.octets_read IS 'How far the file was read.';
COMMENT ON COLUMN job.rate IS 'Rows a second, lately.';
COMMENT ON COLUMN job.fault IS 'Why it waits, or why it failed: a rule and its culprit.';
COMMENT ON COLUMN job.created_at IS 'When it was sent.';
COMMENT ON COLUMN job.started_at IS 'When its first chunk was begun.';
COMMENT ON COLUMN job.finished_at IS 'When it ended.';
COMMENT ON COLUMN job.kept IS 'Whether its file is still there.';
COMMENT ON COLUMN job.cancelled_by IS 'Who wants it to end before its time.';

CREATE TABLE column_mapping (
  enterprise_id int NOT NULL,
  header_digest bytea NOT NULL,
  form jsonb NOT NULL,
  saved_by text NOT NULL,
  saved_at timestamptz NOT NULL,
  PRIMARY KEY (enterprise_id, header_digest)
);
COMMENT ON TABLE column_mapping IS 'What the columns of tables with this header mean to an enterprise.';
COMMENT ON COLUMN column_mapping.enterprise_id IS 'The enterprise; 0 is the node itself.';
COMMENT ON COLUMN column_mapping.header_digest IS 'SHA-256 of the header''s names, whatever their order.';
COMMENT ON COLUMN column_mapping.form IS 'What each column means, in the form of registry/column_mapping.py.';
COMMENT ON COLUMN column_mapping.saved_by IS 'Who said so.';
COMMENT ON COLUMN column_mapping.saved_at IS 'When.';

ALTER TABLE handle_history ADD COLUMN batch_id int;
COMMENT ON COLUMN handle_history.batch_id IS 'The load that wrote this version, when it was one.';
