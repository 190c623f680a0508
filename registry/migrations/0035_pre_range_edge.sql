-- Links that every member of a range says, one row for all of them.

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
COMMENT ON TABLE range_edge IS 'Links of ranges: one row for each that all members say which have no rows of their own.';
COMMENT ON COLUMN range_edge.prefix_id IS 'Prefix of the range.';
COMMENT ON COLUMN range_edge.characters IS 'Characters of its suffixes, as in handle_range.';
COMMENT ON COLUMN range_edge.relation IS 'What its members say of the target, as registry/relations.py numbers it.';
COMMENT ON COLUMN range_edge.public IS 'Whether a value that anybody may read says it.';
COMMENT ON COLUMN range_edge.suffix IS 'Key of its first suffix.';
COMMENT ON COLUMN range_edge.target IS 'Key of the other handle, with its prefix; it may be unknown here.';
