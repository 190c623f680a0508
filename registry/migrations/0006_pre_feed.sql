-- What a change was, for those who follow the change feed. Rows from before say nothing.

ALTER TABLE change_log ADD COLUMN operation smallint;
ALTER TABLE change_log ADD COLUMN batch_id int;
COMMENT ON COLUMN change_log.operation IS 'Of kind 1: 1 registered, 2 changed, 3 deleted.';
COMMENT ON COLUMN change_log.batch_id IS 'Of kind 2: the bulk load.';
