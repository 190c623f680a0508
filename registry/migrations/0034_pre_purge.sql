-- A purge is a row of the change log that changes nothing; readers of the feed and of the seal pass over it.
COMMENT ON COLUMN change_log.operation IS 'Of kind 1: 1 registered, 2 changed, 3 deleted, 4 put into a state, 5 linked to or no longer. Of any kind: 6 only to be forgotten by caches.';
