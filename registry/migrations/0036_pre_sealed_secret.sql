-- Secrets of webhooks are sealed from now on; what an older program wrote is read as it is. Two comments say what they mean.
COMMENT ON COLUMN webhook.secret IS 'Key of the signatures, sealed with personal.key for the address; of 32 octets it is not sealed yet.';
COMMENT ON COLUMN change_log.version IS 'Of a change of one handle: the version that was written.';
COMMENT ON COLUMN change_log.operation IS 'What became of the one handle: 1 registered, 2 changed, 3 deleted, 4 put into a state, 5 linked to or no longer. Of every kind: 6, nothing, and caches forget it.';
