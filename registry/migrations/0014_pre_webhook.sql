-- Webhooks: who is told of changes without asking, how far he has heard, and what he could not be told.

CREATE TABLE webhook (
  webhook_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  prefix_id int,
  url text NOT NULL,
  secret bytea NOT NULL,
  cursor text COLLATE "C" NOT NULL,
  failures int NOT NULL DEFAULT 0,
  failing_since timestamptz,
  retry_at timestamptz,
  reason text,
  stopped boolean NOT NULL DEFAULT false,
  delivered_at timestamptz,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL
);
COMMENT ON TABLE webhook IS 'Subscriptions to the change feed that are delivered.';
COMMENT ON COLUMN webhook.webhook_id IS 'Number inside this node.';
COMMENT ON COLUMN webhook.prefix_id IS 'The prefix; none for all of them.';
COMMENT ON COLUMN webhook.url IS 'Where events are sent.';
COMMENT ON COLUMN webhook.secret IS 'Key of the signatures.';
COMMENT ON COLUMN webhook.cursor IS 'Place in the feed, as registry/feed.py writes it: everything before it was delivered or put aside.';
COMMENT ON COLUMN webhook.failures IS 'Attempts in a row that failed.';
COMMENT ON COLUMN webhook.failing_since IS 'When the first of them was made.';
COMMENT ON COLUMN webhook.retry_at IS 'Before when no attempt is made; none when nothing is known to wait.';
COMMENT ON COLUMN webhook.reason IS 'Why the last of them failed, or why it was stopped.';
COMMENT ON COLUMN webhook.stopped IS 'Whether nothing is sent until somebody asks for a replay.';
COMMENT ON COLUMN webhook.delivered_at IS 'When something was last delivered.';
COMMENT ON COLUMN webhook.created_by IS 'Who subscribed, as index:handle, or the program.';
COMMENT ON COLUMN webhook.created_at IS 'When.';

CREATE TABLE webhook_dead_letter (
  webhook_id int NOT NULL REFERENCES webhook ON DELETE CASCADE,
  number bigint GENERATED ALWAYS AS IDENTITY,
  message_id text NOT NULL,
  events int NOT NULL,
  body bytea NOT NULL,
  reason text NOT NULL,
  again boolean NOT NULL DEFAULT false,
  put_aside_at timestamptz NOT NULL,
  PRIMARY KEY (webhook_id, number)
);
CREATE INDEX webhook_dead_letter_again ON webhook_dead_letter (webhook_id, number) WHERE again;
COMMENT ON TABLE webhook_dead_letter IS 'Messages that could not be delivered in time.';
COMMENT ON COLUMN webhook_dead_letter.webhook_id IS 'The subscription.';
COMMENT ON COLUMN webhook_dead_letter.number IS 'In the order of the feed.';
COMMENT ON COLUMN webhook_dead_letter.message_id IS 'Name of the message, in every attempt.';
COMMENT ON COLUMN webhook_dead_letter.events IS 'Events in it.';
COMMENT ON COLUMN webhook_dead_letter.body IS 'What was sent.';
COMMENT ON COLUMN webhook_dead_letter.reason IS 'Why the last attempt failed.';
COMMENT ON COLUMN webhook_dead_letter.again IS 'Whether it is to be sent once more.';
COMMENT ON COLUMN webhook_dead_letter.put_aside_at IS 'When it was given up.';
