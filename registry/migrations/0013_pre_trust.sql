CREATE TABLE signing_key (
  key_id text COLLATE "C" PRIMARY KEY,
  public_key bytea NOT NULL,
  made_at timestamptz NOT NULL,
  retired_at timestamptz
);
COMMENT ON TABLE signing_key IS 'Keys that answers were ever signed with: who kept a signed answer verifies it years later.';
COMMENT ON COLUMN signing_key.key_id IS 'Thumbprint of the key (RFC 7638), by which signatures name it.';
COMMENT ON COLUMN signing_key.public_key IS 'Its public half: the 32 octets of Ed25519.';
COMMENT ON COLUMN signing_key.made_at IS 'When it was published.';
COMMENT ON COLUMN signing_key.retired_at IS 'From when on nothing is signed with it; NULL while it is in use.';

ALTER TABLE change_log ADD COLUMN written_at timestamptz;
COMMENT ON COLUMN change_log.written_at IS 'Of kind 2: the time that the handles written carry.';

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
