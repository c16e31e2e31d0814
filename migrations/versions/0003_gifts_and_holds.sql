-- ---------------------------------------------------------------- gifts

CREATE TABLE gifts.gift_codes (
    id             uuid        NOT NULL,
    code           text        NOT NULL,  -- without the dashes people see
    creator_id     text        NOT NULL,
    creator_name   text,
    total_credits  bigint      NOT NULL,
    redeemed       smallint    NOT NULL DEFAULT 0,
    type           text        NOT NULL,
    status         text        NOT NULL DEFAULT 'active',
    target_email   text,                  -- as the creator wrote it
    target_address text,                  -- the same, as addresses are compared
    message        text,
    source_app_id  text,
    expires_at     timestamptz NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT gift_codes_pkey PRIMARY KEY (id),
    CONSTRAINT gift_codes_code_key UNIQUE (code),
    CONSTRAINT gift_codes_size_key UNIQUE (id, total_credits),  -- what a redemption refers to
    CONSTRAINT gift_codes_creator_id_fkey FOREIGN KEY (creator_id) REFERENCES credits.balances (user_id),
    CONSTRAINT gift_codes_code_form CHECK (code ~ '^([0-9A-HJKMNP-TV-Z]{16}|[0-9A-HJKMNP-Z]{6})$'),
    CONSTRAINT gift_codes_credits_bounds CHECK (total_credits BETWEEN 1 AND 10000),
    CONSTRAINT gift_codes_type_known CHECK (type IN ('simple', 'personalized')),
    CONSTRAINT gift_codes_status_known CHECK (status IN ('active', 'depleted', 'expired', 'cancelled', 'refunded')),
    CONSTRAINT gift_codes_redeemed CHECK (redeemed = CASE status WHEN 'depleted' THEN 1 ELSE 0 END),
    CONSTRAINT gift_codes_target CHECK (
        (type = 'personalized') = (target_email IS NOT NULL) AND (target_email IS NULL) = (target_address IS NULL)),
    CONSTRAINT gift_codes_lengths CHECK (length(message) <= 500 AND length(creator_name) <= 100
        AND length(target_email) <= 320 AND length(target_address) <= 254 AND length(source_app_id) <= 64),
    CONSTRAINT gift_codes_expires_later CHECK (expires_at > created_at AND updated_at >= created_at)
);
CREATE INDEX gift_codes_creator ON gifts.gift_codes (creator_id, created_at DESC, id DESC);
CREATE INDEX gift_codes_target ON gifts.gift_codes (target_address) WHERE status = 'active';
CREATE INDEX gift_codes_due ON gifts.gift_codes (expires_at, id) WHERE status = 'active';

-- Only the state of a gift changes, once, from active to one of its ends.
CREATE FUNCTION gifts.gift_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.status <> 'active' OR NEW.status = 'active'
       OR (to_jsonb(OLD) - ARRAY['status', 'redeemed', 'updated_at'])
          <> (to_jsonb(NEW) - ARRAY['status', 'redeemed', 'updated_at']) THEN
        RAISE EXCEPTION 'gift % is %: this change is refused', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER gift_codes_move_forward BEFORE UPDATE OR DELETE ON gifts.gift_codes
    FOR EACH ROW EXECUTE FUNCTION gifts.gift_moves_forward();

CREATE TABLE gifts.gift_redemptions (
    id               uuid        NOT NULL,
    gift_code_id     uuid        NOT NULL,
    user_id          text        NOT NULL,
    credits_received bigint      NOT NULL,
    transaction_id   uuid        NOT NULL,
    source_app_id    text,
    created_at       timestamptz NOT NULL,
    CONSTRAINT gift_redemptions_pkey PRIMARY KEY (id),
    CONSTRAINT gift_redemptions_gift_code_id_key UNIQUE (gift_code_id),  -- at most one redemption
    CONSTRAINT gift_redemptions_transaction_id_key UNIQUE (transaction_id),
    CONSTRAINT gift_redemptions_gift_fkey FOREIGN KEY (gift_code_id, credits_received)
        REFERENCES gifts.gift_codes (id, total_credits),
    CONSTRAINT gift_redemptions_source_app_id_length CHECK (length(source_app_id) <= 64)
);
CREATE INDEX gift_redemptions_user ON gifts.gift_redemptions (user_id, created_at DESC, id DESC);

CREATE TRIGGER gift_redemptions_append_only BEFORE UPDATE OR DELETE ON gifts.gift_redemptions
    FOR EACH ROW EXECUTE FUNCTION credits.refuse_change();

GRANT SELECT ON gifts.gift_codes, gifts.gift_redemptions TO mana_credits_app;
GRANT INSERT (id, code, creator_id, creator_name, total_credits, type, target_email, target_address, message,
    source_app_id, expires_at, created_at, updated_at) ON gifts.gift_codes TO mana_credits_app;
GRANT UPDATE (status, redeemed, updated_at) ON gifts.gift_codes TO mana_credits_app;
GRANT INSERT ON gifts.gift_redemptions TO mana_credits_app;

-- ---------------------------------------------------------------- holds

CREATE TABLE credits.reservations (
    id               uuid        NOT NULL,
    user_id          text        NOT NULL,
    amount           bigint      NOT NULL,
    reason           text        NOT NULL,
    status           text        NOT NULL DEFAULT 'open',
    committed_amount bigint,
    expires_at       timestamptz NOT NULL,
    created_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    CONSTRAINT reservations_pkey PRIMARY KEY (id),
    CONSTRAINT reservations_user_id_fkey FOREIGN KEY (user_id) REFERENCES credits.balances (user_id),
    CONSTRAINT reservations_amount_bounds CHECK (amount BETWEEN 1 AND 1000000),
    CONSTRAINT reservations_reason_length CHECK (length(reason) BETWEEN 1 AND 200),
    CONSTRAINT reservations_status_known CHECK (status IN ('open', 'committed', 'released', 'expired')),
    CONSTRAINT reservations_committed CHECK ((status = 'committed') = (committed_amount IS NOT NULL)
        AND committed_amount BETWEEN 1 AND amount),
    CONSTRAINT reservations_ended_at CHECK ((status = 'open') = (ended_at IS NULL)),
    CONSTRAINT reservations_expires_later CHECK (expires_at > created_at)
);
CREATE INDEX reservations_due ON credits.reservations (expires_at, id) WHERE status = 'open';
CREATE INDEX reservations_user ON credits.reservations (user_id, created_at DESC);

-- A hold has one end, and nothing but its end changes.
CREATE FUNCTION credits.hold_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.status <> 'open' OR NEW.status = 'open'
       OR (to_jsonb(OLD) - ARRAY['status', 'committed_amount', 'ended_at'])
          <> (to_jsonb(NEW) - ARRAY['status', 'committed_amount', 'ended_at']) THEN
        RAISE EXCEPTION 'hold % is %: this change is refused', OLD.id, OLD.status
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER reservations_move_forward BEFORE UPDATE OR DELETE ON credits.reservations
    FOR EACH ROW EXECUTE FUNCTION credits.hold_moves_forward();

GRANT SELECT ON credits.reservations TO mana_credits_app;
GRANT INSERT (id, user_id, amount, reason, expires_at, created_at) ON credits.reservations TO mana_credits_app;
GRANT UPDATE (status, committed_amount, ended_at) ON credits.reservations TO mana_credits_app;

-- ---------------------------------------------------------------- usage statistics

-- How far each user's ledger has been counted: every transaction up to `seq` is in usage_stats, none behind it.
-- No foreign key to balances: it would make counting wait for every balance that somebody has locked.
CREATE TABLE credits.usage_watermarks (
    user_id text   NOT NULL,
    seq     bigint NOT NULL DEFAULT 0,
    CONSTRAINT usage_watermarks_pkey PRIMARY KEY (user_id),
    CONSTRAINT usage_watermarks_seq_positive CHECK (seq >= 0)
) WITH (fillfactor = 70);

CREATE FUNCTION credits.usage_watermark_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the usage of % is counted up to %: this change is refused', OLD.user_id, OLD.seq
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER usage_watermarks_move_forward BEFORE UPDATE ON credits.usage_watermarks
    FOR EACH ROW WHEN (NEW.seq <= OLD.seq OR NEW.user_id <> OLD.user_id)
    EXECUTE FUNCTION credits.usage_watermark_moves_forward();

CREATE TABLE credits.usage_stats (
    user_id text   NOT NULL,
    app_id  text   NOT NULL,
    day     date   NOT NULL,  -- UTC
    credits bigint NOT NULL,  -- spent
    uses    bigint NOT NULL,
    CONSTRAINT usage_stats_pkey PRIMARY KEY (user_id, day, app_id),
    CONSTRAINT usage_stats_user_id_fkey FOREIGN KEY (user_id) REFERENCES credits.usage_watermarks (user_id),
    CONSTRAINT usage_stats_positive CHECK (credits >= uses AND uses >= 1)
) WITH (fillfactor = 80);

GRANT SELECT, INSERT ON credits.usage_stats, credits.usage_watermarks TO mana_credits_app;
GRANT UPDATE (seq) ON credits.usage_watermarks TO mana_credits_app;
GRANT UPDATE (credits, uses) ON credits.usage_stats TO mana_credits_app;
