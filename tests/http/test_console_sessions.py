"""Sessions of the console: who can open one, who can use it, and when it is over."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeSerializer
from sqlalchemy import exc, text

from domain.operations import console_sessions as session_acts
from domain.operations import jobs
from domain.rules.console_sessions import LIFE_MAX, SESSIONS_MAX, session_end
from domain.rules.job_kinds import PRUNE
from domain.rules.jobs import NewJob, NoPayload
from domain.store import Database
from domain.units import UserId
from ops.cli import main
from settings import Settings
from tests.support.console import csrf_of, is_signed_in, session_id_of, signed_in, with_session
from tests.support.issuer import Issuer
from tests.support.jobs import state_of
from tests.support.plain_sql import rows
from tests.support.worker import worker
from web.app import create_app
from workers.jobs import run_job


@pytest.fixture
def operator(app: Flask, issuer: Issuer) -> FlaskClient:
    return signed_in(app, issuer.token("olga", role="admin"))


@pytest.fixture
def other_process(settings: Settings) -> Iterator[Flask]:
    """Another web process of the same service: it shares the database, and no memory."""
    application = create_app(settings)
    yield application
    application.extensions["mana_credits"].close()


def stored_sessions(database: Database) -> list[tuple[bytes, str]]:
    with database.read() as reader:
        sessions = reader.run(text("SELECT id_hash, who FROM jobs.console_sessions ORDER BY created_at"))
        return [(session.id_hash, session.who) for session in sessions]


def let_an_hour_pass(database_url: str) -> None:
    """Let an hour pass for all sessions, as the owner of the table."""
    change = "SET created_at = created_at - interval '1 hour', ends_at = ends_at - interval '1 hour'"
    rows(database_url, f"UPDATE jobs.console_sessions {change}")


@pytest.mark.parametrize("service_key", ["service-key", "previous-key"])
def test_a_cookie_signed_with_a_service_key_opens_nothing(app: Flask, service_key: str) -> None:
    """The console once took a cookie that was signed with a key derived from the service key."""
    key = hmac.digest(service_key.encode(), b"mana-credits console session", "sha256")
    signer = URLSafeSerializer([key], salt="mana-credits console", signer_kwargs={"digest_method": hashlib.sha256})
    forged = signer.dumps({"who": "olga", "until": int(time.time()) + 3_600, "csrf": "x" * 32})

    assert not is_signed_in(with_session(app, str(forged)))


def test_only_the_hash_of_a_session_is_stored(operator: FlaskClient, app: Flask, database: Database) -> None:
    session_id = session_id_of(operator)

    ((id_hash, who),) = stored_sessions(database)
    assert len(session_id) == 43  # 256 bits
    assert (id_hash, who) == (hashlib.sha256(session_id.encode()).digest(), "olga")
    assert not is_signed_in(with_session(app, id_hash.hex()))


def test_a_copied_cookie_is_worth_nothing_after_the_logout(
    operator: FlaskClient, app: Flask, other_process: Flask, database: Database
) -> None:
    session_id = session_id_of(operator)
    copies = [with_session(app, session_id), with_session(other_process, session_id)]
    assert [is_signed_in(copy) for copy in copies] == [True, True]

    answer = operator.post("/ops/logout", data={"csrf": csrf_of(operator)})

    assert answer.location == "/ops/login"
    assert "mana_ops=;" in answer.headers["Set-Cookie"]
    assert [is_signed_in(copy) for copy in copies] == [False, False]
    assert stored_sessions(database) == []


def test_a_logout_ends_one_session_and_no_other(operator: FlaskClient, app: Flask, issuer: Issuer) -> None:
    elsewhere = signed_in(app, issuer.token("olga", role="admin"))

    operator.post("/ops/logout", data={"csrf": csrf_of(operator)})

    assert not is_signed_in(operator)
    assert is_signed_in(elsewhere)


def test_a_session_that_has_ended_is_refused(operator: FlaskClient, database_url: str) -> None:
    assert is_signed_in(operator)

    let_an_hour_pass(database_url)

    assert not is_signed_in(operator)


def test_a_session_ends_with_its_token_and_after_eight_hours(app: Flask, issuer: Issuer, database: Database) -> None:
    now = int(time.time())
    signed_in(app, issuer.token("olga", role="admin", exp=now + 60))
    signed_in(app, issuer.token("otto", role="admin", exp=now + 30 * 24 * 3_600))

    with database.read() as reader:
        ends = dict(reader.run(text("SELECT who, ends_at FROM jobs.console_sessions")).all())
    assert ends["olga"].timestamp() == now + 60
    assert now + 8 * 3_600 - 60 <= ends["otto"].timestamp() <= time.time() + 8 * 3_600
    assert session_end(1e300, now=datetime.now(UTC)) <= datetime.now(UTC) + LIFE_MAX


def test_a_session_that_the_visitor_brings_is_never_adopted(app: Flask, issuer: Issuer, database: Database) -> None:
    planted = "A" * 43
    client = with_session(app, planted)

    client.post("/ops/login", data={"token": issuer.token("olga", role="admin")})

    assert session_id_of(client) != planted
    assert is_signed_in(client)
    assert not is_signed_in(with_session(app, planted))
    assert len(stored_sessions(database)) == 1


def test_signing_in_again_ends_the_session_before(operator: FlaskClient, app: Flask, issuer: Issuer) -> None:
    before = session_id_of(operator)

    operator.post("/ops/login", data={"token": issuer.token("otto", role="admin")})

    assert is_signed_in(operator)
    assert not is_signed_in(with_session(app, before))


@pytest.mark.parametrize(
    ("claims", "status"), [({"role": "user"}, 403), ({"role": None}, 403), ({"role": "admin", "exp": 1}, 401)]
)
def test_no_other_token_opens_a_session(
    app: Flask, issuer: Issuer, database: Database, claims: dict[str, Any], status: int
) -> None:
    answer = app.test_client().post("/ops/login", data={"token": issuer.token("anna", **claims), "who": "olga"})

    assert answer.status_code == status
    assert "Set-Cookie" not in answer.headers
    assert stored_sessions(database) == []


def test_the_service_can_neither_change_nor_prolong_a_session(operator: FlaskClient, database: Database) -> None:
    assert is_signed_in(operator)

    for change in ("who = 'otto'", "ends_at = ends_at + interval '1 second'"):
        with pytest.raises(exc.ProgrammingError, match="permission denied"), database.begin() as store:
            store.run(text(f"UPDATE jobs.console_sessions SET {change}"))


def test_the_database_refuses_a_session_of_more_than_eight_hours(database: Database) -> None:
    now = datetime.now(UTC)
    ends_at = now + LIFE_MAX + timedelta(seconds=1)

    with pytest.raises(exc.IntegrityError, match="console_sessions_life"), database.begin() as store:
        session_acts.open_session(store, who=UserId("olga"), ends_at=ends_at, now=now)


def test_an_operator_has_a_bounded_number_of_sessions(app: Flask, issuer: Issuer, database: Database) -> None:
    token = issuer.token("olga", role="admin")
    other = signed_in(app, issuer.token("otto", role="admin"))
    first, *_, latest = [signed_in(app, token) for _ in range(SESSIONS_MAX + 1)]

    assert len(stored_sessions(database)) == SESSIONS_MAX + 1
    assert [is_signed_in(client) for client in (other, first, latest)] == [True, False, True]


def test_ended_sessions_are_pruned_and_others_stay(app: Flask, issuer: Issuer, database: Database) -> None:
    now = datetime.now(UTC)
    signed_in(app, issuer.token("olga", role="admin", exp=int(now.timestamp()) + 60))
    signed_in(app, issuer.token("otto", role="admin", exp=int(now.timestamp()) + 3_600))

    with database.begin() as store:
        assert session_acts.prune(store, now=now + timedelta(seconds=61)) == 1

    assert [who for _, who in stored_sessions(database)] == ["otto"]


def test_the_prune_job_deletes_ended_sessions(
    app: Flask, issuer: Issuer, database: Database, database_url: str
) -> None:
    signed_in(app, issuer.token("olga", role="admin"))
    let_an_hour_pass(database_url)
    signed_in(app, issuer.token("otto", role="admin"))
    with database.begin() as store:
        job = jobs.record(store, NewJob(kind=PRUNE, key="prune:1", payload=NoPayload())).job

    run_job(job.id, worker(database))

    assert state_of(database, job.id) == "done"
    assert [who for _, who in stored_sessions(database)] == ["otto"]


def test_the_command_line_ends_all_sessions_of_an_operator(
    app: Flask, issuer: Issuer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    olgas = [signed_in(app, issuer.token("olga", role="admin")) for _ in range(2)]
    ottos = signed_in(app, issuer.token("otto", role="admin"))

    results = [CliRunner().invoke(main, ["sign-out", "olga", *options]) for options in ([], ["--json"])]

    assert [result.exit_code for result in results] == [0, 0]
    assert results[0].stdout == "Ended 2 sessions of the console\n"
    assert json.loads(results[1].stdout) == {"ended": 0}
    assert [is_signed_in(client) for client in (*olgas, ottos)] == [False, False, True]


def test_without_the_database_a_session_is_neither_refused_nor_believed(settings: Settings) -> None:
    app = create_app(replace(settings, database_url="postgresql://nobody@127.0.0.1:1/none"))

    answer = with_session(app, "A" * 43).get("/ops")

    app.extensions["mana_credits"].close()
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "The database cannot be used" in answer.text
    assert "Set-Cookie" not in answer.headers
