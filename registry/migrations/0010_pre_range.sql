-- Ranges: neighbouring handles that end in serial numbers, as one row.

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
