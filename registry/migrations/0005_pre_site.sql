-- What nodes say of themselves, so that the serial number of it grows whenever they say something else and whichever
-- worker says it, and not with every start.

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
