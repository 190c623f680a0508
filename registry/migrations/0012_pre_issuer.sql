-- Who may write codes of other systems: parts of them, granted by the operator.

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
COMMENT ON COLUMN resolution_count.protocol IS 'http, https, batch, udp, tcp, tunnel or dns.';
