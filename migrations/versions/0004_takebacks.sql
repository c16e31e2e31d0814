-- ---------------------------------------------------------------- purchases

-- refunded_euro_cents: money that is with the buyer again; taken_back_credits: what went with it;
-- takeback_movements: how many ledger rows that took, the number of the last one's key.
ALTER TABLE credits.purchases
    ADD COLUMN refunded_euro_cents bigint  NOT NULL DEFAULT 0,
    ADD COLUMN taken_back_credits  bigint  NOT NULL DEFAULT 0,
    ADD COLUMN takeback_movements  integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT purchases_refunded_bounds CHECK (
        refunded_euro_cents BETWEEN 0 AND price_euro_cents
        AND taken_back_credits = credits * refunded_euro_cents / price_euro_cents
        AND (refunded_euro_cents = 0 OR status IN ('completed', 'refunded'))
        AND takeback_movements >= 0);

CREATE INDEX purchases_unpaid ON credits.purchases (created_at) WHERE status IN ('pending', 'failed');

-- A refund that failed, or a dispute that was won, makes a refunded purchase a completed one again.
CREATE OR REPLACE FUNCTION credits.purchase_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('pending', 'completed'), ('pending', 'failed'), ('pending', 'cancelled'), ('failed', 'completed'),
        ('failed', 'cancelled'), ('cancelled', 'completed'), ('completed', 'refunded'), ('refunded', 'completed')
    ) THEN
        RAISE EXCEPTION 'purchase % cannot go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

-- ---------------------------------------------------------------- refunds, disputes, warnings

CREATE TABLE credits.stripe_takebacks (
    stripe_id         text        NOT NULL,
    kind              text        NOT NULL,
    purchase_id       uuid        NOT NULL,
    payment_intent_id text        NOT NULL,
    amount_euro_cents bigint      NOT NULL,
    state             text        NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    CONSTRAINT stripe_takebacks_pkey PRIMARY KEY (stripe_id),
    CONSTRAINT stripe_takebacks_purchase_id_fkey FOREIGN KEY (purchase_id) REFERENCES credits.purchases (id),
    CONSTRAINT stripe_takebacks_kind_known CHECK (kind IN ('refund', 'dispute', 'warning')),
    CONSTRAINT stripe_takebacks_state_known CHECK (state IN ('watched', 'taken', 'returned')),
    CONSTRAINT stripe_takebacks_warning CHECK (kind <> 'warning' OR state = 'watched'),
    CONSTRAINT stripe_takebacks_amount CHECK (amount_euro_cents >= 0)
);
CREATE INDEX stripe_takebacks_purchase ON credits.stripe_takebacks (purchase_id);

CREATE FUNCTION credits.takeback_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% % cannot go from % to %', OLD.kind, OLD.stripe_id, OLD.state, NEW.state
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER stripe_takebacks_move_forward BEFORE UPDATE ON credits.stripe_takebacks
    FOR EACH ROW WHEN ((OLD.state, NEW.state) IN (
        ('taken', 'watched'), ('returned', 'watched'), ('returned', 'taken')))
    EXECUTE FUNCTION credits.takeback_moves_forward();

-- Up to when each of Stripe's lists has been read.
CREATE TABLE credits.stripe_cursors (
    name       text        NOT NULL,
    seen_until timestamptz NOT NULL,
    CONSTRAINT stripe_cursors_pkey PRIMARY KEY (name)
);

GRANT SELECT, INSERT, UPDATE (amount_euro_cents, state, updated_at) ON credits.stripe_takebacks TO mana_credits_app;
GRANT SELECT, INSERT, UPDATE (seen_until) ON credits.stripe_cursors TO mana_credits_app;
