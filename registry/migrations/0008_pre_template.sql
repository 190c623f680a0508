-- Templates of values, rules of suffixes, and how suffixes are made.

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
