-- Links between handles, kept beside the values that say them, so that they can be walked in both directions.

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
COMMENT ON COLUMN change_log.operation IS 'Of kind 1: 1 registered, 2 changed, 3 deleted, 4 put into a state, 5 linked to or no longer.';
