-- The role whose rights web and workers have: their login is a member of it, or may SET ROLE to it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mana_credits_app') THEN
        CREATE ROLE mana_credits_app NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;  -- another database of this server is being migrated at this moment
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role mana_credits_app is missing, and % may not create it', current_user
            USING HINT = 'As a superuser: CREATE ROLE mana_credits_app NOLOGIN', ERRCODE = 'insufficient_privilege';
END $$;

DO $$
DECLARE
    -- From PostgreSQL 16 on, a login that has created a role may administer it, but not SET ROLE to it.
    may_set text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    IF NOT pg_has_role(current_user, 'mana_credits_app', may_set) THEN
        EXECUTE format('GRANT mana_credits_app TO %I', current_user)
            || CASE may_set WHEN 'SET' THEN ' WITH SET TRUE, INHERIT FALSE' ELSE '' END;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    -- Only a login that both migrates and serves needs it; the service says so when it starts.
    RAISE NOTICE '% may not grant itself mana_credits_app', current_user;
END $$;

CREATE SCHEMA credits;
CREATE SCHEMA gifts;
CREATE SCHEMA jobs;
GRANT USAGE ON SCHEMA credits, gifts, jobs TO mana_credits_app;
GRANT SELECT ON alembic_version TO mana_credits_app;  -- a process checks that its database is not behind

-- ---------------------------------------------------------------- balances

CREATE TABLE credits.balances (
    user_id      text        NOT NULL,
    balance      bigint      NOT NULL DEFAULT 0,
    total_earned bigint      NOT NULL DEFAULT 0,
    total_spent  bigint      NOT NULL DEFAULT 0,
    version      bigint      NOT NULL DEFAULT 0,  -- the seq of the user's last transaction
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CONSTRAINT balances_pkey PRIMARY KEY (user_id),
    CONSTRAINT balances_user_id_length CHECK (length(user_id) BETWEEN 1 AND 128),
    CONSTRAINT balances_totals_positive CHECK (total_earned >= 0 AND total_spent >= 0 AND version >= 0)
) WITH (fillfactor = 70);  -- room for heap-only updates: the hottest rows of the house

-- ---------------------------------------------------------------- the ledger

CREATE TABLE credits.transactions (
    id              uuid        NOT NULL,
    user_id         text        NOT NULL,
    seq             bigint      NOT NULL,
    type            text        NOT NULL,
    status          text        NOT NULL DEFAULT 'completed',
    amount          bigint      NOT NULL,
    balance_before  bigint      NOT NULL,
    balance_after   bigint      NOT NULL,
    total_earned    bigint      NOT NULL,  -- the totals after this row: what the first answer said, for ever
    total_spent     bigint      NOT NULL,
    app_id          text        NOT NULL,
    counterparty    text        NOT NULL,
    description     text        NOT NULL,
    metadata        jsonb,
    movement_key    text        NOT NULL,
    idempotency_key text,
    request_hash    bytea,
    created_at      timestamptz NOT NULL,
    completed_at    timestamptz NOT NULL,
    CONSTRAINT transactions_pkey PRIMARY KEY (id),
    CONSTRAINT transactions_user_id_fkey FOREIGN KEY (user_id) REFERENCES credits.balances (user_id),
    CONSTRAINT transactions_seq_key UNIQUE (user_id, seq),
    CONSTRAINT transactions_movement_key UNIQUE (user_id, movement_key),
    CONSTRAINT transactions_type_known CHECK (type IN
        ('purchase', 'usage', 'refund', 'gift', 'grant', 'hold', 'release', 'clawback', 'restore')),
    CONSTRAINT transactions_status_completed CHECK (status = 'completed'),
    CONSTRAINT transactions_amount_not_zero CHECK (amount <> 0),
    CONSTRAINT transactions_chain CHECK (balance_after = balance_before + amount),
    CONSTRAINT transactions_floor CHECK (balance_after >= 0 OR amount > 0 OR type = 'clawback'),
    CONSTRAINT transactions_seq_positive CHECK (seq >= 1)
);

CREATE FUNCTION credits.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER transactions_append_only BEFORE UPDATE OR DELETE ON credits.transactions
    FOR EACH ROW EXECUTE FUNCTION credits.refuse_change();
CREATE TRIGGER transactions_not_truncated BEFORE TRUNCATE ON credits.transactions
    FOR EACH STATEMENT EXECUTE FUNCTION credits.refuse_change();

-- The one function that moves credits. It runs as the owner; the service's role can write the ledger and the
-- balances in no other way.
--
-- outcome: appended      the movement is written
--          replayed      this movement key is in the ledger already, from the same request
--          key_reused    this movement key is in the ledger already, from another request
--          insufficient  the balance does not cover it; balance_before tells what there is
CREATE FUNCTION credits.append(
    p_id uuid, p_user_id text, p_type text, p_amount bigint, p_app_id text, p_counterparty text, p_description text,
    p_metadata jsonb, p_movement_key text, p_idempotency_key text, p_request_hash bytea, p_now timestamptz
) RETURNS TABLE (
    outcome text, id uuid, seq bigint, balance_before bigint, balance_after bigint,
    total_earned bigint, total_spent bigint, created_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    held credits.balances;
    known credits.transactions;
    earned bigint;
    spent bigint;
BEGIN
    -- The lock comes first: two calls with one key queue here, so the second finds the first's transaction.
    SELECT * INTO held FROM credits.balances b WHERE b.user_id = p_user_id FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO credits.balances (user_id, created_at, updated_at) VALUES (p_user_id, p_now, p_now)
            ON CONFLICT ON CONSTRAINT balances_pkey DO NOTHING;
        SELECT * INTO STRICT held FROM credits.balances b WHERE b.user_id = p_user_id FOR UPDATE;
    END IF;

    SELECT * INTO known FROM credits.transactions t WHERE t.user_id = p_user_id AND t.movement_key = p_movement_key;
    IF FOUND THEN
        RETURN QUERY SELECT
            CASE WHEN known.amount = p_amount AND known.type = p_type
                  AND known.request_hash IS NOT DISTINCT FROM p_request_hash THEN 'replayed' ELSE 'key_reused' END,
            known.id, known.seq, known.balance_before, known.balance_after,
            known.total_earned, known.total_spent, known.created_at;
        RETURN;
    END IF;

    IF held.balance + p_amount < 0 AND p_amount < 0 AND p_type <> 'clawback' THEN
        RETURN QUERY SELECT 'insufficient', NULL::uuid, held.version, held.balance, held.balance,
            held.total_earned, held.total_spent, NULL::timestamptz;
        RETURN;
    END IF;

    earned := held.total_earned + CASE WHEN p_type IN ('hold', 'release') THEN 0 ELSE greatest(p_amount, 0) END;
    spent := held.total_spent + CASE WHEN p_type IN ('hold', 'release') THEN 0 ELSE greatest(-p_amount, 0) END;
    INSERT INTO credits.transactions (
        id, user_id, seq, type, amount, balance_before, balance_after, total_earned, total_spent, app_id,
        counterparty, description, metadata, movement_key, idempotency_key, request_hash, created_at, completed_at
    ) VALUES (
        p_id, p_user_id, held.version + 1, p_type, p_amount, held.balance, held.balance + p_amount, earned, spent,
        p_app_id, p_counterparty, p_description, p_metadata, p_movement_key, p_idempotency_key, p_request_hash,
        p_now, p_now
    );
    UPDATE credits.balances b SET balance = held.balance + p_amount, total_earned = earned, total_spent = spent,
        version = held.version + 1, updated_at = p_now WHERE b.user_id = p_user_id;
    RETURN QUERY SELECT 'appended', p_id, held.version + 1, held.balance, held.balance + p_amount, earned, spent, p_now;
END $$;

REVOKE ALL ON FUNCTION credits.append FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credits.append TO mana_credits_app;
GRANT SELECT ON credits.balances, credits.transactions TO mana_credits_app;
GRANT INSERT (user_id, created_at, updated_at) ON credits.balances TO mana_credits_app;

-- ---------------------------------------------------------------- packages and purchases

CREATE TABLE credits.packages (
    id               uuid        NOT NULL,
    name             text        NOT NULL,
    description      text        NOT NULL DEFAULT '',
    credits          bigint      NOT NULL,
    price_euro_cents bigint      NOT NULL,
    stripe_price_id  text,
    active           boolean     NOT NULL DEFAULT true,
    sort_order       integer     NOT NULL DEFAULT 0,
    metadata         jsonb,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT packages_pkey PRIMARY KEY (id),
    CONSTRAINT packages_name_key UNIQUE (name),
    CONSTRAINT packages_credits_bounds CHECK (credits BETWEEN 1 AND 1000000),
    CONSTRAINT packages_price_bounds CHECK (price_euro_cents BETWEEN 50 AND 99999999)  -- Stripe's bounds for EUR
);

CREATE TABLE credits.purchases (
    id                         uuid        NOT NULL,
    user_id                    text        NOT NULL,
    package_id                 uuid        NOT NULL,
    package_name               text        NOT NULL,
    credits                    bigint      NOT NULL,
    price_euro_cents           bigint      NOT NULL,
    status                     text        NOT NULL DEFAULT 'pending',
    success_url                text,
    cancel_url                 text,
    stripe_customer_id         text,
    stripe_payment_intent_id   text,
    stripe_checkout_session_id text,
    client_secret              text,
    checkout_url               text,
    metadata                   jsonb,
    created_at                 timestamptz NOT NULL,
    completed_at               timestamptz,
    CONSTRAINT purchases_pkey PRIMARY KEY (id),
    CONSTRAINT purchases_package_id_fkey FOREIGN KEY (package_id) REFERENCES credits.packages (id),
    CONSTRAINT purchases_payment_intent_key UNIQUE (stripe_payment_intent_id),
    CONSTRAINT purchases_checkout_session_key UNIQUE (stripe_checkout_session_id),
    CONSTRAINT purchases_status_known CHECK (status IN ('pending', 'completed', 'failed', 'cancelled', 'refunded')),
    CONSTRAINT purchases_completed_at CHECK ((status IN ('completed', 'refunded')) = (completed_at IS NOT NULL)),
    CONSTRAINT purchases_credits_positive CHECK (credits > 0 AND price_euro_cents > 0),
    CONSTRAINT purchases_redirects CHECK ((success_url IS NULL) = (cancel_url IS NULL))
);
CREATE INDEX purchases_user ON credits.purchases (user_id, created_at DESC, id DESC);

CREATE FUNCTION credits.purchase_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('pending', 'completed'), ('pending', 'failed'), ('pending', 'cancelled'), ('failed', 'completed'),
        ('failed', 'cancelled'), ('cancelled', 'completed'), ('completed', 'refunded')
    ) THEN
        RAISE EXCEPTION 'purchase % cannot go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER purchases_move_forward BEFORE UPDATE ON credits.purchases
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION credits.purchase_moves_forward();

CREATE TABLE credits.stripe_customers (
    user_id            text        NOT NULL,
    stripe_customer_id text        NOT NULL,
    created_at         timestamptz NOT NULL,
    CONSTRAINT stripe_customers_pkey PRIMARY KEY (user_id),
    CONSTRAINT stripe_customers_stripe_customer_id_key UNIQUE (stripe_customer_id)
);

-- Which idempotency key we use at Stripe for an object we want once: `subject` names it, `generation` counts the keys.
CREATE TABLE credits.stripe_requests (
    subject    text        NOT NULL,
    generation integer     NOT NULL DEFAULT 0,
    first_at   timestamptz NOT NULL,
    spent      boolean     NOT NULL DEFAULT false,
    CONSTRAINT stripe_requests_pkey PRIMARY KEY (subject)
);

GRANT SELECT, INSERT, UPDATE ON credits.packages, credits.purchases TO mana_credits_app;
GRANT SELECT, INSERT, UPDATE ON credits.stripe_customers, credits.stripe_requests TO mana_credits_app;

-- ---------------------------------------------------------------- jobs

CREATE TABLE jobs.jobs (
    id           uuid        NOT NULL,
    kind         text        NOT NULL,
    queue        text        NOT NULL,
    key          text        NOT NULL,
    user_id      text,
    payload      jsonb       NOT NULL,
    request_hash bytea,
    request_id   text,
    state        text        NOT NULL DEFAULT 'pending',
    attempts     integer     NOT NULL DEFAULT 0,  -- tries that ended in an error since it was last set to pending
    starts       integer     NOT NULL DEFAULT 0,  -- starts without an end since then
    next_at      timestamptz NOT NULL,
    enqueued_at  timestamptz NOT NULL,            -- when its bell was last rung
    lease_token  uuid,
    leased_until timestamptz,
    result       jsonb,
    problem      jsonb,
    created_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_key_key UNIQUE (key),
    CONSTRAINT jobs_state_known CHECK (state IN ('pending', 'done', 'rejected', 'failed', 'discarded')),
    CONSTRAINT jobs_finished_at CHECK ((state = 'pending') = (finished_at IS NULL)),
    CONSTRAINT jobs_problem CHECK ((state IN ('rejected', 'failed')) <= (problem IS NOT NULL)),
    CONSTRAINT jobs_counts CHECK (attempts >= 0 AND starts >= 0)
) WITH (fillfactor = 80);
CREATE INDEX jobs_due ON jobs.jobs (next_at) WHERE state = 'pending';
CREATE INDEX jobs_waiting ON jobs.jobs (created_at) WHERE state = 'pending';
CREATE INDEX jobs_state ON jobs.jobs (state, finished_at DESC) WHERE state <> 'pending';
CREATE INDEX jobs_user ON jobs.jobs (user_id, created_at DESC) WHERE user_id IS NOT NULL;

CREATE FUNCTION jobs.refuse_reopening() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'job % is %: it never changes again', OLD.id, OLD.state
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER jobs_ended BEFORE UPDATE ON jobs.jobs
    FOR EACH ROW WHEN (OLD.state IN ('done', 'discarded')) EXECUTE FUNCTION jobs.refuse_reopening();

CREATE TABLE jobs.attempts (
    id          uuid        NOT NULL,
    job_id      uuid        NOT NULL,
    worker      text        NOT NULL,
    error_class text        NOT NULL,
    message     text        NOT NULL,
    traceback   text        NOT NULL,
    failed_at   timestamptz NOT NULL,
    CONSTRAINT attempts_pkey PRIMARY KEY (id),
    CONSTRAINT attempts_job_id_fkey FOREIGN KEY (job_id) REFERENCES jobs.jobs (id) ON DELETE CASCADE
);
CREATE INDEX attempts_job ON jobs.attempts (job_id, failed_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON jobs.jobs TO mana_credits_app;
GRANT SELECT, INSERT ON jobs.attempts TO mana_credits_app;
