-- What a native request leaves behind until the message that completes it, met perhaps by another worker: challenges
-- and sessions. Unlogged: a crash ends them, and clients begin again.

CREATE UNLOGGED TABLE native_challenge (
  challenge_id int PRIMARY KEY,
  nonce bytea NOT NULL,
  request bytea NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX native_challenge_expires_at ON native_challenge (expires_at);
COMMENT ON TABLE native_challenge IS 'Requests of the native protocol that wait for proof of who asks.';
COMMENT ON COLUMN native_challenge.challenge_id IS 'What the answer names: even by itself, odd when it is its session''s number.';
COMMENT ON COLUMN native_challenge.nonce IS 'What the client proves itself over, together with the request''s digest.';
COMMENT ON COLUMN native_challenge.request IS 'The request, encrypted with the node''s key.';
COMMENT ON COLUMN native_challenge.expires_at IS 'When an answer comes too late.';

CREATE UNLOGGED TABLE native_session (
  session_id int PRIMARY KEY,
  session_key bytea NOT NULL,
  claimed text,
  identity text,
  idle_seconds int NOT NULL,
  highest bigint NOT NULL DEFAULT -1,
  seen bit(200) NOT NULL DEFAULT repeat('0', 200)::bit(200),
  answers bigint NOT NULL DEFAULT 0,
  expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX native_session_expires_at ON native_session (expires_at);
COMMENT ON TABLE native_session IS 'Sessions of the native protocol.';
COMMENT ON COLUMN native_session.session_id IS 'What its messages name; odd.';
COMMENT ON COLUMN native_session.session_key IS 'The key agreed on, encrypted with the node''s key.';
COMMENT ON COLUMN native_session.claimed IS 'index:handle of who it was set up for; none for anybody.';
COMMENT ON COLUMN native_session.identity IS 'index:handle once proved.';
COMMENT ON COLUMN native_session.idle_seconds IS 'How long it lives without a message.';
COMMENT ON COLUMN native_session.highest IS 'Highest number of a message received.';
COMMENT ON COLUMN native_session.seen IS 'Which of that and the 199 numbers below it were received, highest first.';
COMMENT ON COLUMN native_session.answers IS 'Answers written with a number of our own.';
COMMENT ON COLUMN native_session.expires_at IS 'When it ends unless a message comes.';
