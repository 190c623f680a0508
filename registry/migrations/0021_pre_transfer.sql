-- Handles that go from one enterprise to another, once both have agreed; and who holds those that did.

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
