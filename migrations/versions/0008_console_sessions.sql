-- A session of the operators' console. The browser has the id, this table has only its SHA-256: whoever reads the table
-- or a backup of it can open no session.

CREATE TABLE jobs.console_sessions (
    id_hash    bytea       NOT NULL,
    who        text        NOT NULL,  -- the subject of the administrator's token
    csrf       text        NOT NULL,  -- what every form of this session carries
    created_at timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    CONSTRAINT console_sessions_pkey PRIMARY KEY (id_hash),
    CONSTRAINT console_sessions_id_hash_length CHECK (octet_length(id_hash) = 32),
    CONSTRAINT console_sessions_who_length CHECK (length(who) BETWEEN 1 AND 128),
    CONSTRAINT console_sessions_csrf_length CHECK (length(csrf) BETWEEN 32 AND 64),
    CONSTRAINT console_sessions_life CHECK (ends_at > created_at AND ends_at <= created_at + interval '8 hours')
);
CREATE INDEX console_sessions_ends_at ON jobs.console_sessions (ends_at);
CREATE INDEX console_sessions_who ON jobs.console_sessions (who, created_at);

-- No UPDATE: a session is never given to another person, and never prolonged.
GRANT SELECT, INSERT, DELETE ON jobs.console_sessions TO mana_credits_app;
