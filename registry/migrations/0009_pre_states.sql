-- States of handles with who, when and why; and the audit log, which acts wait for until they are chained.

ALTER TABLE handle ADD COLUMN standing jsonb;
COMMENT ON COLUMN handle.state IS '0 active, 1 deleted, 2 reserved, 3 frozen, 4 revoked, 5 expired.';
COMMENT ON COLUMN handle.standing IS 'Since when it is in its state, by whom and why, as registry/standing.py has it; NULL where nobody chose it.';
COMMENT ON COLUMN handle.keys IS 'Of handles that are not deleted: short sums of the values it is found by, as registry/search_keys.py makes them.';

ALTER TABLE handle_history ADD COLUMN standing jsonb;
COMMENT ON COLUMN handle_history.standing IS 'What was known of its state then.';

COMMENT ON COLUMN change_log.operation IS 'Of kind 1: 1 registered, 2 changed, 3 deleted, 4 put into a state.';

CREATE TABLE handle_expiry (
  prefix_id int NOT NULL,
  suffix text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (prefix_id, suffix)
);
CREATE INDEX handle_expiry_at ON handle_expiry (at);
COMMENT ON TABLE handle_expiry IS 'Handles whose time is limited.';
COMMENT ON COLUMN handle_expiry.prefix_id IS 'The prefix.';
COMMENT ON COLUMN handle_expiry.suffix IS 'Key of the suffix.';
COMMENT ON COLUMN handle_expiry.at IS 'When it expires.';

CREATE TABLE act (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq bigint GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL,
  by text NOT NULL,
  program text NOT NULL,
  act text NOT NULL,
  prefix_id int,
  subject text NOT NULL,
  detail text NOT NULL,
  PRIMARY KEY (xid, seq)
);
COMMENT ON TABLE act IS 'Acts that are not chained yet, each written by the transaction that it is of.';
COMMENT ON COLUMN act.xid IS 'That transaction.';
COMMENT ON COLUMN act.seq IS 'Order inside the transaction.';
COMMENT ON COLUMN act.at IS 'When it was done.';
COMMENT ON COLUMN act.by IS 'Who did it: an administrator as index:handle, or a command.';
COMMENT ON COLUMN act.program IS 'The program that it was done through.';
COMMENT ON COLUMN act.act IS 'What was done, as registry/acts.py names it.';
COMMENT ON COLUMN act.prefix_id IS 'The prefix that it concerns, when it is one.';
COMMENT ON COLUMN act.subject IS 'What it was done to.';
COMMENT ON COLUMN act.detail IS 'What else belongs to it: JSON.';

CREATE TABLE audit (
  number bigint PRIMARY KEY,
  at timestamptz NOT NULL,
  by text NOT NULL,
  program text NOT NULL,
  act text NOT NULL,
  prefix_id int,
  subject text NOT NULL,
  detail text NOT NULL,
  chain bytea NOT NULL
);
CREATE INDEX audit_prefix_id ON audit (prefix_id, number);
COMMENT ON TABLE audit IS 'The audit log: rows are added and never changed.';
COMMENT ON COLUMN audit.number IS 'Place in the log, from 1 and without a gap.';
COMMENT ON COLUMN audit.at IS 'When it was done.';
COMMENT ON COLUMN audit.by IS 'Who did it: an administrator as index:handle, or a command.';
COMMENT ON COLUMN audit.program IS 'The program that it was done through.';
COMMENT ON COLUMN audit.act IS 'What was done, as registry/acts.py names it.';
COMMENT ON COLUMN audit.prefix_id IS 'The prefix that it concerns, when it is one.';
COMMENT ON COLUMN audit.subject IS 'What it was done to.';
COMMENT ON COLUMN audit.detail IS 'What else belongs to it: JSON.';
COMMENT ON COLUMN audit.chain IS 'SHA-256 of the row before''s and of this row.';

CREATE TABLE audit_head (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  number bigint NOT NULL,
  chain bytea NOT NULL
);
INSERT INTO audit_head (number, chain) VALUES (0, '\x');
COMMENT ON TABLE audit_head IS 'Where the audit log ends.';
COMMENT ON COLUMN audit_head.single IS 'One row only.';
COMMENT ON COLUMN audit_head.number IS 'Number of its last row; 0 before the first.';
COMMENT ON COLUMN audit_head.chain IS 'The last row''s chain.';
