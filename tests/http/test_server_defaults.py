"""Whatever a server, a database or a login sets by default: the answers stay the same, or the database is refused."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from domain.rules.job_kinds import ROLL_UP_USAGE
from domain.store import Database, UnfitDatabase, invariants
from domain.store.sessions import PINNED, POSTGRESQL_17
from local.postgres import Postgres
from settings import from_environment
from tests.support.credits import give
from tests.support.environment import web_environment
from tests.support.http import UUID_TEXT, Api, Caller
from tests.support.issuer import Issuer
from tests.support.jobs import do, failed_job, pending, work_on
from tests.support.purchases import INTENT, finish_purchase_job, offer
from tests.support.sync import renew_due, subscribe
from tests.support.worker import worker
from web.app import create_app

GIFT_CODE_TEXT = r"[0-9A-Z]{4}(-[0-9A-Z]{4}){3}"
SINCE = "from=2026-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"

ODD: Final = {
    "datestyle": "'German'",
    "DateStyle": "'SQL, DMY'",
    "intervalstyle": "sql_standard",
    "IntervalStyle": "iso_8601",
    "timezone": "'Pacific/Apia'",
    "timezone_abbreviations": "'India'",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "client_encoding": "'LATIN1'",
    "standard_conforming_strings": "off",
    "backslash_quote": "on",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "default_transaction_isolation": "'serializable'",
    "Default_Transaction_Isolation": "'repeatable read'",
    "default_transaction_deferrable": "on",
    "search_path": "evil, public",
    "row_security": "off",
    "exit_on_error": "on",
    "check_function_bodies": "off",
    "plpgsql.extra_errors": "'all'",
    "plan_cache_mode": "force_generic_plan",
    "jit_above_cost": "0",
}
"""Settings of a session that somebody may have made the default, each with a value that we did not have in mind. A
name in other letters is the same setting again."""

SHADOWS: Final = """
    CREATE SCHEMA IF NOT EXISTS evil;
    CREATE OR REPLACE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
    CREATE OR REPLACE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz '1999-01-01' $$;
    CREATE TABLE IF NOT EXISTS evil.alembic_version (version_num text);
    GRANT USAGE ON SCHEMA evil TO PUBLIC;
"""


def normal(answer: TestResponse) -> tuple[int, str]:
    """Read an answer without what differs from run to run: ids, codes, moments and cursors."""
    body = re.sub(UUID_TEXT, "<id>", answer.get_data(as_text=True))
    body = re.sub(r"20\d\d-\d\d-\d\dT\d\d:00:00\.000Z", "<hour>", body)
    body = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "<instant>", body)
    body = re.sub(r"\d{4}-\d\d-\d\d", "<day>", body)
    body = re.sub(GIFT_CODE_TEXT, "<code>", body)
    return answer.status_code, body


class Tour:
    """Calls all that is called often, with a worker that does the jobs, and keeps the answers.

    Attributes:
        answers: Each answer by its number and its call.
    """

    def __init__(self, url: str, issuer: Issuer) -> None:
        self._url = url
        self._database = Database(url, pool_size=4)
        self._app = create_app(from_environment(web_environment(database_url=url, auth_url=issuer.url)))
        api = Api(self._app, issuer)
        self._anna, self._ben, self._service = api.user("anna"), api.user("ben"), api.service()
        self._admin, self._outside = api.user("olga", role="admin"), api.outside()
        self.answers: dict[str, Any] = {}

    def close(self) -> None:
        self._app.extensions["mana_credits"].close()
        self._database.close()

    def _ask(self, caller: Caller, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = caller.post(path, body, **headers) if body else caller.call(method, path, headers=headers)
        call = re.sub(f"{UUID_TEXT}|{GIFT_CODE_TEXT}", "<id>", path)
        self.answers[f"{len(self.answers)} {method} {call}"] = normal(answer)
        return answer.get_json(silent=True)

    def spend(self) -> None:
        give(self._database, "anna", 1_000)
        body = {"amount": 3, "appId": "chat", "description": "Möhren \\ 'und' ✓", "metadata": {"a": [1.5, None, "\\"]}}
        self._ask(self._outside, "GET", "/ready")
        for amount in (3, 3, 100_000):
            headers = {"Idempotency_Key": f"key-{amount}"}
            self._ask(self._anna, "POST", "/credits/use", {**body, "amount": amount}, **headers)
        self._ask(self._anna, "GET", "/credits/balance")
        for query in ("", f"?{SINCE}", "?type=usage&appId=chat", "?limit=1", "?type=grant&offset=1"):
            self._ask(self._anna, "GET", f"/credits/transactions{query}")

    def buy(self) -> None:
        body = {"packageId": str(offer(self._database))}
        self._ask(self._anna, "GET", "/credits/packages")
        purchase = self._ask(self._anna, "POST", "/credits/purchase", body, Idempotency_Key="p")
        finish_purchase_job(self._database, purchase["jobId"], INTENT)
        self._ask(self._anna, "POST", "/credits/purchase", body, Idempotency_Key="p")
        self._ask(self._anna, "GET", "/credits/purchases")
        self._ask(self._anna, "GET", f"/jobs/{purchase['jobId']}")

    def give_and_redeem(self) -> None:
        gift = self._ask(self._anna, "POST", "/gifts", {"totalCredits": 10}, Idempotency_Key="g")
        self._ask(self._anna, "GET", "/gifts/me/created")
        self._ask(self._ben, "GET", f"/gifts/{gift['code']}")
        queued = self._ask(self._ben, "POST", f"/gifts/{gift['code']}/redeem")
        do(worker(self._database), [queued["jobId"]])
        self._ask(self._ben, "POST", f"/gifts/{gift['code']}/redeem")
        self._ask(self._ben, "GET", "/gifts/me/received")

    def sync(self) -> None:
        self._ask(self._anna, "GET", "/sync/status")
        activation = self._ask(self._anna, "POST", "/sync/activate", {"interval": "monthly"})
        do(worker(self._database), [activation["jobId"]])
        self._ask(self._anna, "GET", "/sync/status")
        self._ask(self._service, "GET", "/internal/sync/status/anna")
        give(self._database, "carl", 100)
        subscribe(self._url, "carl")
        renew_due(self._database, self._url)
        self._ask(self._service, "GET", "/internal/credits/balance/carl")

    def serve_other_services(self) -> None:
        reserve = {"userId": "anna", "amount": 5, "reason": "A picture"}
        hold = self._ask(self._service, "POST", "/internal/credits/reserve", reserve)
        commit = {"reservationId": hold["reservationId"], "amount": 4}
        self._ask(self._service, "POST", "/internal/credits/commit", commit)
        grant = {"userId": "ben", "amount": 7, "reason": "welcome", "referenceId": "r1"}
        self._ask(self._service, "POST", "/internal/credits/grant", grant)
        refund = {"userId": "anna", "amount": 1, "description": "Sorry"}
        self._ask(self._service, "POST", "/internal/credits/refund", refund)
        work_on(self._database, ROLL_UP_USAGE)
        self._ask(self._anna, "GET", "/credits/usage")
        self._ask(self._service, "GET", "/internal/credits/usage/anna")

    def operate(self) -> None:
        job_id = failed_job(self._database, key="test:tour")
        for path in ("/admin/jobs?state=failed&olderThan=0s", "/admin/jobs/groups", f"/admin/jobs/{job_id}"):
            self._ask(self._admin, "GET", path)
        self._ask(self._admin, "POST", f"/admin/jobs/{job_id}/retry", {"reason": "better now"})
        do(worker(self._database), pending(self._url, "prune"))
        assert self._outside.get("/metrics").status_code == 200  # its numbers are those of the process
        with self._database.begin() as store:
            assert invariants.audit(store) == []


def tour(url: str, issuer: Issuer) -> dict[str, Any]:
    """Make the whole tour; returns the answers."""
    made = Tour(url, issuer)
    try:
        for part in (made.spend, made.buy, made.give_and_redeem, made.sync, made.serve_other_services, made.operate):
            part()
        return made.answers
    finally:
        made.close()


@pytest.fixture(scope="module")
def usual(postgres: Postgres, template: str, issuer: Issuer) -> Iterator[dict[str, Any]]:
    """The answers of the tour on a server with its own defaults."""
    answers = tour(postgres.create_database("test_usual", template=template), issuer)
    yield answers
    postgres.drop_database("test_usual")


def set_default(postgres: Postgres, url: str, name: str, value: str) -> None:
    database = url.rpartition("/")[2]
    with psycopg.connect(postgres.url(database), autocommit=True) as superuser:
        superuser.execute(SHADOWS)
        superuser.execute(f"ALTER DATABASE {database} SET {name} TO {value}")


def test_the_tour_is_answered_well(usual: dict[str, Any]) -> None:
    statuses = {call: answer[0] for call, answer in usual.items() if answer[0] not in {200, 201, 202}}

    assert list(statuses.values()) == [402]
    assert json.loads(usual["4 GET /credits/balance"][1])["balance"] == 997


@pytest.mark.parametrize("name", ODD)
def test_a_default_of_the_server_changes_no_answer(
    name: str, database_url: str, postgres: Postgres, issuer: Issuer, usual: dict[str, Any]
) -> None:
    set_default(postgres, database_url, name, ODD[name])

    assert tour(database_url, issuer) == usual


def test_every_session_has_our_settings_whatever_the_defaults_are(database_url: str, postgres: Postgres) -> None:
    def read(names: Iterable[str]) -> dict[str, str]:
        with database.single() as store:
            return {name: store.run(text(f"SELECT current_setting('{name}')")).scalar_one() for name in names}

    for name, value in ODD.items():
        set_default(postgres, database_url, name, value)
    database = Database(database_url)

    assert read(PINNED) == {name: value.strip("'") for name, value in PINNED.items()}
    assert read(["search_path", "client_encoding"]) == {"search_path": "pg_catalog, pg_temp", "client_encoding": "UTF8"}
    database.close()


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("lock_timeout", "2s"),
        ("statement_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("idle_session_timeout", "0"),
        ("transaction_timeout", "0"),
    ],
)
def test_the_time_limits_are_ours(name: str, ours: str, database_url: str, postgres: Postgres) -> None:
    with psycopg.connect(database_url) as connection:
        if name == "transaction_timeout" and connection.info.server_version < POSTGRESQL_17:
            pytest.skip("PostgreSQL 17 brought it")
    set_default(postgres, database_url, name, "'7s'")
    database = Database(database_url)

    with database.single() as store:
        assert store.run(text(f"SELECT current_setting('{name}')")).scalar_one() == ours
    database.close()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("synchronous_commit", "off", "synchronous_commit is off"),
        ("session_replication_role", "replica", "session_replication_role is replica"),
        ("session_replication_role", "local", "session_replication_role is local"),
        ("plpgsql.variable_conflict", "use_variable", "plpgsql.variable_conflict is use_variable"),
    ],
)
def test_a_default_that_we_may_not_change_and_that_endangers_the_books_is_refused(
    name: str, value: str, said: str, database_url: str, postgres: Postgres
) -> None:
    set_default(postgres, database_url, name, value)
    database = Database(database_url)

    with pytest.raises(UnfitDatabase, match=said):
        database.check()


def test_a_database_that_cannot_keep_every_text_is_refused(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE test_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    database = Database(postgres.url("test_latin"))

    with pytest.raises(UnfitDatabase, match="encoding is LATIN1"):
        database.check()
    postgres.drop_database("test_latin")
