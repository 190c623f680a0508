-- Who registers here: enterprises with their states and limits, their people, their tokens, and how they came.

ALTER TABLE enterprise
  ADD COLUMN state text COLLATE "C" NOT NULL DEFAULT 'active',
  ADD COLUMN max_handles bigint,
  ADD COLUMN max_rate int,
  ADD COLUMN max_prefixes int,
  ADD COLUMN personal bytea;
COMMENT ON COLUMN enterprise.state IS 'active, suspended or left.';
COMMENT ON COLUMN enterprise.max_handles IS 'Handles it may have registered; none is without limit.';
COMMENT ON COLUMN enterprise.max_rate IS 'Handles it may register a minute, one by one; none is without limit.';
COMMENT ON COLUMN enterprise.max_prefixes IS 'Prefixes it may have; none is without limit.';
COMMENT ON COLUMN enterprise.personal IS 'Its legal person and contact, encrypted; nothing once it has left.';

CREATE TABLE quota_use (
  enterprise_id int NOT NULL,
  minute timestamptz NOT NULL,
  used int NOT NULL,
  PRIMARY KEY (enterprise_id, minute)
) WITH (fillfactor = 50);
COMMENT ON TABLE quota_use IS 'Handles registered one by one in a minute, of enterprises with a limit on them.';
COMMENT ON COLUMN quota_use.enterprise_id IS 'The enterprise.';
COMMENT ON COLUMN quota_use.minute IS 'When the minute began.';
COMMENT ON COLUMN quota_use.used IS 'How many were registered in it.';

CREATE TABLE person (
  person_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  enterprise_id int REFERENCES enterprise,
  role text COLLATE "C" NOT NULL,
  password text NOT NULL,
  active boolean NOT NULL DEFAULT true,
  failures int NOT NULL DEFAULT 0,
  failed_at timestamptz,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL
);
CREATE INDEX person_enterprise_id ON person (enterprise_id);
COMMENT ON TABLE person IS 'People who log in.';
COMMENT ON COLUMN person.person_id IS 'Number of the person.';
COMMENT ON COLUMN person.name IS 'What he logs in with; in lower case.';
COMMENT ON COLUMN person.enterprise_id IS 'Whose he is; none for those of the node and for applicants.';
COMMENT ON COLUMN person.role IS 'A role of registry/grants.py.';
COMMENT ON COLUMN person.password IS 'Argon2id, as PHC strings write it.';
COMMENT ON COLUMN person.active IS 'False when he may not log in any more.';
COMMENT ON COLUMN person.failures IS 'Wrong passwords since the last right one.';
COMMENT ON COLUMN person.failed_at IS 'When the last of them came.';
COMMENT ON COLUMN person.created_at IS 'When he was added.';
COMMENT ON COLUMN person.created_by IS 'By whom.';

CREATE TABLE token (
  token_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  digest bytea NOT NULL UNIQUE,
  former_digest bytea UNIQUE,
  former_until timestamptz,
  label text NOT NULL,
  person_id int REFERENCES person,
  enterprise_id int REFERENCES enterprise,
  scopes text[] COLLATE "C" NOT NULL,
  prefixes text[] COLLATE "C",
  sources text[] COLLATE "C",
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  expires_at timestamptz NOT NULL,
  last_used_at timestamptz,
  last_source text,
  revoked_at timestamptz
);
CREATE INDEX token_expires_at ON token (expires_at);
CREATE INDEX token_enterprise_id ON token (enterprise_id);
COMMENT ON TABLE token IS 'Bearer tokens; what they are is not stored, only their digests.';
COMMENT ON COLUMN token.token_id IS 'Number of the token, by which it is spoken of.';
COMMENT ON COLUMN token.digest IS 'SHA-256 of the token.';
COMMENT ON COLUMN token.former_digest IS 'SHA-256 of what it was before it was rotated.';
COMMENT ON COLUMN token.former_until IS 'Until when that one is accepted too.';
COMMENT ON COLUMN token.label IS 'What it is for, for people.';
COMMENT ON COLUMN token.person_id IS 'Who logged in to get it; none for one that a program uses.';
COMMENT ON COLUMN token.enterprise_id IS 'Whose it is; none for the node''s own and for applicants.';
COMMENT ON COLUMN token.scopes IS 'Scopes of registry/grants.py; a person''s token has those of his role, as it is when it is shown.';
COMMENT ON COLUMN token.prefixes IS 'Keys of the only prefixes it is good for; none for all of the enterprise.';
COMMENT ON COLUMN token.sources IS 'Networks from which alone it is accepted; none for everywhere.';
COMMENT ON COLUMN token.created_at IS 'When it was issued.';
COMMENT ON COLUMN token.created_by IS 'By whom.';
COMMENT ON COLUMN token.expires_at IS 'When it ends.';
COMMENT ON COLUMN token.last_used_at IS 'When it was used last, to the minute.';
COMMENT ON COLUMN token.last_source IS 'From where.';
COMMENT ON COLUMN token.revoked_at IS 'When it was revoked, if it was.';

CREATE TABLE application (
  application_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  person_id int NOT NULL REFERENCES person,
  state text COLLATE "C" NOT NULL,
  name text NOT NULL,
  name_en text NOT NULL,
  industry text NOT NULL,
  credit_code text COLLATE "C" NOT NULL,
  prefix text COLLATE "C" NOT NULL,
  hosted boolean NOT NULL,
  personal bytea,
  created_at timestamptz NOT NULL,
  enterprise_id int REFERENCES enterprise
);
CREATE INDEX application_state ON application (state, application_id);
CREATE INDEX application_person_id ON application (person_id);
COMMENT ON TABLE application IS 'Applications of enterprises for a prefix.';
COMMENT ON COLUMN application.application_id IS 'Number of the application.';
COMMENT ON COLUMN application.person_id IS 'Who applied.';
COMMENT ON COLUMN application.state IS 'submitted, returned, approved, rejected or withdrawn.';
COMMENT ON COLUMN application.name IS 'Name of the enterprise in its own language.';
COMMENT ON COLUMN application.name_en IS 'Name in English, when it has one.';
COMMENT ON COLUMN application.industry IS 'Industry.';
COMMENT ON COLUMN application.credit_code IS 'Unified social credit code.';
COMMENT ON COLUMN application.prefix IS 'The prefix that is applied for, as it was written.';
COMMENT ON COLUMN application.hosted IS 'Whether its handles are to be kept here; else it runs a node of its own.';
COMMENT ON COLUMN application.personal IS 'Legal person and contact, encrypted; nothing once they are not needed.';
COMMENT ON COLUMN application.created_at IS 'When it was made.';
COMMENT ON COLUMN application.enterprise_id IS 'What became of it when it was approved.';

CREATE TABLE evidence (
  application_id int NOT NULL REFERENCES application ON DELETE CASCADE,
  number int NOT NULL,
  name text NOT NULL,
  media_type text COLLATE "C" NOT NULL,
  octets int NOT NULL,
  sha256 bytea NOT NULL,
  sealed bytea NOT NULL,
  added_at timestamptz NOT NULL,
  PRIMARY KEY (application_id, number)
);
COMMENT ON TABLE evidence IS 'Files that prove what an application says: licences, mandates.';
COMMENT ON COLUMN evidence.application_id IS 'The application.';
COMMENT ON COLUMN evidence.number IS 'Number of the file in it, from 1.';
COMMENT ON COLUMN evidence.name IS 'Name of the file, for people.';
COMMENT ON COLUMN evidence.media_type IS 'What its first octets say that it is.';
COMMENT ON COLUMN evidence.octets IS 'Its length.';
COMMENT ON COLUMN evidence.sha256 IS 'SHA-256 of what was sent.';
COMMENT ON COLUMN evidence.sealed IS 'The file, encrypted.';
COMMENT ON COLUMN evidence.added_at IS 'When it was sent.';

CREATE TABLE decision (
  decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL,
  application_id int REFERENCES application,
  enterprise_id int REFERENCES enterprise,
  step text COLLATE "C" NOT NULL,
  decided_by text NOT NULL,
  reason text NOT NULL
);
CREATE INDEX decision_application_id ON decision (application_id);
CREATE INDEX decision_enterprise_id ON decision (enterprise_id);
COMMENT ON TABLE decision IS 'Every step of an application or an enterprise, with its reason.';
COMMENT ON COLUMN decision.decision_id IS 'Number of the decision.';
COMMENT ON COLUMN decision.at IS 'When it was taken.';
COMMENT ON COLUMN decision.application_id IS 'The application, when it is about one.';
COMMENT ON COLUMN decision.enterprise_id IS 'The enterprise, when it is about one.';
COMMENT ON COLUMN decision.step IS 'What was done, a step of registry/onboarding.py.';
COMMENT ON COLUMN decision.decided_by IS 'By whom.';
COMMENT ON COLUMN decision.reason IS 'Why.';
