"""The gifts and their redemptions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Row,
    Select,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from domain.errors import NotFound
from domain.ids import new_id
from domain.rules.gift_codes import parse_code
from domain.rules.gifts import Gift, GiftStatus, GiftType, NewGift, Redemption
from domain.store.database import Reader, Store
from domain.store.paging import Position, newest_first, overdue
from domain.store.schema import instant, metadata
from domain.units import Credits, UserId

gift_codes = Table(
    "gift_codes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("code", Text, nullable=False),
    Column(
        "creator_id",
        Text,
        ForeignKey("credits.balances.user_id", name="gift_codes_creator_id_fkey"),
        nullable=False,
    ),
    Column("creator_name", Text),
    Column("total_credits", BigInteger, nullable=False),
    Column("redeemed", SmallInteger, nullable=False, server_default="0"),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="active"),
    Column("target_email", Text),
    Column("target_address", Text),
    Column("message", Text),
    Column("source_app_id", Text),
    instant("expires_at"),
    instant("created_at"),
    instant("updated_at"),
    UniqueConstraint("code", name="gift_codes_code_key"),
    UniqueConstraint("id", "total_credits", name="gift_codes_size_key"),
    Index("gift_codes_creator", "creator_id", text("created_at DESC"), text("id DESC")),
    Index("gift_codes_target", "target_address", postgresql_where=text("status = 'active'")),
    Index("gift_codes_due", "expires_at", "id", postgresql_where=text("status = 'active'")),
    schema="gifts",
)


gift_redemptions = Table(
    "gift_redemptions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("gift_code_id", Uuid, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("credits_received", BigInteger, nullable=False),
    Column("transaction_id", Uuid, nullable=False),
    Column("source_app_id", Text),
    instant("created_at"),
    ForeignKeyConstraint(
        ["gift_code_id", "credits_received"],
        ["gifts.gift_codes.id", "gifts.gift_codes.total_credits"],
        name="gift_redemptions_gift_fkey",
    ),
    UniqueConstraint("gift_code_id", name="gift_redemptions_gift_code_id_key"),
    UniqueConstraint("transaction_id", name="gift_redemptions_transaction_id_key"),
    Index("gift_redemptions_user", "user_id", text("created_at DESC"), text("id DESC")),
    schema="gifts",
)


def add(store: Store, gift_id: UUID, new: NewGift, *, code: str, target_address: str | None, now: datetime) -> Gift:
    """Write a new, active gift."""
    values = {
        "id": gift_id,
        "code": code,
        "creator_id": new.creator_id,
        "creator_name": new.creator_name,
        "total_credits": new.total_credits,
        "type": GiftType.SIMPLE.value if target_address is None else GiftType.PERSONALIZED.value,
        "target_email": new.target_email,
        "target_address": target_address,
        "message": new.message,
        "source_app_id": new.source_app_id,
        "expires_at": new.expires_at,
        "created_at": now,
        "updated_at": now,
    }
    return _gift(store.run(insert(gift_codes).values(values).returning(gift_codes)).one())


def by_code(reader: Reader, code: str) -> Gift | None:
    """Find a gift by its code, as it is stored."""
    row = reader.first(select(gift_codes).where(gift_codes.c.code == code))
    return None if row is None else _gift(row)


def get_by_code(reader: Reader, typed: str) -> Gift:
    """Find a gift by its code as a person typed it: any case, with or without dashes.

    Raises:
        NotFound: there is none, or the text cannot be a code.
    """
    code = parse_code(typed)
    gift = None if code is None else by_code(reader, code)
    if gift is None:
        raise NotFound("Gift")
    return gift


def by_id(reader: Reader, gift_id: UUID) -> Gift | None:
    """Find a gift."""
    row = reader.first(select(gift_codes).where(gift_codes.c.id == gift_id))
    return None if row is None else _gift(row)


def lock(store: Store, gift_id: UUID) -> Gift | None:
    """Lock and read a gift: redeeming, cancelling and expiring it wait here for each other; the first one ends it."""
    row = store.first(select(gift_codes).where(gift_codes.c.id == gift_id).with_for_update())
    return None if row is None else _gift(row)


def end(store: Store, gift_id: UUID, status: GiftStatus, *, now: datetime) -> None:
    """Write the end of a locked, active gift."""
    redeemed = int(status is GiftStatus.DEPLETED)
    # The clock of this machine may be behind that of the machine that created the gift.
    ended_at = func.greatest(now, gift_codes.c.created_at)
    values = {"status": status.value, "redeemed": redeemed, "updated_at": ended_at}
    store.run(update(gift_codes).where(gift_codes.c.id == gift_id).values(values))


def add_redemption(
    store: Store, gift: Gift, *, user_id: UserId, transaction_id: UUID, source_app_id: str | None, now: datetime
) -> None:
    """Write down who redeemed a gift, and by which transaction."""
    store.run(
        insert(gift_redemptions).values(
            id=new_id(),
            gift_code_id=gift.id,
            user_id=user_id,
            credits_received=gift.total_credits,
            transaction_id=transaction_id,
            source_app_id=source_app_id,
            created_at=now,
        )
    )


def redemption_of(reader: Reader, gift_id: UUID) -> Redemption | None:
    """Find the redemption of a gift."""
    row = reader.first(_redemptions().where(gift_redemptions.c.gift_code_id == gift_id))
    return None if row is None else _redemption(row)


def redeemed_among(reader: Reader, gift_ids: Sequence[UUID], user_id: UserId) -> tuple[int, Credits]:
    """Count which of these gifts a user has redeemed, and their credits."""
    by_user = gift_redemptions.c.gift_code_id.in_(gift_ids) & (gift_redemptions.c.user_id == user_id)
    totals = select(func.count(), func.coalesce(func.sum(gift_redemptions.c.credits_received), 0)).where(by_user)
    count, total = reader.run(totals).one()
    return count, Credits(int(total))


def active_for(reader: Reader, address: str, *, not_from: UserId, now: datetime, most: int) -> list[UUID]:
    """Find the gifts that wait for the owner of an address, oldest first; those of `not_from` are left out."""
    waiting = (
        select(gift_codes.c.id)
        .where(
            gift_codes.c.target_address.in_([address, f"{address}."]), gift_codes.c.status == GiftStatus.ACTIVE.value
        )
        .where(gift_codes.c.expires_at > now, gift_codes.c.creator_id != not_from)
        .order_by(gift_codes.c.created_at, gift_codes.c.id)
        .limit(most)
    )
    return list(reader.run(waiting).scalars())


def due(reader: Reader, *, now: datetime, behind: Position | None, most: int) -> list[Position]:
    """Find active gifts past their end, the longest overdue first; `behind` goes on after one already seen."""
    return overdue(reader, gift_codes, status=GiftStatus.ACTIVE.value, now=now, behind=behind, most=most)


def created_by(
    reader: Reader, user_id: UserId, *, limit: int, offset: int = 0, older_than: Position | None = None
) -> list[Gift]:
    """Read the gifts a user has created, newest first; `older_than` continues behind one already seen."""
    created = select(gift_codes).where(gift_codes.c.creator_id == user_id)
    paged = newest_first(created, gift_codes.c.created_at, gift_codes.c.id, older_than=older_than)
    return [_gift(row) for row in reader.run(paged.limit(limit).offset(offset))]


def redeemed_by(
    reader: Reader, user_id: UserId, *, limit: int, offset: int = 0, older_than: Position | None = None
) -> list[Redemption]:
    """Read the gifts a user has redeemed, newest first; `older_than` continues behind one already seen."""
    redeemed = _redemptions().where(gift_redemptions.c.user_id == user_id)
    paged = newest_first(redeemed, gift_redemptions.c.created_at, gift_redemptions.c.id, older_than=older_than)
    return [_redemption(row) for row in reader.run(paged.limit(limit).offset(offset))]


def _redemptions() -> Select[Any]:
    """Join each redemption with its gift."""
    redemptions = gift_redemptions.c
    return select(
        gift_codes,
        redemptions.id.label("redemption_id"),
        redemptions.user_id,
        redemptions.credits_received,
        redemptions.transaction_id,
        redemptions.source_app_id.label("redeemed_in"),
        redemptions.created_at.label("redeemed_at"),
    ).join_from(gift_redemptions, gift_codes, gift_codes.c.id == redemptions.gift_code_id)


def _gift(row: Row[Any]) -> Gift:
    return Gift(
        id=row.id,
        code=row.code,
        creator_id=row.creator_id,
        creator_name=row.creator_name,
        total_credits=row.total_credits,
        redeemed=row.redeemed,
        type=GiftType(row.type),
        status=GiftStatus(row.status),
        target_email=row.target_email,
        target_address=row.target_address,
        message=row.message,
        source_app_id=row.source_app_id,
        expires_at=row.expires_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _redemption(row: Row[Any]) -> Redemption:
    return Redemption(
        id=row.redemption_id,
        user_id=row.user_id,
        credits_received=row.credits_received,
        transaction_id=row.transaction_id,
        source_app_id=row.redeemed_in,
        redeemed_at=row.redeemed_at,
        gift=_gift(row),
    )
