-- What became of writes that their senders named, for who has to send them again.

CREATE TABLE receipt (
  key bytea PRIMARY KEY,
  digest bytea NOT NULL,
  handle text NOT NULL,
  created boolean NOT NULL,
  version int NOT NULL,
  made_at timestamptz NOT NULL
);
CREATE INDEX receipt_made_at ON receipt (made_at);
COMMENT ON TABLE receipt IS 'Writes that were sent with an Idempotency-Key, each in the transaction of its write.';
COMMENT ON COLUMN receipt.key IS 'SHA-256 of who wrote and of the key.';
COMMENT ON COLUMN receipt.digest IS 'SHA-256 of what the request said.';
COMMENT ON COLUMN receipt.handle IS 'The handle, as it was named.';
COMMENT ON COLUMN receipt.created IS 'Whether it, or its values, were new.';
COMMENT ON COLUMN receipt.version IS 'Its version then.';
COMMENT ON COLUMN receipt.made_at IS 'When it was written.';
