-- Which registry this is, so that a data directory that served one notices when it is led to another.

ALTER TABLE node ADD COLUMN identity uuid NOT NULL DEFAULT gen_random_uuid();
COMMENT ON COLUMN node.identity IS 'Made with the registry; its replicas and backups have the same.';
