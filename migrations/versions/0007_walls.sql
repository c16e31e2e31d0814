-- ---------------------------------------------------------------- roles

-- Repairs databases that were migrated by a login without SET: there the service was refused its role.
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

-- ---------------------------------------------------------------- what may be booked

-- Whether an amount and a counterparty are what movements of this type have.
CREATE FUNCTION credits.movement_fits(p_type text, p_amount bigint, p_counterparty text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_amount BETWEEN -1000000 AND 1000000 AND CASE
        WHEN p_type = 'usage' THEN p_amount < 0
            AND (p_counterparty LIKE 'app:_%' OR p_counterparty = 'sync' OR p_counterparty LIKE 'hold:_%')
        WHEN p_type = 'refund' THEN p_amount > 0 AND p_counterparty LIKE 'app:_%'
        WHEN p_type = 'hold' THEN p_amount < 0 AND p_counterparty LIKE 'hold:_%'
        WHEN p_type = 'release' THEN p_amount > 0 AND p_counterparty LIKE 'hold:_%'
        WHEN p_type IN ('purchase', 'restore') THEN p_amount > 0 AND p_counterparty LIKE 'stripe:_%'
        WHEN p_type = 'clawback' THEN p_amount < 0 AND p_counterparty LIKE 'stripe:_%'
        WHEN p_type = 'gift' THEN p_amount BETWEEN -10000 AND 10000 AND p_amount <> 0
            AND p_counterparty ~ '^gift:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        -- Earlier grants name their source in any form, but never another type's.
        WHEN p_type = 'grant' THEN p_amount > 0 AND p_counterparty !~ '^((app|hold|stripe|gift):|sync$|$)'
        ELSE false END
$$;

-- How far a movement's time may be from this server's clock. More than a year: a process whose clock is wrong by weeks
-- still charges each period of sync once. A function, not a setting: a session could change a setting.
CREATE FUNCTION credits.clock_tolerance() RETURNS interval LANGUAGE sql IMMUTABLE AS $$ SELECT interval '400 days' $$;

-- Set by credits.erase: from then on this user acts no more.
ALTER TABLE credits.balances ADD COLUMN erased_at timestamptz;

-- As before, but for three things: a movement that does not fit its type, or is out of time, is an error; and
-- outcome: user_erased   nobody acts for this user any more; what is owed to others still happens
CREATE OR REPLACE FUNCTION credits.append(
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

    IF credits.movement_fits(p_type, p_amount, p_counterparty) IS NOT TRUE THEN
        RAISE EXCEPTION 'a % of % with % is no movement of this ledger', p_type, p_amount, p_counterparty
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transactions_fit_type';
    END IF;
    IF (p_now BETWEEN clock_timestamp() - credits.clock_tolerance()
                  AND clock_timestamp() + credits.clock_tolerance()) IS NOT TRUE THEN
        RAISE EXCEPTION 'a movement of % is too far from now', p_now
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transactions_time_near';
    END IF;

    -- Money at Stripe, the end of a hold, and a gift that comes back to its creator are settled for erased users too.
    IF held.erased_at IS NOT NULL AND p_type NOT IN ('purchase', 'clawback', 'restore', 'release')
       AND NOT (p_type = 'gift' AND p_amount > 0 AND EXISTS (
           SELECT FROM gifts.gift_codes g WHERE g.id = substr(p_counterparty, 6)::uuid AND g.creator_id = p_user_id)) THEN
        RETURN QUERY SELECT 'user_erased', NULL::uuid, held.version, held.balance, held.balance,
            held.total_earned, held.total_spent, NULL::timestamptz;
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

-- ---------------------------------------------------------------- erasure

-- The ledger stays append-only. credits.erase may blank what a person or an app wrote, and replace the keys that clients
-- chose.
CREATE OR REPLACE FUNCTION credits.refuse_change_but_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('credits.erasing', true) = 'on'
       AND NEW.description = 'erased' AND NEW.metadata IS NULL AND NEW.idempotency_key IS NULL
       AND NEW.request_hash IS NULL AND NEW.movement_key IN (OLD.movement_key, 'erased:' || OLD.id)
       AND (NEW.app_id = OLD.app_id OR NEW.app_id LIKE 'erased-%')
       AND NEW.counterparty IN (OLD.counterparty, 'app:' || NEW.app_id, 'grant:erased') THEN
        OLD.description := NEW.description;
        OLD.metadata := NEW.metadata;
        OLD.idempotency_key := NEW.idempotency_key;
        OLD.request_hash := NEW.request_hash;
        OLD.movement_key := NEW.movement_key;
        OLD.app_id := NEW.app_id;
        OLD.counterparty := NEW.counterparty;
        IF OLD IS NOT DISTINCT FROM NEW THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE OR REPLACE FUNCTION jobs.refuse_reopening_but_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('credits.erasing', true) = 'on' AND NEW.key IN (OLD.key, 'erased:' || OLD.id) THEN
        OLD.key := NEW.key;
        OLD.request_hash := NEW.request_hash;
        OLD.request_id := NEW.request_id;
        OLD.payload := NEW.payload;
        OLD.result := NEW.result;
        OLD.problem := NEW.problem;
        IF OLD IS NOT DISTINCT FROM NEW THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'job % is %: it never changes again', OLD.id, OLD.state
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE OR REPLACE FUNCTION gifts.gift_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changing text[] := CASE WHEN current_setting('credits.erasing', true) = 'on'
        THEN ARRAY['creator_name', 'message', 'target_email', 'target_address', 'source_app_id']
        ELSE ARRAY['status', 'redeemed', 'updated_at'] END;
BEGIN
    IF TG_OP = 'DELETE' OR (to_jsonb(OLD) - changing) <> (to_jsonb(NEW) - changing)
       OR 'status' = ANY (changing) AND (OLD.status <> 'active' OR NEW.status = 'active') THEN
        RAISE EXCEPTION 'gift % is %: this change is refused', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION gifts.refuse_change_but_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('credits.erasing', true) = 'on' THEN
        OLD.source_app_id := NEW.source_app_id;
        IF OLD IS NOT DISTINCT FROM NEW THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

DROP TRIGGER gift_redemptions_append_only ON gifts.gift_redemptions;
CREATE TRIGGER gift_redemptions_append_only BEFORE UPDATE OR DELETE ON gifts.gift_redemptions
    FOR EACH ROW EXECUTE FUNCTION gifts.refuse_change_but_erasure();

-- Numbers, flags, our own ids, and of a Stripe event its id, type and time are no personal data; all else becomes null.
-- The id of an app is a text that its caller chose.
CREATE OR REPLACE FUNCTION jobs.without_personal_data(told jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN told IS NULL THEN NULL ELSE coalesce((
        SELECT jsonb_object_agg(key, CASE
            WHEN jsonb_typeof(value) IN ('number', 'boolean') OR key IN ('id', 'type', 'status', 'code')
                OR key ~ 'Id$' AND key !~* 'appId$' THEN value
            WHEN key = 'event' THEN jobs.without_personal_data(value)
            ELSE 'null'::jsonb END)
        FROM jsonb_each(told)), '{}'::jsonb) END
$$;

-- Takes out of the database what describes a person, and leaves every amount and id where it is.
CREATE OR REPLACE FUNCTION credits.erase(p_user_id text, p_address text) RETURNS TABLE (
    transactions bigint, purchases bigint, jobs bigint, gifts bigint, unended_jobs bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    customer text := (SELECT c.stripe_customer_id FROM credits.stripe_customers c WHERE c.user_id = p_user_id);
    found_jobs uuid[];
    changed bigint;
    -- An app that others use too names an app. One that this user alone has named may name a person.
    own_apps jsonb := (
        SELECT coalesce(jsonb_object_agg(app_id, 'erased-' || number), '{}')
        FROM (SELECT app_id, row_number() OVER (ORDER BY app_id) AS number FROM (
            SELECT DISTINCT t.app_id FROM credits.transactions t WHERE t.user_id = p_user_id
            EXCEPT SELECT DISTINCT t.app_id FROM credits.transactions t WHERE t.user_id <> p_user_id) AS own
            WHERE app_id !~ '^(erased-.*|stripe|sync|system|gifts|holds)$') AS numbered);
    own_reasons text[] := ARRAY(
        SELECT DISTINCT t.counterparty FROM credits.transactions t
        WHERE t.user_id = p_user_id AND t.type = 'grant' AND t.counterparty <> 'grant:erased'
        EXCEPT SELECT DISTINCT t.counterparty FROM credits.transactions t
        WHERE t.user_id <> p_user_id AND t.type = 'grant');
BEGIN
    PERFORM set_config('credits.erasing', 'on', true);
    PERFORM FROM credits.balances b WHERE b.user_id = p_user_id FOR UPDATE;

    -- Keys of clients may be anything; the keys that this service makes are ids, and stay. What was replayed by a key is
    -- refused from now on, as every act of this user is.
    UPDATE credits.transactions t SET description = 'erased', metadata = NULL, idempotency_key = NULL,
        request_hash = NULL,
        movement_key = CASE WHEN t.request_hash IS NOT NULL OR t.idempotency_key IS NOT NULL OR t.type = 'grant'
            THEN 'erased:' || t.id ELSE t.movement_key END,
        app_id = coalesce(own_apps ->> t.app_id, t.app_id),
        counterparty = CASE
            WHEN t.counterparty = 'app:' || t.app_id THEN 'app:' || coalesce(own_apps ->> t.app_id, t.app_id)
            WHEN t.counterparty = ANY (own_reasons) THEN 'grant:erased' ELSE t.counterparty END
        WHERE t.user_id = p_user_id AND (t.description <> 'erased' OR t.metadata IS NOT NULL
            OR t.request_hash IS NOT NULL OR t.idempotency_key IS NOT NULL OR own_apps ? t.app_id
            OR t.type = 'grant' AND t.movement_key <> 'erased:' || t.id);
    GET DIAGNOSTICS transactions = ROW_COUNT;

    UPDATE credits.purchases p SET metadata = NULL, client_secret = NULL, checkout_url = NULL, success_url = NULL,
        cancel_url = NULL WHERE p.user_id = p_user_id;
    GET DIAGNOSTICS purchases = ROW_COUNT;

    found_jobs := ARRAY(
        SELECT j.id FROM jobs.jobs j WHERE j.user_id = p_user_id
        UNION
        SELECT j.id FROM jobs.jobs j, jsonb_extract_path(j.payload, 'event', 'data', 'object') object
        WHERE j.kind = 'stripe' AND (
            object -> 'metadata' ->> 'user_id' = p_user_id
            OR object ->> 'customer' = customer OR object ->> 'id' = customer
            OR object -> 'metadata' ->> 'purchase_id' IN (
                SELECT p.id::text FROM credits.purchases p WHERE p.user_id = p_user_id)
            OR object ->> 'client_reference_id' IN (
                SELECT p.id::text FROM credits.purchases p WHERE p.user_id = p_user_id)
            OR object ->> 'payment_intent' IN (
                SELECT p.stripe_payment_intent_id FROM credits.purchases p WHERE p.user_id = p_user_id)));
    UPDATE jobs.jobs j SET payload = jobs.without_personal_data(j.payload),
        result = jobs.without_personal_data(j.result),
        problem = j.problem - 'details' || '{"detail": "erased"}'::jsonb,
        key = CASE WHEN j.request_hash IS NULL THEN j.key ELSE 'erased:' || j.id END,
        request_hash = NULL, request_id = NULL,
        state = CASE j.state WHEN 'rejected' THEN 'discarded' ELSE j.state END  -- it could not run again
        WHERE j.id = ANY (found_jobs) AND j.state IN ('done', 'rejected', 'discarded');
    GET DIAGNOSTICS jobs = ROW_COUNT;
    -- The payload of a job that may still run is needed: the caller takes everything back when there is one.
    unended_jobs := (SELECT count(*) FROM jobs.jobs j WHERE j.id = ANY (found_jobs)
                     AND j.state IN ('pending', 'failed'));
    UPDATE jobs.attempts a SET message = 'erased', traceback = 'erased' WHERE a.job_id = ANY (found_jobs);

    UPDATE credits.usage_stats u SET app_id = own_apps ->> u.app_id WHERE u.user_id = p_user_id AND own_apps ? u.app_id;
    UPDATE gifts.gift_codes g SET source_app_id = own_apps ->> g.source_app_id
        WHERE g.creator_id = p_user_id AND own_apps ? g.source_app_id;
    UPDATE gifts.gift_redemptions r SET source_app_id = own_apps ->> r.source_app_id
        WHERE r.user_id = p_user_id AND own_apps ? r.source_app_id;

    -- An open gift keeps its address: whom it is meant for could not take it without. When that is the person who is
    -- erased, nobody can, and its credits return to the creator when it expires.
    UPDATE gifts.gift_codes g SET creator_name = NULL, message = NULL WHERE g.creator_id = p_user_id
        AND (g.creator_name IS NOT NULL OR g.message IS NOT NULL);
    GET DIAGNOSTICS gifts = ROW_COUNT;
    UPDATE gifts.gift_codes g SET target_email = 'erased@invalid', target_address = 'erased@invalid', message = NULL
        WHERE g.target_address <> 'erased@invalid' AND (g.target_address = p_address
            OR g.creator_id = p_user_id AND g.status <> 'active'
            OR g.id IN (SELECT r.gift_code_id FROM gifts.gift_redemptions r WHERE r.user_id = p_user_id));
    GET DIAGNOSTICS changed = ROW_COUNT;
    gifts := gifts + changed;
    UPDATE credits.reservations r SET reason = 'erased' WHERE r.user_id = p_user_id AND r.reason <> 'erased';

    -- Nothing is charged any more, and nobody acts for this user again: an old token may outlive the erasure.
    UPDATE credits.sync_subscriptions s SET active = s.is_gifted AND s.active, auto_resume = false, next_charge_at = NULL,
        period = s.period + 1, updated_at = clock_timestamp()
        WHERE s.user_id = p_user_id AND (s.active AND NOT s.is_gifted OR s.auto_resume);
    INSERT INTO credits.balances AS b (user_id, created_at, updated_at, erased_at)
        VALUES (p_user_id, clock_timestamp(), clock_timestamp(), clock_timestamp())
        ON CONFLICT ON CONSTRAINT balances_pkey DO UPDATE SET erased_at = coalesce(b.erased_at, excluded.erased_at);

    PERFORM set_config('credits.erasing', 'off', true);
    RETURN NEXT;
END $$;
