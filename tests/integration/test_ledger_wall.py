"""What `credits.append` refuses to whoever has the service's role and writes SQL of their own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from domain.rules.ledger import TransactionType
from local.logins import SERVICE
from local.postgres import Postgres
from tests.support.times import NOW

_APPEND = "SELECT outcome FROM credits.append(%s, 'anna', %s, %s, 'chat', %s, 'x', NULL, %s, NULL, NULL, %s)"
ID = "01a1fd0e-ce2f-7520-b805-e91b2f449311"
FITTING = {
    "purchase": (1, f"stripe:{ID}"),
    "restore": (1, f"stripe:{ID}"),
    "clawback": (-1, f"stripe:{ID}"),
    "usage": (-1, "app:chat"),
    "refund": (1, "app:chat"),
    "grant": (1, "grant:welcome"),
    "hold": (-1, f"hold:{ID}"),
    "release": (1, f"hold:{ID}"),
    "gift": (1, f"gift:{ID}"),
}


@pytest.fixture(scope="module")
def wall(postgres: Postgres, template: str) -> Iterator[str]:
    """One database for all that is refused or taken back, as the login of the service."""
    postgres.create_database("test_wall", template=template)
    yield postgres.url("test_wall", SERVICE)
    postgres.drop_database("test_wall")


def append(url: str, *movements: tuple[str, int | None, str], at: datetime = NOW) -> list[Any]:
    """Append as the service's login, and take it all back."""
    with psycopg.connect(url) as connection:
        rows = [
            connection.execute(_APPEND, (uuid4(), type_, amount, counterparty, str(uuid4()), at)).fetchone()
            for type_, amount, counterparty in movements
        ]
        connection.rollback()
    return [row[0] for row in rows if row is not None]


def test_every_type_has_movements_that_fit(wall: str) -> None:
    assert set(FITTING) == {type_.value for type_ in TransactionType}

    # The grant comes first, so that there is something to spend.
    movements = [("grant", 100, "test:seed"), *((type_, *fitting) for type_, fitting in FITTING.items())]
    movements += [("gift", -10_000 // 100, f"gift:{ID}"), ("usage", -1, "sync"), ("usage", -1, f"hold:{ID}")]

    assert set(append(wall, *movements[:-3])) == {"appended"}
    assert set(append(wall, ("grant", 1_000_000, "grant:welcome"), *movements[-3:])) == {"appended"}


@pytest.mark.parametrize("type_", sorted(set(FITTING) - {"gift"}))
def test_an_amount_of_the_wrong_sign_is_refused(wall: str, type_: str) -> None:
    amount, counterparty = FITTING[type_]

    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        append(wall, ("grant", 100, "grant:welcome"), (type_, -amount, counterparty))

    assert refused.value.diag.constraint_name == "transactions_fit_type"


@pytest.mark.parametrize("type_", sorted(FITTING))
@pytest.mark.parametrize("times", [0, 1_000_001, 2**62, None])
def test_an_amount_out_of_bounds_is_refused(wall: str, type_: str, times: int | None) -> None:
    amount, counterparty = FITTING[type_]

    with pytest.raises(psycopg.errors.CheckViolation):
        append(wall, (type_, None if times is None else amount * times, counterparty))


@pytest.mark.parametrize("type_", sorted(FITTING))
def test_a_counterparty_of_another_type_is_refused(wall: str, type_: str) -> None:
    amount, own = FITTING[type_]
    forms = {"app:chat", "sync", f"hold:{ID}", f"stripe:{ID}", f"gift:{ID}", "gift:1", "stripe:", ""}
    allowed = {own} | ({"sync", f"hold:{ID}"} if type_ == "usage" else set())

    for counterparty in forms - allowed:
        with pytest.raises(psycopg.errors.CheckViolation):
            append(wall, ("grant", 100, "grant:welcome"), (type_, amount, counterparty))


def test_an_unknown_type_is_refused(wall: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        append(wall, ("salary", 1, "grant:welcome"))


@pytest.mark.parametrize("days", [-401, 401, 400_000])
def test_a_time_far_from_the_servers_is_refused(database_url: str, service_url: str, days: int) -> None:
    with psycopg.connect(database_url) as owner:  # as the migration has it; the tests' template has more
        owner.execute(
            "CREATE OR REPLACE FUNCTION credits.clock_tolerance() RETURNS interval LANGUAGE sql IMMUTABLE"
            " AS $$ SELECT interval '400 days' $$"
        )
    grant, now = ("grant", 1, "grant:welcome"), datetime.now(UTC)

    assert append(service_url, grant, at=now + timedelta(days=40)) == ["appended"]
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        append(service_url, grant, at=now + timedelta(days=days))

    assert refused.value.diag.constraint_name == "transactions_time_near"


def test_the_service_cannot_widen_the_bounds_of_time(wall: str) -> None:
    with psycopg.connect(wall, autocommit=True) as connection:
        connection.execute("SET credits.clock_tolerance = '1000 years'")  # means nothing to anybody

        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(_APPEND, (uuid4(), "grant", 1, "grant:x", "k", datetime(3000, 1, 1, tzinfo=UTC)))
