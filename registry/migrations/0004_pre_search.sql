-- Values deflated against dictionaries, and searching for handles by a value. Dictionaries are never taken out: rows and
-- their history are read with them.

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

ALTER TABLE handle ADD COLUMN keys jsonb;
COMMENT ON COLUMN handle.keys IS 'Of active handles: short sums of the values it is found by, as registry/search_keys.py makes them.';
CREATE INDEX handle_keys ON handle USING gin (keys jsonb_path_ops) WHERE keys IS NOT NULL;
