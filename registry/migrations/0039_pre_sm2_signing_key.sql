-- Answers are signed with SM2, too, where the extra is installed.
COMMENT ON COLUMN signing_key.public_key IS 'Its public half: the 32 octets of Ed25519, or both coordinates of SM2.';
