-- The schema as it stands after every migration, to be read. Nothing runs this file but the test that holds it to the
-- migrations; a change of the schema is a new file in migrations/, and the same change here.

CREATE TABLE schema_migration (
  version int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL);

CREATE TABLE node (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  exact_suffixes boolean NOT NULL,
  created_at timestamptz NOT NULL,
  identity uuid NOT NULL DEFAULT gen_random_uuid()
);
COMMENT ON TABLE node IS 'What is fixed for the life of a registry.';
COMMENT ON COLUMN node.single IS 'One row only.';
COMMENT ON COLUMN node.exact_suffixes IS 'Whether suffixes differ by the case of ASCII letters.';
COMMENT ON COLUMN node.created_at IS 'When the registry was made.';
COMMENT ON COLUMN node.identity IS 'Made with the registry; its replicas and backups have the same.';

CREATE TABLE node_site (
  node text COLLATE "C" PRIMARY KEY,
  site bytea NOT NULL,
  serial int NOT NULL,
  published_at timestamptz NOT NULL
);
COMMENT ON TABLE node_site IS 'The site record that each node of this registry last published.';
COMMENT ON COLUMN node_site.node IS 'SHA-256 of the node''s public key, in hex.';
COMMENT ON COLUMN node_site.site IS 'HS_SITE data with the serial number 0.';
COMMENT ON COLUMN node_site.serial IS 'Its serial number, higher than any before it.';
COMMENT ON COLUMN node_site.published_at IS 'When it was said for the first time.';

CREATE TABLE enterprise (
  enterprise_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  name_en text NOT NULL DEFAULT '',
  industry text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL,
  state text COLLATE "C" NOT NULL DEFAULT 'active',
  max_handles bigint,
  max_rate int,
  max_prefixes int,
  personal bytea
);
COMMENT ON TABLE enterprise IS 'Who registers here.';
COMMENT ON COLUMN enterprise.enterprise_id IS 'Number inside this node.';
COMMENT ON COLUMN enterprise.name IS 'Name in its own language.';
COMMENT ON COLUMN enterprise.name_en IS 'Name in English, when it has one.';
COMMENT ON COLUMN enterprise.industry IS 'Industry, as the operator names it.';
COMMENT ON COLUMN enterprise.created_at IS 'When it was added.';
COMMENT ON COLUMN enterprise.state IS 'active, suspended or left.';
COMMENT ON COLUMN enterprise.max_handles IS 'Handles it may have registered; none is without limit.';
COMMENT ON COLUMN enterprise.max_rate IS 'Handles it may register a minute, one by one; none is without limit.';
COMMENT ON COLUMN enterprise.max_prefixes IS 'Prefixes it may have; none is without limit.';
COMMENT ON COLUMN enterprise.personal IS 'Its legal person and contact, encrypted; nothing once it has left.';

CREATE TABLE prefix (
  prefix_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  prefix text COLLATE "C" NOT NULL UNIQUE,
  spelling text COLLATE "C" NOT NULL,
  enterprise_id int REFERENCES enterprise,
  homed boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL
);
COMMENT ON TABLE prefix IS 'Prefixes that this node is or was responsible for.';
COMMENT ON COLUMN prefix.prefix_id IS 'Number that stands for the prefix in every handle row.';
COMMENT ON COLUMN prefix.prefix IS 'Key: ASCII letters folded to upper case.';
COMMENT ON COLUMN prefix.spelling IS 'As it was homed.';
COMMENT ON COLUMN prefix.enterprise_id IS 'Whose it is; none for the node''s own.';
COMMENT ON COLUMN prefix.homed IS 'False when handles of it are answered elsewhere.';
COMMENT ON COLUMN prefix.created_at IS 'When it was first homed.';

CREATE TABLE handle (
  created_at timestamptz NOT NULL,
  updated_at timestamptz,
  prefix_id int NOT NULL,
  version int NOT NULL DEFAULT 1,
  batch_id int,
  state smallint NOT NULL DEFAULT 0,
  suffix text COLLATE "C" NOT NULL,
  spelling text COLLATE "C",
  packed bytea NOT NULL,
  keys jsonb,
  standing jsonb,
  PRIMARY KEY (prefix_id, suffix)
) WITH (fillfactor = 95);
CREATE INDEX handle_keys ON handle USING gin (keys jsonb_path_ops) WHERE keys IS NOT NULL;
COMMENT ON TABLE handle IS 'One row a handle.';
COMMENT ON COLUMN handle.created_at IS 'When it was registered.';
COMMENT ON COLUMN handle.updated_at IS 'When it was last changed; NULL until then.';
COMMENT ON COLUMN handle.prefix_id IS 'Its prefix.';
COMMENT ON COLUMN handle.version IS 'How often it was written; goes on counting through a deletion.';
COMMENT ON COLUMN handle.batch_id IS 'The bulk load that wrote it last, if one did.';
COMMENT ON COLUMN handle.state IS '0 active, 1 deleted, 2 reserved, 3 frozen, 4 revoked, 5 expired.';
COMMENT ON COLUMN handle.suffix IS 'Key: folded unless the node keeps suffixes exact.';
COMMENT ON COLUMN handle.spelling IS 'The suffix as registered, when that is not the key.';
COMMENT ON COLUMN handle.packed IS 'Its values, in the form of registry/packing.py.';
COMMENT ON COLUMN handle.keys IS 'Of handles that are not deleted: short sums of the values it is found by, as registry/search_keys.py makes them.';
COMMENT ON COLUMN handle.standing IS 'Since when it is in its state, by whom and why, as registry/standing.py has it; NULL where nobody chose it.';

CREATE TABLE dictionary (
  number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  body bytea NOT NULL,
  created_at timestamptz NOT NULL
);
COMMENT ON TABLE dictionary IS 'What stored values are deflated against.';
COMMENT ON COLUMN dictionary.number IS 'Number that deflated values name.';
COMMENT ON COLUMN dictionary.body IS 'Sample values, as registry/deflating.py uses them.';
COMMENT ON COLUMN dictionary.created_at IS 'When a bulk load made it.';

CREATE TABLE searchable (
  prefix_id int NOT NULL,
  type text COLLATE "C" NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (prefix_id, type)
);
COMMENT ON TABLE searchable IS 'Types of values by which handles of a prefix are found.';
COMMENT ON COLUMN searchable.prefix_id IS 'The prefix.';
COMMENT ON COLUMN searchable.type IS 'The type, as its values spell it.';
COMMENT ON COLUMN searchable.created_at IS 'When it was declared.';

CREATE TABLE handle_history (
  at timestamptz NOT NULL,
  prefix_id int NOT NULL,
  version int NOT NULL,
  state smallint NOT NULL,
  suffix text COLLATE "C" NOT NULL,
  changed_by text NOT NULL,
  packed bytea NOT NULL,
  written_at timestamptz NOT NULL,
  standing jsonb,
  batch_id int,
  PRIMARY KEY (prefix_id, suffix, version)
);
COMMENT ON TABLE handle_history IS 'What a handle said before each change.';
COMMENT ON COLUMN handle_history.at IS 'When this version was replaced.';
COMMENT ON COLUMN handle_history.prefix_id IS 'Its prefix.';
COMMENT ON COLUMN handle_history.version IS 'The version that was replaced.';
COMMENT ON COLUMN handle_history.state IS 'Its state then.';
COMMENT ON COLUMN handle_history.suffix IS 'Key of its suffix.';
COMMENT ON COLUMN handle_history.changed_by IS 'Administrator who replaced it, as index:handle, or the program.';
COMMENT ON COLUMN handle_history.packed IS 'Its values then.';
COMMENT ON COLUMN handle_history.written_at IS 'When this version was written: the time its values carry.';
COMMENT ON COLUMN handle_history.standing IS 'What was known of its state then.';
COMMENT ON COLUMN handle_history.batch_id IS 'The load that wrote this version, when it was one.';

CREATE TABLE handle_count (
  prefix_id int NOT NULL,
  slot smallint NOT NULL,
  registered bigint NOT NULL,
  PRIMARY KEY (prefix_id, slot)
) WITH (fillfactor = 50);
COMMENT ON TABLE handle_count IS 'Active handles of each prefix: the sum over its slots, exact in every snapshot.';
COMMENT ON COLUMN handle_count.prefix_id IS 'The prefix.';
COMMENT ON COLUMN handle_count.slot IS 'Several rows a prefix, so that writers seldom wait for each other.';
COMMENT ON COLUMN handle_count.registered IS 'This slot''s part of the sum; may be negative.';

CREATE TABLE change_log (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  seq bigint GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  kind smallint NOT NULL,
  prefix_id int,
  suffix text COLLATE "C",
  suffix_to text COLLATE "C",
  version int,
  operation smallint,
  batch_id int,
  written_at timestamptz,
  PRIMARY KEY (xid, seq)
);
COMMENT ON TABLE change_log IS 'What was changed, written by the transaction that changed it; read as registry/changes.py does.';
COMMENT ON COLUMN change_log.xid IS 'Transaction that made the change.';
COMMENT ON COLUMN change_log.seq IS 'Order inside the transaction; says nothing about order between transactions.';
COMMENT ON COLUMN change_log.at IS 'When it was written, before its commit.';
COMMENT ON COLUMN change_log.kind IS '1 one handle, 2 a range of suffixes, 3 a prefix, 4 everything.';
COMMENT ON COLUMN change_log.prefix_id IS 'Prefix of kinds 1 to 3.';
COMMENT ON COLUMN change_log.suffix IS 'Suffix, or the first of a range.';
COMMENT ON COLUMN change_log.suffix_to IS 'Last suffix of a range.';
COMMENT ON COLUMN change_log.version IS 'Of a change of one handle: the version that was written.';
COMMENT ON COLUMN change_log.operation IS 'What became of the one handle: 1 registered, 2 changed, 3 deleted, 4 put into a state, 5 linked to or no longer. Of every kind: 6, nothing, and caches forget it.';
COMMENT ON COLUMN change_log.batch_id IS 'Of kind 2: the bulk load.';
COMMENT ON COLUMN change_log.written_at IS 'Of kind 2: the time that the handles written carry.';

CREATE TABLE import_batch (
  batch_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  load_key text NOT NULL,
  source text NOT NULL,
  form text NOT NULL,
  loaded_by text NOT NULL,
  columns text[],
  created_at timestamptz NOT NULL,
  finished_at timestamptz
);
CREATE INDEX import_batch_load_key ON import_batch (load_key);
COMMENT ON TABLE import_batch IS 'Bulk loads.';
COMMENT ON COLUMN import_batch.batch_id IS 'Number of the load.';
COMMENT ON COLUMN import_batch.load_key IS 'What makes a second run the same load: an unfinished one of this key is taken up again.';
COMMENT ON COLUMN import_batch.source IS 'Name of the file, for people.';
COMMENT ON COLUMN import_batch.form IS 'ndjson, csv or xlsx.';
COMMENT ON COLUMN import_batch.loaded_by IS 'Who loaded it.';
COMMENT ON COLUMN import_batch.columns IS 'Header of a csv or xlsx file.';
COMMENT ON COLUMN import_batch.created_at IS 'When it began.';
COMMENT ON COLUMN import_batch.finished_at IS 'When its last chunk was committed.';

CREATE TABLE import_chunk (
  batch_id int NOT NULL REFERENCES import_batch ON DELETE CASCADE,
  chunk int NOT NULL,
  digest bytea NOT NULL,
  lines int NOT NULL,
  created int NOT NULL,
  updated int NOT NULL,
  unchanged int NOT NULL,
  refused int NOT NULL,
  PRIMARY KEY (batch_id, chunk)
);
COMMENT ON TABLE import_chunk IS 'Ledger: a chunk is here if and only if its rows are.';
COMMENT ON COLUMN import_chunk.batch_id IS 'The load.';
COMMENT ON COLUMN import_chunk.chunk IS 'Number of the chunk, from 0.';
COMMENT ON COLUMN import_chunk.digest IS 'SHA-256 of its rows as they were read: a changed file is not taken for the same.';
COMMENT ON COLUMN import_chunk.lines IS 'Rows read.';
COMMENT ON COLUMN import_chunk.created IS 'Rows that registered a handle.';
COMMENT ON COLUMN import_chunk.updated IS 'Rows that changed one.';
COMMENT ON COLUMN import_chunk.unchanged IS 'Rows that said what was there.';
COMMENT ON COLUMN import_chunk.refused IS 'Rows refused.';

CREATE TABLE import_refusal (
  batch_id int NOT NULL REFERENCES import_batch ON DELETE CASCADE,
  chunk int NOT NULL,
  line bigint NOT NULL,
  field text NOT NULL,
  rule text NOT NULL,
  culprit jsonb NOT NULL,
  line_text text NOT NULL,
  PRIMARY KEY (batch_id, chunk, line)
);
COMMENT ON TABLE import_refusal IS 'Rows that a load refused, and why.';
COMMENT ON COLUMN import_refusal.batch_id IS 'The load.';
COMMENT ON COLUMN import_refusal.chunk IS 'The chunk that it was read in.';
COMMENT ON COLUMN import_refusal.line IS 'Line of the file, from 1.';
COMMENT ON COLUMN import_refusal.field IS 'Path or column of the culprit.';
COMMENT ON COLUMN import_refusal.rule IS 'Rule it broke, a name of registry/errors.py.';
COMMENT ON COLUMN import_refusal.culprit IS 'What the rule''s text names.';
COMMENT ON COLUMN import_refusal.line_text IS 'The row as it was read, cut when very long.';

CREATE UNLOGGED TABLE session (
  session_id text PRIMARY KEY,
  nonce bytea NOT NULL,
  identity text,
  expires_at timestamptz NOT NULL
);
CREATE INDEX session_expires_at ON session (expires_at);
COMMENT ON TABLE session IS 'Challenges and sessions of the HTTP interface: what one worker starts another may finish.';
COMMENT ON COLUMN session.session_id IS 'Random name that the client repeats; stored as its SHA-256.';
COMMENT ON COLUMN session.nonce IS 'What the client signs.';
COMMENT ON COLUMN session.identity IS 'index:handle once proved.';
COMMENT ON COLUMN session.expires_at IS 'When it ends.';

CREATE UNLOGGED TABLE native_challenge (
  challenge_id int PRIMARY KEY,
  nonce bytea NOT NULL,
  request bytea NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX native_challenge_expires_at ON native_challenge (expires_at);
COMMENT ON TABLE native_challenge IS 'Requests of the native protocol that wait for proof of who asks.';
COMMENT ON COLUMN native_challenge.challenge_id IS 'What the answer names: even by itself, odd when it is its session''s number.';
COMMENT ON COLUMN native_challenge.nonce IS 'What the client proves itself over, together with the request''s digest.';
COMMENT ON COLUMN native_challenge.request IS 'The request, encrypted with the node''s key.';
COMMENT ON COLUMN native_challenge.expires_at IS 'When an answer comes too late.';

CREATE UNLOGGED TABLE native_session (
  session_id int PRIMARY KEY,
  session_key bytea NOT NULL,
  claimed text,
  identity text,
  idle_seconds int NOT NULL,
  highest bigint NOT NULL DEFAULT -1,
  seen bit(200) NOT NULL DEFAULT repeat('0', 200)::bit(200),
  answers bigint NOT NULL DEFAULT 0,
  expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX native_session_expires_at ON native_session (expires_at);
COMMENT ON TABLE native_session IS 'Sessions of the native protocol.';
COMMENT ON COLUMN native_session.session_id IS 'What its messages name; odd.';
COMMENT ON COLUMN native_session.session_key IS 'The key agreed on, encrypted with the node''s key.';
COMMENT ON COLUMN native_session.claimed IS 'index:handle of who it was set up for; none for anybody.';
COMMENT ON COLUMN native_session.identity IS 'index:handle once proved.';
COMMENT ON COLUMN native_session.idle_seconds IS 'How long it lives without a message.';
COMMENT ON COLUMN native_session.highest IS 'Highest number of a message received.';
COMMENT ON COLUMN native_session.seen IS 'Which of that and the 199 numbers below it were received, highest first.';
COMMENT ON COLUMN native_session.answers IS 'Answers written with a number of our own.';
COMMENT ON COLUMN native_session.expires_at IS 'When it ends unless a message comes.';

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
COMMENT ON COLUMN resolution_count.protocol IS 'http, https, batch, udp, tcp, tunnel or dns.';
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

CREATE TABLE receipt (
  key bytea PRIMARY KEY,
  digest bytea NOT NULL,
  handle text,
  created boolean,
  version int,
  made_at timestamptz NOT NULL,
  answer bytea
);
CREATE INDEX receipt_made_at ON receipt (made_at);
COMMENT ON TABLE receipt IS 'Writes that were sent with an Idempotency-Key, each in the transaction of its write.';
COMMENT ON COLUMN receipt.key IS 'SHA-256 of who wrote and of the key.';
COMMENT ON COLUMN receipt.digest IS 'SHA-256 of what the request said.';
COMMENT ON COLUMN receipt.handle IS 'Not written any more.';
COMMENT ON COLUMN receipt.created IS 'Not written any more.';
COMMENT ON COLUMN receipt.version IS 'Not written any more.';
COMMENT ON COLUMN receipt.made_at IS 'When it was written.';
COMMENT ON COLUMN receipt.answer IS 'What was answered, sealed with the key itself.';

CREATE TABLE template (
  prefix_id int NOT NULL,
  name text COLLATE "C" NOT NULL,
  version int NOT NULL,
  state smallint NOT NULL DEFAULT 0,
  form jsonb NOT NULL,
  changed_by text NOT NULL,
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (prefix_id, name, version)
);
COMMENT ON TABLE template IS 'Versions of templates, each of which says what values a class of objects has.';
COMMENT ON COLUMN template.prefix_id IS 'The prefix whose template it is.';
COMMENT ON COLUMN template.name IS 'Its name there.';
COMMENT ON COLUMN template.version IS 'Counts from 1.';
COMMENT ON COLUMN template.state IS '0 draft, 1 published, 2 deprecated; only a draft can be changed.';
COMMENT ON COLUMN template.form IS 'What it says, in the form of registry/template.py.';
COMMENT ON COLUMN template.changed_by IS 'Administrator who saved it or changed its state last, as index:handle, or the program.';
COMMENT ON COLUMN template.changed_at IS 'When that was.';

CREATE TABLE suffix_rule (
  prefix_id int NOT NULL,
  place smallint NOT NULL,
  form jsonb NOT NULL,
  changed_by text NOT NULL,
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (prefix_id, place)
);
COMMENT ON TABLE suffix_rule IS 'Forms of suffixes: a new one must have one of those of its prefix, if there are any.';
COMMENT ON COLUMN suffix_rule.prefix_id IS 'The prefix.';
COMMENT ON COLUMN suffix_rule.place IS 'Its place among the rules of the prefix.';
COMMENT ON COLUMN suffix_rule.form IS 'The rule, in the form of registry/suffixes.py.';
COMMENT ON COLUMN suffix_rule.changed_by IS 'Administrator who saved it, as index:handle, or the program.';
COMMENT ON COLUMN suffix_rule.changed_at IS 'When that was.';

CREATE TABLE minter (
  prefix_id int NOT NULL,
  name text COLLATE "C" NOT NULL,
  form jsonb NOT NULL,
  changed_by text NOT NULL,
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (prefix_id, name)
);
COMMENT ON TABLE minter IS 'How suffixes below a prefix are made for those who ask for one.';
COMMENT ON COLUMN minter.prefix_id IS 'The prefix.';
COMMENT ON COLUMN minter.name IS 'Its name there.';
COMMENT ON COLUMN minter.form IS 'What it makes, in the form of registry/suffixes.py.';
COMMENT ON COLUMN minter.changed_by IS 'Administrator who saved it, as index:handle, or the program.';
COMMENT ON COLUMN minter.changed_at IS 'When that was.';

CREATE TABLE minted (
  prefix_id int NOT NULL,
  minter text COLLATE "C" NOT NULL,
  scope text COLLATE "C" NOT NULL,
  last bigint NOT NULL,
  PRIMARY KEY (prefix_id, minter, scope)
) WITH (fillfactor = 50);
COMMENT ON TABLE minted IS 'Which serials were given out: all up to the last one, in each scope of a minter.';
COMMENT ON COLUMN minted.prefix_id IS 'The prefix.';
COMMENT ON COLUMN minted.minter IS 'The minter.';
COMMENT ON COLUMN minted.scope IS 'The date and the line that its serials are counted in.';
COMMENT ON COLUMN minted.last IS 'The last serial that was given out.';

CREATE TABLE suffix_block (
  prefix_id int NOT NULL,
  minter text COLLATE "C" NOT NULL,
  scope text COLLATE "C" NOT NULL,
  first bigint NOT NULL,
  count int NOT NULL,
  line text NOT NULL,
  day date NOT NULL,
  reserved_by text NOT NULL,
  reserved_at timestamptz NOT NULL,
  PRIMARY KEY (prefix_id, minter, scope, first)
);
COMMENT ON TABLE suffix_block IS 'Serials given out before they are used: for a line that registers later what it makes now.';
COMMENT ON COLUMN suffix_block.prefix_id IS 'The prefix.';
COMMENT ON COLUMN suffix_block.minter IS 'The minter.';
COMMENT ON COLUMN suffix_block.scope IS 'The date and the line that its serials are counted in.';
COMMENT ON COLUMN suffix_block.first IS 'The first serial.';
COMMENT ON COLUMN suffix_block.count IS 'How many there are.';
COMMENT ON COLUMN suffix_block.line IS 'The line that they are for, as it was named.';
COMMENT ON COLUMN suffix_block.day IS 'The day that they are for.';
COMMENT ON COLUMN suffix_block.reserved_by IS 'Administrator who reserved them, as index:handle, or the program.';
COMMENT ON COLUMN suffix_block.reserved_at IS 'When that was.';
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
COMMENT ON TABLE audit_head IS 'Where the audit log ends.';
COMMENT ON COLUMN audit_head.single IS 'One row only.';
COMMENT ON COLUMN audit_head.number IS 'Number of its last row; 0 before the first.';
COMMENT ON COLUMN audit_head.chain IS 'The last row''s chain.';
CREATE TABLE quota_use (
  enterprise_id int NOT NULL,
  minute timestamptz NOT NULL,
  used int NOT NULL,
  PRIMARY KEY (enterprise_id, minute)
) WITH (fillfactor = 50);
COMMENT ON TABLE quota_use IS 'Handles registered one by one in a minute, of enterprises with a limit on them.';
COMMENT ON COLUMN quota_use.enterprise_id IS 'The enterprise.';
COMMENT ON COLUMN quota_use.minute IS 'When the minute began.';
COMMENT ON COLUMN quota_use.used IS 'How many were registered in it.';

CREATE TABLE person (
  person_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  enterprise_id int REFERENCES enterprise,
  role text COLLATE "C" NOT NULL,
  password text NOT NULL,
  active boolean NOT NULL DEFAULT true,
  failures int NOT NULL DEFAULT 0,
  failed_at timestamptz,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  issuer text COLLATE "C",
  subject text COLLATE "C"
);
CREATE INDEX person_enterprise_id ON person (enterprise_id);
CREATE UNIQUE INDEX person_subject ON person (issuer, subject);
COMMENT ON TABLE person IS 'People who log in.';
COMMENT ON COLUMN person.person_id IS 'Number of the person.';
COMMENT ON COLUMN person.name IS 'What he logs in with; in lower case.';
COMMENT ON COLUMN person.enterprise_id IS 'Whose he is; none for those of the node and for applicants.';
COMMENT ON COLUMN person.role IS 'A role of registry/grants.py.';
COMMENT ON COLUMN person.password IS 'Argon2id, as PHC strings write it.';
COMMENT ON COLUMN person.active IS 'False when he may not log in any more.';
COMMENT ON COLUMN person.failures IS 'Wrong passwords since the last right one.';
COMMENT ON COLUMN person.failed_at IS 'When the last of them came.';
COMMENT ON COLUMN person.created_at IS 'When he was added.';
COMMENT ON COLUMN person.created_by IS 'By whom.';
COMMENT ON COLUMN person.issuer IS 'The OpenID provider that he logs in at; none for those with a password alone.';
COMMENT ON COLUMN person.subject IS 'What that provider names him; never given to another.';

CREATE TABLE token (
  token_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  digest bytea NOT NULL UNIQUE,
  former_digest bytea UNIQUE,
  former_until timestamptz,
  label text NOT NULL,
  person_id int REFERENCES person,
  enterprise_id int REFERENCES enterprise,
  scopes text[] COLLATE "C" NOT NULL,
  prefixes text[] COLLATE "C",
  sources text[] COLLATE "C",
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  expires_at timestamptz NOT NULL,
  last_used_at timestamptz,
  last_source text,
  revoked_at timestamptz
);
CREATE INDEX token_expires_at ON token (expires_at);
CREATE INDEX token_enterprise_id ON token (enterprise_id);
COMMENT ON TABLE token IS 'Bearer tokens; what they are is not stored, only their digests.';
COMMENT ON COLUMN token.token_id IS 'Number of the token, by which it is spoken of.';
COMMENT ON COLUMN token.digest IS 'SHA-256 of the token.';
COMMENT ON COLUMN token.former_digest IS 'SHA-256 of what it was before it was rotated.';
COMMENT ON COLUMN token.former_until IS 'Until when that one is accepted too.';
COMMENT ON COLUMN token.label IS 'What it is for, for people.';
COMMENT ON COLUMN token.person_id IS 'Who logged in to get it; none for one that a program uses.';
COMMENT ON COLUMN token.enterprise_id IS 'Whose it is; none for the node''s own and for applicants.';
COMMENT ON COLUMN token.scopes IS 'Scopes of registry/grants.py; a person''s token has those of his role, as it is when it is shown.';
COMMENT ON COLUMN token.prefixes IS 'Keys of the only prefixes it is good for; none for all of the enterprise.';
COMMENT ON COLUMN token.sources IS 'Networks from which alone it is accepted; none for everywhere.';
COMMENT ON COLUMN token.created_at IS 'When it was issued.';
COMMENT ON COLUMN token.created_by IS 'By whom.';
COMMENT ON COLUMN token.expires_at IS 'When it ends.';
COMMENT ON COLUMN token.last_used_at IS 'When it was used last, to the minute.';
COMMENT ON COLUMN token.last_source IS 'From where.';
COMMENT ON COLUMN token.revoked_at IS 'When it was revoked, if it was.';

CREATE TABLE application (
  application_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  person_id int NOT NULL REFERENCES person,
  state text COLLATE "C" NOT NULL,
  name text NOT NULL,
  name_en text NOT NULL,
  industry text NOT NULL,
  credit_code text COLLATE "C" NOT NULL,
  prefix text COLLATE "C" NOT NULL,
  hosted boolean NOT NULL,
  personal bytea,
  created_at timestamptz NOT NULL,
  enterprise_id int REFERENCES enterprise
);
CREATE INDEX application_state ON application (state, application_id);
CREATE INDEX application_person_id ON application (person_id);
COMMENT ON TABLE application IS 'Applications of enterprises for a prefix.';
COMMENT ON COLUMN application.application_id IS 'Number of the application.';
COMMENT ON COLUMN application.person_id IS 'Who applied.';
COMMENT ON COLUMN application.state IS 'submitted, returned, approved, rejected or withdrawn.';
COMMENT ON COLUMN application.name IS 'Name of the enterprise in its own language.';
COMMENT ON COLUMN application.name_en IS 'Name in English, when it has one.';
COMMENT ON COLUMN application.industry IS 'Industry.';
COMMENT ON COLUMN application.credit_code IS 'Unified social credit code.';
COMMENT ON COLUMN application.prefix IS 'The prefix that is applied for, as it was written.';
COMMENT ON COLUMN application.hosted IS 'Whether its handles are to be kept here; else it runs a node of its own.';
COMMENT ON COLUMN application.personal IS 'Legal person and contact, encrypted; nothing once they are not needed.';
COMMENT ON COLUMN application.created_at IS 'When it was made.';
COMMENT ON COLUMN application.enterprise_id IS 'What became of it when it was approved.';

CREATE TABLE evidence (
  application_id int NOT NULL REFERENCES application ON DELETE CASCADE,
  number int NOT NULL,
  name text NOT NULL,
  media_type text COLLATE "C" NOT NULL,
  octets int NOT NULL,
  sha256 bytea NOT NULL,
  sealed bytea NOT NULL,
  added_at timestamptz NOT NULL,
  PRIMARY KEY (application_id, number)
);
COMMENT ON TABLE evidence IS 'Files that prove what an application says: licences, mandates.';
COMMENT ON COLUMN evidence.application_id IS 'The application.';
COMMENT ON COLUMN evidence.number IS 'Number of the file in it, from 1.';
COMMENT ON COLUMN evidence.name IS 'Name of the file, for people.';
COMMENT ON COLUMN evidence.media_type IS 'What its first octets say that it is.';
COMMENT ON COLUMN evidence.octets IS 'Its length.';
COMMENT ON COLUMN evidence.sha256 IS 'SHA-256 of what was sent.';
COMMENT ON COLUMN evidence.sealed IS 'The file, encrypted.';
COMMENT ON COLUMN evidence.added_at IS 'When it was sent.';

CREATE TABLE decision (
  decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL,
  application_id int REFERENCES application,
  enterprise_id int REFERENCES enterprise,
  step text COLLATE "C" NOT NULL,
  decided_by text NOT NULL,
  reason text NOT NULL
);
CREATE INDEX decision_application_id ON decision (application_id);
CREATE INDEX decision_enterprise_id ON decision (enterprise_id);
COMMENT ON TABLE decision IS 'Every step of an application or an enterprise, with its reason.';
COMMENT ON COLUMN decision.decision_id IS 'Number of the decision.';
COMMENT ON COLUMN decision.at IS 'When it was taken.';
COMMENT ON COLUMN decision.application_id IS 'The application, when it is about one.';
COMMENT ON COLUMN decision.enterprise_id IS 'The enterprise, when it is about one.';
COMMENT ON COLUMN decision.step IS 'What was done, a step of registry/onboarding.py.';
COMMENT ON COLUMN decision.decided_by IS 'By whom.';
COMMENT ON COLUMN decision.reason IS 'Why.';
CREATE TABLE handle_range (
  created_at timestamptz NOT NULL,
  updated_at timestamptz,
  prefix_id int NOT NULL,
  characters int NOT NULL,
  version int NOT NULL,
  radix smallint NOT NULL,
  width smallint NOT NULL,
  suffix text COLLATE "C" NOT NULL,
  suffix_to text COLLATE "C" NOT NULL,
  head text COLLATE "C" NOT NULL,
  packed bytea NOT NULL,
  keys jsonb,
  PRIMARY KEY (prefix_id, characters, suffix)
);
CREATE INDEX handle_range_suffix_to ON handle_range (prefix_id, suffix_to);
CREATE INDEX handle_range_keys ON handle_range USING gin (keys jsonb_path_ops) WHERE keys IS NOT NULL;
COMMENT ON TABLE handle_range IS 'One row for every handle from one serial number to another; what has a row in handle is what that says.';
COMMENT ON COLUMN handle_range.created_at IS 'When it was registered.';
COMMENT ON COLUMN handle_range.updated_at IS 'When it was last changed; NULL until then.';
COMMENT ON COLUMN handle_range.prefix_id IS 'Its prefix.';
COMMENT ON COLUMN handle_range.characters IS 'Characters of each suffix: ranges of one prefix and length do not overlap.';
COMMENT ON COLUMN handle_range.version IS 'How often it was written, the ranges that were in its place before included.';
COMMENT ON COLUMN handle_range.radix IS 'Of the serial numbers: 10 or 36.';
COMMENT ON COLUMN handle_range.width IS 'Digits that each serial number has.';
COMMENT ON COLUMN handle_range.suffix IS 'Key of the first suffix.';
COMMENT ON COLUMN handle_range.suffix_to IS 'Key of the last suffix.';
COMMENT ON COLUMN handle_range.head IS 'What stands before the serial numbers, as registered.';
COMMENT ON COLUMN handle_range.packed IS 'The values of each member before its place and serial number are filled in, in the form of registry/packing.py.';
COMMENT ON COLUMN handle_range.keys IS 'Short sums of the values that all members have, as in handle.';

CREATE TABLE handle_range_history (
  at timestamptz NOT NULL,
  prefix_id int NOT NULL,
  characters int NOT NULL,
  version int NOT NULL,
  radix smallint NOT NULL,
  width smallint NOT NULL,
  suffix text COLLATE "C" NOT NULL,
  suffix_to text COLLATE "C" NOT NULL,
  head text COLLATE "C" NOT NULL,
  changed_by text NOT NULL,
  packed bytea NOT NULL,
  written_at timestamptz NOT NULL,
  PRIMARY KEY (prefix_id, characters, suffix, version)
);
COMMENT ON TABLE handle_range_history IS 'What a range said before each change.';
COMMENT ON COLUMN handle_range_history.at IS 'When this version was replaced or deleted.';
COMMENT ON COLUMN handle_range_history.prefix_id IS 'Its prefix.';
COMMENT ON COLUMN handle_range_history.characters IS 'Characters of each suffix.';
COMMENT ON COLUMN handle_range_history.version IS 'The version that was replaced.';
COMMENT ON COLUMN handle_range_history.radix IS 'Of the serial numbers.';
COMMENT ON COLUMN handle_range_history.width IS 'Digits that each serial number has.';
COMMENT ON COLUMN handle_range_history.suffix IS 'Key of the first suffix.';
COMMENT ON COLUMN handle_range_history.suffix_to IS 'Key of the last suffix.';
COMMENT ON COLUMN handle_range_history.head IS 'What stands before the serial numbers.';
COMMENT ON COLUMN handle_range_history.changed_by IS 'Administrator who replaced or deleted it, as index:handle, or the program.';
COMMENT ON COLUMN handle_range_history.packed IS 'The values then.';
COMMENT ON COLUMN handle_range_history.written_at IS 'When this version was written.';
CREATE TABLE webhook (
  webhook_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  prefix_id int,
  url text NOT NULL,
  secret bytea NOT NULL,
  cursor text COLLATE "C" NOT NULL,
  failures int NOT NULL DEFAULT 0,
  failing_since timestamptz,
  retry_at timestamptz,
  reason text,
  stopped boolean NOT NULL DEFAULT false,
  delivered_at timestamptz,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL
);
COMMENT ON TABLE webhook IS 'Subscriptions to the change feed that are delivered.';
COMMENT ON COLUMN webhook.webhook_id IS 'Number inside this node.';
COMMENT ON COLUMN webhook.prefix_id IS 'The prefix; none for all of them.';
COMMENT ON COLUMN webhook.url IS 'Where events are sent.';
COMMENT ON COLUMN webhook.secret IS 'Key of the signatures, sealed with personal.key for the address; of 32 octets it is not sealed yet.';
COMMENT ON COLUMN webhook.cursor IS 'Place in the feed, as registry/feed.py writes it: everything before it was delivered or put aside.';
COMMENT ON COLUMN webhook.failures IS 'Attempts in a row that failed.';
COMMENT ON COLUMN webhook.failing_since IS 'When the first of them was made.';
COMMENT ON COLUMN webhook.retry_at IS 'Before when no attempt is made; none when nothing is known to wait.';
COMMENT ON COLUMN webhook.reason IS 'Why the last of them failed, or why it was stopped.';
COMMENT ON COLUMN webhook.stopped IS 'Whether nothing is sent until somebody asks for a replay.';
COMMENT ON COLUMN webhook.delivered_at IS 'When something was last delivered.';
COMMENT ON COLUMN webhook.created_by IS 'Who subscribed, as index:handle, or the program.';
COMMENT ON COLUMN webhook.created_at IS 'When.';

CREATE TABLE webhook_dead_letter (
  webhook_id int NOT NULL REFERENCES webhook ON DELETE CASCADE,
  number bigint GENERATED ALWAYS AS IDENTITY,
  message_id text NOT NULL,
  events int NOT NULL,
  body bytea NOT NULL,
  reason text NOT NULL,
  again boolean NOT NULL DEFAULT false,
  put_aside_at timestamptz NOT NULL,
  PRIMARY KEY (webhook_id, number)
);
CREATE INDEX webhook_dead_letter_again ON webhook_dead_letter (webhook_id, number) WHERE again;
COMMENT ON TABLE webhook_dead_letter IS 'Messages that could not be delivered in time.';
COMMENT ON COLUMN webhook_dead_letter.webhook_id IS 'The subscription.';
COMMENT ON COLUMN webhook_dead_letter.number IS 'In the order of the feed.';
COMMENT ON COLUMN webhook_dead_letter.message_id IS 'Name of the message, in every attempt.';
COMMENT ON COLUMN webhook_dead_letter.events IS 'Events in it.';
COMMENT ON COLUMN webhook_dead_letter.body IS 'What was sent.';
COMMENT ON COLUMN webhook_dead_letter.reason IS 'Why the last attempt failed.';
COMMENT ON COLUMN webhook_dead_letter.again IS 'Whether it is to be sent once more.';
COMMENT ON COLUMN webhook_dead_letter.put_aside_at IS 'When it was given up.';

CREATE TABLE signing_key (
  key_id text COLLATE "C" PRIMARY KEY,
  public_key bytea NOT NULL,
  made_at timestamptz NOT NULL,
  retired_at timestamptz
);
COMMENT ON TABLE signing_key IS 'Keys that answers were ever signed with: who kept a signed answer verifies it years later.';
COMMENT ON COLUMN signing_key.key_id IS 'Thumbprint of the key (RFC 7638), by which signatures name it.';
COMMENT ON COLUMN signing_key.public_key IS 'Its public half: the 32 octets of Ed25519, or both coordinates of SM2.';
COMMENT ON COLUMN signing_key.made_at IS 'When it was published.';
COMMENT ON COLUMN signing_key.retired_at IS 'From when on nothing is signed with it; NULL while it is in use.';

CREATE TABLE sealing (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  history bigint NOT NULL,
  transaction bigint NOT NULL,
  sequence bigint NOT NULL
);
COMMENT ON TABLE sealing IS 'How far the change log is sealed, as registry/sealing.py does it.';
COMMENT ON COLUMN sealing.single IS 'One row only.';
COMMENT ON COLUMN sealing.history IS 'History of the database that the place is of, as in cursors of the change feed.';
COMMENT ON COLUMN sealing.transaction IS 'Transaction of the last change sealed.';
COMMENT ON COLUMN sealing.sequence IS 'Its sequence.';

CREATE TABLE sealed_day (
  day date PRIMARY KEY,
  leaves bigint NOT NULL DEFAULT 0,
  root bytea,
  statement text
);
COMMENT ON TABLE sealed_day IS 'One Merkle tree a day over what was changed.';
COMMENT ON COLUMN sealed_day.day IS 'The day, in UTC.';
COMMENT ON COLUMN sealed_day.leaves IS 'Leaves of its tree so far.';
COMMENT ON COLUMN sealed_day.root IS 'Its root, once the day is over.';
COMMENT ON COLUMN sealed_day.statement IS 'The signed statement of the root: a JSON Web Signature.';

CREATE TABLE sealed_tile (
  day date NOT NULL,
  level smallint NOT NULL,
  number int NOT NULL,
  hashes bytea NOT NULL,
  PRIMARY KEY (day, level, number)
);
COMMENT ON TABLE sealed_tile IS 'Hashes of the trees, 1,024 in a row.';
COMMENT ON COLUMN sealed_tile.day IS 'Whose tree.';
COMMENT ON COLUMN sealed_tile.level IS '0: of leaves; each further one: of whole tiles of the level below.';
COMMENT ON COLUMN sealed_tile.number IS 'Number of the tile in its level, from 0.';
COMMENT ON COLUMN sealed_tile.hashes IS 'SHA-256 hashes, one behind the other.';

CREATE TABLE sealed_change (
  day date NOT NULL,
  leaf bigint NOT NULL,
  leaves int NOT NULL,
  transaction bigint NOT NULL,
  sequence bigint NOT NULL,
  at timestamptz NOT NULL,
  kind smallint NOT NULL,
  operation smallint,
  prefix_id int,
  suffix text COLLATE "C",
  suffix_to text COLLATE "C",
  version int,
  written_at timestamptz,
  PRIMARY KEY (day, leaf)
);
CREATE INDEX sealed_change_handle ON sealed_change (prefix_id, suffix, version) WHERE kind = 1;
CREATE INDEX sealed_change_range ON sealed_change (prefix_id, written_at) WHERE kind = 2;
COMMENT ON TABLE sealed_change IS 'The change log as it was sealed, and which leaves are of which change.';
COMMENT ON COLUMN sealed_change.day IS 'In whose tree it is.';
COMMENT ON COLUMN sealed_change.leaf IS 'Number of its first leaf, from 0.';
COMMENT ON COLUMN sealed_change.leaves IS 'How many leaves it has: of kind 2 one for each handle written, and none is possible.';
COMMENT ON COLUMN sealed_change.transaction IS 'As in the change log.';
COMMENT ON COLUMN sealed_change.sequence IS 'As in the change log.';
COMMENT ON COLUMN sealed_change.at IS 'As in the change log.';
COMMENT ON COLUMN sealed_change.kind IS 'As in the change log.';
COMMENT ON COLUMN sealed_change.operation IS 'As in the change log.';
COMMENT ON COLUMN sealed_change.prefix_id IS 'As in the change log.';
COMMENT ON COLUMN sealed_change.suffix IS 'As in the change log.';
COMMENT ON COLUMN sealed_change.suffix_to IS 'As in the change log.';
COMMENT ON COLUMN sealed_change.version IS 'As in the change log.';
COMMENT ON COLUMN sealed_change.written_at IS 'As in the change log.';

CREATE TABLE edge (
  prefix_id int NOT NULL,
  relation smallint NOT NULL,
  public boolean NOT NULL,
  suffix text COLLATE "C" NOT NULL,
  target text COLLATE "C" NOT NULL,
  PRIMARY KEY (prefix_id, suffix, relation, target)
);
CREATE INDEX edge_target ON edge (target, relation, prefix_id, suffix);
COMMENT ON TABLE edge IS 'Links between handles: one row for each that a value of an active handle says.';
COMMENT ON COLUMN edge.prefix_id IS 'Prefix of the handle that says it.';
COMMENT ON COLUMN edge.relation IS 'What it says of the target, as registry/relations.py numbers it.';
COMMENT ON COLUMN edge.public IS 'Whether a value that anybody may read says it.';
COMMENT ON COLUMN edge.suffix IS 'Key of the suffix of the handle that says it.';
COMMENT ON COLUMN edge.target IS 'Key of the other handle, with its prefix; it may be unknown here.';

CREATE TABLE reading_view (
  prefix_id int NOT NULL,
  type text COLLATE "C" NOT NULL,
  audiences text[] COLLATE "C" NOT NULL,
  PRIMARY KEY (prefix_id, type)
);
COMMENT ON TABLE reading_view IS 'Who besides their administrators may read values of a type that are not public.';
COMMENT ON COLUMN reading_view.prefix_id IS 'The prefix.';
COMMENT ON COLUMN reading_view.type IS 'The type; with a dot at its end all types that begin so.';
COMMENT ON COLUMN reading_view.audiences IS 'partner, regulator, both or none.';

CREATE TABLE partner (
  prefix_id int NOT NULL,
  partner text COLLATE "C" NOT NULL,
  PRIMARY KEY (prefix_id, partner)
);
COMMENT ON TABLE partner IS 'Whom those of a prefix let read what is open to partners.';
COMMENT ON COLUMN partner.prefix_id IS 'The prefix.';
COMMENT ON COLUMN partner.partner IS 'Key of the partner''s prefix: whoever acts for it is one.';

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

CREATE TABLE issuer (
  system text COLLATE "C" NOT NULL,
  start text COLLATE "C" NOT NULL,
  prefix_id int NOT NULL,
  granted_at timestamptz NOT NULL,
  PRIMARY KEY (system, start)
);
COMMENT ON TABLE issuer IS 'Codes of other systems that the administrators of a prefix may write.';
COMMENT ON COLUMN issuer.system IS 'The code system, which is the prefix of its codes.';
COMMENT ON COLUMN issuer.start IS 'How the part of a code begins that says who issued it, folded.';
COMMENT ON COLUMN issuer.prefix_id IS 'The prefix whose administrators may write them.';
COMMENT ON COLUMN issuer.granted_at IS 'Since when.';

CREATE TABLE transfer (
  transfer_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  prefix_id int NOT NULL,
  giver_id int NOT NULL,
  taker_id int NOT NULL,
  by_giver boolean NOT NULL,
  suffixes text[] COLLATE "C",
  suffix text COLLATE "C",
  suffix_to text COLLATE "C",
  state text NOT NULL,
  handles int,
  note text NOT NULL,
  proposed_by text NOT NULL,
  proposed_at timestamptz NOT NULL,
  decided_by text,
  decided_at timestamptz
);
CREATE INDEX transfer_giver_id ON transfer (giver_id, transfer_id);
CREATE INDEX transfer_taker_id ON transfer (taker_id, transfer_id);
COMMENT ON TABLE transfer IS 'Handles offered by one enterprise to another, or asked for.';
COMMENT ON COLUMN transfer.transfer_id IS 'Number inside this node.';
COMMENT ON COLUMN transfer.prefix_id IS 'Prefix of the handles; they keep their names.';
COMMENT ON COLUMN transfer.giver_id IS 'Prefix whose administrators hold them.';
COMMENT ON COLUMN transfer.taker_id IS 'Prefix whose administrators are to hold them.';
COMMENT ON COLUMN transfer.by_giver IS 'Whether the giver proposed it, so that the taker has to agree.';
COMMENT ON COLUMN transfer.suffixes IS 'Keys of their suffixes, when they are listed.';
COMMENT ON COLUMN transfer.suffix IS 'Otherwise the first of a range,';
COMMENT ON COLUMN transfer.suffix_to IS 'and the last.';
COMMENT ON COLUMN transfer.state IS 'proposed, done, refused or withdrawn.';
COMMENT ON COLUMN transfer.handles IS 'How many were handed over.';
COMMENT ON COLUMN transfer.note IS 'What the proposer has to say.';
COMMENT ON COLUMN transfer.proposed_by IS 'Who proposed it.';
COMMENT ON COLUMN transfer.proposed_at IS 'When.';
COMMENT ON COLUMN transfer.decided_by IS 'Who agreed, refused or withdrew.';
COMMENT ON COLUMN transfer.decided_at IS 'When.';

CREATE TABLE transferred (
  prefix_id int NOT NULL,
  holder_id int NOT NULL,
  suffix text COLLATE "C" NOT NULL,
  PRIMARY KEY (prefix_id, suffix)
);
COMMENT ON TABLE transferred IS 'Handles held by another enterprise than that of their prefix.';
COMMENT ON COLUMN transferred.prefix_id IS 'Their prefix.';
COMMENT ON COLUMN transferred.holder_id IS 'Prefix whose administrators hold them.';
COMMENT ON COLUMN transferred.suffix IS 'Key of the suffix.';
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

CREATE TABLE range_edge (
  prefix_id int NOT NULL,
  characters int NOT NULL,
  relation smallint NOT NULL,
  public boolean NOT NULL,
  suffix text COLLATE "C" NOT NULL,
  target text COLLATE "C" NOT NULL,
  PRIMARY KEY (prefix_id, characters, suffix, relation, target)
);
CREATE INDEX range_edge_target ON range_edge (target, relation);
CREATE INDEX range_edge_filled ON range_edge (length(target), relation) WHERE right(target, 1) = '{';
COMMENT ON TABLE range_edge IS 'Links of ranges: one row for each that all members say which have no rows of their own, or that is filled in for each.';
COMMENT ON COLUMN range_edge.prefix_id IS 'Prefix of the range.';
COMMENT ON COLUMN range_edge.characters IS 'Characters of its suffixes, as in handle_range.';
COMMENT ON COLUMN range_edge.relation IS 'What its members say of the target, as registry/relations.py numbers it.';
COMMENT ON COLUMN range_edge.public IS 'Whether a value that anybody may read says it.';
COMMENT ON COLUMN range_edge.suffix IS 'Key of its first suffix.';
COMMENT ON COLUMN range_edge.target IS 'Key of the other handle, with its prefix; it may be unknown here. Of a link that is filled in what all begin with, and {.';
