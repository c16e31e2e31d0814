"""Stripe's webhook: what is Stripe's is stored before it is answered; what is not leaves no trace."""

import json
import time

import pytest
from sqlalchemy import text

from domain.rules.stripe_events import mark_of
from domain.store import Database
from tests.support.http import Api, problem_of, signed, written
from tests.support.webhook import BODY, EVENT, deliver


def test_a_signed_event_is_stored_as_a_job_before_it_is_answered(api: Api, database: Database) -> None:
    answer = deliver(api, BODY, signed(BODY))

    assert (answer.status_code, answer.get_json()) == (200, {"received": True})
    with database.single() as store:
        row = store.run(text("SELECT kind, key, state, payload, user_id FROM jobs.jobs")).one()
    assert tuple(row) == (
        "stripe",
        "stripe:evt_1",
        "pending",
        {"event": EVENT, "mark": mark_of(EVENT, "whsec_1")},
        None,
    )


@pytest.mark.parametrize("age_s", [-290, 0, 290])
def test_a_signature_of_within_five_minutes_is_good(api: Api, age_s: int) -> None:
    assert deliver(api, BODY, signed(BODY, age_s=age_s)).status_code == 200


def test_both_signing_secrets_are_good_while_they_are_rotated(api: Api) -> None:
    assert deliver(api, BODY, signed(BODY, secret="whsec_1")).status_code == 200
    assert deliver(api, BODY, signed(BODY, secret="whsec_2")).status_code == 200


def test_one_good_signature_among_several_is_enough(api: Api) -> None:
    now = int(time.time())
    good = signed(BODY).rpartition("=")[2]

    answer = deliver(api, BODY, f"t={now},v1={'0' * 64},v1={good},v0=abc")

    assert answer.status_code == 200


@pytest.mark.parametrize("written", ["Chat \\ud83d", "Chat \\u0000", "Chat \\u001b"])
def test_an_event_is_stored_whatever_somebody_wrote_at_stripe(api: Api, database: Database, written: str) -> None:
    event = {**EVENT, "data": {"object": {"description": "WRITTEN", "metadata": {"WRITTEN": "WRITTEN"}}}}
    body = json.dumps(event).replace("WRITTEN", written)

    answer = deliver(api, body, signed(body))

    assert answer.status_code == 200
    with database.single() as store:
        payload = store.run(text("SELECT payload FROM jobs.jobs")).scalar_one()
    cleaned = "Chat \ufffd"
    assert payload["event"]["data"]["object"] == {"description": cleaned, "metadata": {cleaned: cleaned}}


def test_the_same_event_twice_is_one_job(api: Api, database: Database) -> None:
    for _ in range(2):
        assert deliver(api, BODY, signed(BODY)).get_json() == {"received": True}

    assert written(database)["jobs.jobs"] == 1


def test_an_event_of_255_kilobytes_is_stored_and_one_over_256_is_refused(api: Api, database: Database) -> None:
    fits = json.dumps({**EVENT, "data": {"object": {"note": "x" * 255 * 1024}}})
    too_large = json.dumps({**EVENT, "id": "evt_2", "data": {"object": {"note": "x" * 256 * 1024}}})

    taken = deliver(api, fits, signed(fits))
    refusal = deliver(api, too_large, signed(too_large))

    assert taken.status_code == 200
    problem_of(refusal, 413, "body_too_large")
    assert written(database)["jobs.jobs"] == 1


def test_an_event_of_a_type_we_do_not_know_is_stored_all_the_same(api: Api, database: Database) -> None:
    body = json.dumps({**EVENT, "type": "customer.tax_id.created", "api_version": "2031-01-01", "more": {"a": 1}})

    answer = deliver(api, body, signed(body))

    assert answer.status_code == 200
    assert written(database)["jobs.jobs"] == 1
