-- ---------------------------------------------------------------- what operators did

CREATE TABLE jobs.acts (
    id      uuid        NOT NULL,
    act     text        NOT NULL,
    who     text        NOT NULL,
    why     text        NOT NULL,
    job_id  uuid,  -- of the job it was about; no foreign key: jobs are pruned, acts are kept
    run_id  uuid,  -- of the `retry-all` job that did it
    user_id text,
    facts   jsonb       NOT NULL,
    at      timestamptz NOT NULL,
    CONSTRAINT acts_pkey PRIMARY KEY (id),
    CONSTRAINT acts_act_known CHECK (act IN ('retry', 'retry-all', 'discard', 'erase')),
    CONSTRAINT acts_who_length CHECK (length(who) BETWEEN 1 AND 200),
    CONSTRAINT acts_why_length CHECK (length(why) <= 500)
);
CREATE INDEX acts_job ON jobs.acts (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX acts_run ON jobs.acts (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX acts_at ON jobs.acts (at DESC);

CREATE TRIGGER acts_append_only BEFORE UPDATE OR DELETE ON jobs.acts
    FOR EACH ROW EXECUTE FUNCTION credits.refuse_change();
CREATE TRIGGER acts_not_truncated BEFORE TRUNCATE ON jobs.acts
    FOR EACH STATEMENT EXECUTE FUNCTION credits.refuse_change();

GRANT SELECT, INSERT ON jobs.acts TO mana_credits_app;

-- ---------------------------------------------------------------- erasure

-- The ledger stays append-only, but for one thing: `credits.erase` may blank the description and the metadata.
CREATE FUNCTION credits.refuse_change_but_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('credits.erasing', true) = 'on'
       AND NEW.description = 'erased' AND NEW.metadata IS NULL THEN
        OLD.description := NEW.description;
        OLD.metadata := NEW.metadata;
        IF OLD IS NOT DISTINCT FROM NEW THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

DROP TRIGGER transactions_append_only ON credits.transactions;
CREATE TRIGGER transactions_append_only BEFORE UPDATE OR DELETE ON credits.transactions
    FOR EACH ROW EXECUTE FUNCTION credits.refuse_change_but_erasure();

-- An ended job never changes again, but for what an erasure takes out of its JSON.
CREATE FUNCTION jobs.refuse_reopening_but_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('credits.erasing', true) = 'on' THEN
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

DROP TRIGGER jobs_ended ON jobs.jobs;
CREATE TRIGGER jobs_ended BEFORE UPDATE ON jobs.jobs
    FOR EACH ROW WHEN (OLD.state IN ('done', 'discarded')) EXECUTE FUNCTION jobs.refuse_reopening_but_erasure();

-- Gifts and holds move forward as before, and an erasure may blank what was written about a person.
CREATE OR REPLACE FUNCTION gifts.gift_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changing text[] := CASE WHEN current_setting('credits.erasing', true) = 'on'
        THEN ARRAY['creator_name', 'message', 'target_email', 'target_address']
        ELSE ARRAY['status', 'redeemed', 'updated_at'] END;
BEGIN
    IF TG_OP = 'DELETE' OR (to_jsonb(OLD) - changing) <> (to_jsonb(NEW) - changing)
       OR 'status' = ANY (changing) AND (OLD.status <> 'active' OR NEW.status = 'active') THEN
        RAISE EXCEPTION 'gift % is %: this change is refused', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION credits.hold_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changing text[] := CASE WHEN current_setting('credits.erasing', true) = 'on'
        THEN ARRAY['reason'] ELSE ARRAY['status', 'committed_amount', 'ended_at'] END;
BEGIN
    IF TG_OP = 'DELETE' OR (to_jsonb(OLD) - changing) <> (to_jsonb(NEW) - changing)
       OR 'status' = ANY (changing) AND (OLD.status <> 'open' OR NEW.status = 'open') THEN
        RAISE EXCEPTION 'hold % is %: this change is refused', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

-- Numbers, flags, our own ids, and of a Stripe event its id, type and time are no personal data; all else becomes null.
CREATE FUNCTION jobs.without_personal_data(told jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN told IS NULL THEN NULL ELSE coalesce((
        SELECT jsonb_object_agg(key, CASE
            WHEN jsonb_typeof(value) IN ('number', 'boolean') OR key ~ 'Id$' OR key IN ('id', 'type', 'status', 'code')
                THEN value
            WHEN key = 'event' THEN jobs.without_personal_data(value)
            ELSE 'null'::jsonb END)
        FROM jsonb_each(told)), '{}'::jsonb) END
$$;

-- Takes out of the house what describes a person, and leaves every amount, key and id where it is.
CREATE FUNCTION credits.erase(p_user_id text, p_address text) RETURNS TABLE (
    transactions bigint, purchases bigint, jobs bigint, gifts bigint, unended_jobs bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    customer text := (SELECT c.stripe_customer_id FROM credits.stripe_customers c WHERE c.user_id = p_user_id);
    found_jobs uuid[];
    changed bigint;
BEGIN
    PERFORM set_config('credits.erasing', 'on', true);
    PERFORM FROM credits.balances b WHERE b.user_id = p_user_id FOR UPDATE;

    UPDATE credits.transactions t SET description = 'erased', metadata = NULL
        WHERE t.user_id = p_user_id AND (t.description <> 'erased' OR t.metadata IS NOT NULL);
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
        state = CASE j.state WHEN 'rejected' THEN 'discarded' ELSE j.state END  -- it could not run again
        WHERE j.id = ANY (found_jobs) AND j.state IN ('done', 'rejected', 'discarded');
    GET DIAGNOSTICS jobs = ROW_COUNT;
    -- The payload of a job that may still run is needed: the caller takes everything back when there is one.
    unended_jobs := (SELECT count(*) FROM jobs.jobs j WHERE j.id = ANY (found_jobs)
                     AND j.state IN ('pending', 'failed'));
    UPDATE jobs.attempts a SET message = 'erased', traceback = 'erased' WHERE a.job_id = ANY (found_jobs);

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

    PERFORM set_config('credits.erasing', 'off', true);
    RETURN NEXT;
END $$;

-- Only the owner, on the command line: neither web nor workers erase anybody.
REVOKE ALL ON FUNCTION credits.erase FROM PUBLIC;
