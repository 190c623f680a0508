-- Receipts keep whole answers, of every write. What they kept of writes of single handles a later migration takes out.

ALTER TABLE receipt ADD COLUMN answer bytea;
ALTER TABLE receipt ALTER COLUMN handle DROP NOT NULL;
ALTER TABLE receipt ALTER COLUMN created DROP NOT NULL;
ALTER TABLE receipt ALTER COLUMN version DROP NOT NULL;
COMMENT ON COLUMN receipt.handle IS 'Not written any more.';
COMMENT ON COLUMN receipt.created IS 'Not written any more.';
COMMENT ON COLUMN receipt.version IS 'Not written any more.';
COMMENT ON COLUMN receipt.answer IS 'What was answered, sealed with the key itself.';
