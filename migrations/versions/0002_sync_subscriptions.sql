-- ---------------------------------------------------------------- subscriptions

-- Numbers the activations of the whole house, so that no activation of any row, also of one that was deleted and made
-- again, shares its number with another.
CREATE SEQUENCE credits.sync_activations;

CREATE TABLE credits.sync_subscriptions (
    user_id          text        NOT NULL,
    active           boolean     NOT NULL DEFAULT false,
    billing_interval text        NOT NULL DEFAULT 'monthly',
    amount_charged   bigint      NOT NULL DEFAULT 30,  -- credits, at each next_charge_at
    activated_at     timestamptz,
    anchor_at        timestamptz,                      -- every period ends at anchor_at + k months
    next_charge_at   timestamptz,
    paused_at        timestamptz,
    is_gifted        boolean     NOT NULL DEFAULT false,
    gifted_by        text,
    gifted_at        timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    activation       bigint      NOT NULL DEFAULT nextval('credits.sync_activations'),
    period           bigint      NOT NULL DEFAULT 0,      -- counts up whenever a renewal of this activation was decided
    auto_resume      boolean     NOT NULL DEFAULT false,  -- activate again when a paused user can pay
    looked_ahead     boolean     NOT NULL DEFAULT false,  -- whether next_charge_at is covered was looked at, 7 days before
    CONSTRAINT sync_subscriptions_pkey PRIMARY KEY (user_id),
    CONSTRAINT sync_subscriptions_user_id_length CHECK (length(user_id) BETWEEN 1 AND 128),
    CONSTRAINT sync_subscriptions_interval_known CHECK (billing_interval IN ('monthly', 'quarterly', 'yearly')),
    CONSTRAINT sync_subscriptions_amount_bounds CHECK (amount_charged BETWEEN 1 AND 1000000),
    CONSTRAINT sync_subscriptions_counts CHECK (activation >= 0 AND period >= 0),
    CONSTRAINT sync_subscriptions_paid_has_date CHECK (next_charge_at IS NOT NULL OR is_gifted OR NOT active)
) WITH (fillfactor = 80);
ALTER SEQUENCE credits.sync_activations OWNED BY credits.sync_subscriptions.activation;

-- What is due is found at the front of this index; an idle subscription is an entry behind it that nobody reads.
CREATE INDEX sync_subscriptions_due ON credits.sync_subscriptions (next_charge_at, user_id)
    WHERE active AND NOT is_gifted;
CREATE INDEX sync_subscriptions_unforeseen ON credits.sync_subscriptions (next_charge_at)
    WHERE active AND NOT is_gifted AND NOT looked_ahead;
CREATE INDEX sync_subscriptions_resumable ON credits.sync_subscriptions (user_id)
    WHERE auto_resume AND NOT active AND NOT is_gifted AND paused_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE ON credits.sync_subscriptions TO mana_credits_app;
GRANT USAGE ON SEQUENCE credits.sync_activations TO mana_credits_app;

-- ---------------------------------------------------------------- gifts by administrators

CREATE TABLE credits.sync_gift_audit (
    id       uuid        NOT NULL,
    user_id  text        NOT NULL,
    act      text        NOT NULL,
    admin_id text        NOT NULL,
    acted_at timestamptz NOT NULL,
    CONSTRAINT sync_gift_audit_pkey PRIMARY KEY (id),
    CONSTRAINT sync_gift_audit_act_known CHECK (act IN ('granted', 'revoked'))
);
CREATE INDEX sync_gift_audit_user ON credits.sync_gift_audit (user_id, acted_at);

CREATE TRIGGER sync_gift_audit_append_only BEFORE UPDATE OR DELETE ON credits.sync_gift_audit
    FOR EACH ROW EXECUTE FUNCTION credits.refuse_change();
CREATE TRIGGER sync_gift_audit_not_truncated BEFORE TRUNCATE ON credits.sync_gift_audit
    FOR EACH STATEMENT EXECUTE FUNCTION credits.refuse_change();

GRANT SELECT, INSERT ON credits.sync_gift_audit TO mana_credits_app;

-- ---------------------------------------------------------------- renewing many at once

-- Lock balances in sorted order and tell what is in them. The service's role may not change balances, so it cannot lock
-- them by itself either; locking is all that this function lends it.
--
-- p_wait: wait for rows that somebody else has locked; else they are left out, like users without a balance.
CREATE FUNCTION credits.lock_balances(p_user_ids text[], p_wait boolean)
RETURNS TABLE (user_id text, balance bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF p_wait THEN
        RETURN QUERY SELECT b.user_id, b.balance FROM credits.balances b
            WHERE b.user_id = ANY (p_user_ids) ORDER BY b.user_id FOR UPDATE;
    ELSE
        RETURN QUERY SELECT b.user_id, b.balance FROM credits.balances b
            WHERE b.user_id = ANY (p_user_ids) ORDER BY b.user_id FOR UPDATE SKIP LOCKED;
    END IF;
END $$;

REVOKE ALL ON FUNCTION credits.lock_balances FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credits.lock_balances TO mana_credits_app;

-- The run that a caller asked for and that has not ended: there is one at most, found among any number of jobs.
CREATE INDEX jobs_charging_runs ON jobs.jobs (created_at) WHERE kind = 'charge_recurring' AND state = 'pending';
