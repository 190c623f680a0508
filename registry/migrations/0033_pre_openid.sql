ALTER TABLE person ADD COLUMN issuer text COLLATE "C", ADD COLUMN subject text COLLATE "C";
CREATE UNIQUE INDEX person_subject ON person (issuer, subject);
COMMENT ON COLUMN person.issuer IS 'The OpenID provider that he logs in at; none for those with a password alone.';
COMMENT ON COLUMN person.subject IS 'What that provider names him; never given to another.';
