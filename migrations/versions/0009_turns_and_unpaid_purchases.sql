-- Finds the oldest jobs that take turns, however many renewals wait beside them.
CREATE INDEX jobs_turns ON jobs.jobs (next_at) WHERE state = 'pending' AND queue = 'default';

-- Nobody paid these purchases, and nobody can: what was created at Stripe for them is cancelled.

CREATE INDEX purchases_cancelled ON credits.purchases (created_at) WHERE status = 'cancelled';

CREATE FUNCTION credits.refuse_deleting_purchase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'purchase % is not one that was cancelled long ago', OLD.id
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER purchases_stay BEFORE DELETE ON credits.purchases FOR EACH ROW
    WHEN (OLD.status <> 'cancelled' OR OLD.refunded_euro_cents <> 0 OR OLD.created_at > now() - interval '90 days')
    EXECUTE FUNCTION credits.refuse_deleting_purchase();

GRANT DELETE ON credits.purchases TO mana_credits_app;
