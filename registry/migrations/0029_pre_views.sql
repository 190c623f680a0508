-- Reading rights: which values that not everybody may read are open to partners and to regulators.

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
