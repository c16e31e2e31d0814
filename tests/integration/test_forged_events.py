"""Jobs of kind `stripe` that somebody wrote who can only write to the database."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from domain.ids import new_id
from domain.operations import jobs
from domain.rules.job_kinds import STRIPE_EVENT
from domain.rules.purchases import Purchase, PurchaseStatus
from domain.rules.stripe_events import event_job, mark_of
from gateways.stripe.client import connect
from gateways.stripe.reader import StripeReader
from tests.support.in_process import InProcessService
from tests.support.local_stripe import API_KEY
from workers.jobs import run_job

_INSERT = """
INSERT INTO jobs.jobs (id, kind, queue, key, payload, next_at, enqueued_at, created_at)
VALUES (%s, 'stripe', 'default', %s, %s, now(), now(), now())
"""


def paid(purchase: Purchase, event_id: str = "evt_forged") -> dict[str, Any]:
    """The event that a payment of this purchase would cause."""
    intent = {
        "id": purchase.stripe_payment_intent_id,
        "object": "payment_intent",
        "amount": purchase.price_euro_cents,
        "amount_received": purchase.price_euro_cents,
        "currency": "eur",
        "status": "succeeded",
        "customer": purchase.stripe_customer_id,
        "livemode": False,
        "metadata": {"purchase_id": str(purchase.id)},
    }
    return {
        "id": event_id,
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": 1,
        "livemode": False,
        "data": {"object": intent},
    }


def forge(url: str, event: dict[str, Any], mark: str | None) -> UUID:
    """Write a job as the service's role can."""
    job_id = new_id()
    payload = json.dumps({"event": event} | ({"mark": mark} if mark else {}))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_INSERT, (job_id, f"stripe:{event['id']}", payload))
    return job_id


@pytest.mark.parametrize("mark", [None, "0" * 64, "of another secret", "of another event"])
def test_a_forged_event_credits_nothing(in_process: InProcessService, service_url: str, mark: str | None) -> None:
    purchase = in_process.started()
    event = paid(purchase)
    marks = {"of another secret": mark_of(event, "whsec_guessed"), "of another event": mark_of({}, "whsec_1")}

    run_job(forge(service_url, event, marks.get(mark or "", mark)), in_process.parts)

    assert in_process.states(STRIPE_EVENT) == ["failed"]
    assert (in_process.balance(), in_process.purchase(purchase.id).status) == (0, PurchaseStatus.PENDING)


def test_an_event_that_an_earlier_release_stored_is_read_from_stripe(
    in_process: InProcessService, service_url: str
) -> None:
    purchase = in_process.paid()
    (event,) = [
        event.to_dict() for event in in_process.client.v1.events.list().data if event.type == "payment_intent.succeeded"
    ]

    run_job(forge(service_url, event, None), in_process.parts)

    assert in_process.states(STRIPE_EVENT) == ["done"]
    assert in_process.balance() == purchase.credits


def test_what_stripe_says_of_an_event_counts_and_not_what_the_row_says(
    in_process: InProcessService, service_url: str
) -> None:
    cheap = in_process.paid()
    other = in_process.started()
    (event,) = [
        event.to_dict() for event in in_process.client.v1.events.list().data if event.type == "payment_intent.succeeded"
    ]

    run_job(forge(service_url, paid(other, event["id"]), None), in_process.parts)

    assert in_process.purchase(cheap.id).status is PurchaseStatus.COMPLETED
    assert in_process.purchase(other.id).status is PurchaseStatus.PENDING
    assert in_process.balance() == cheap.credits


def test_an_event_with_our_mark_needs_no_call_of_stripe(in_process: InProcessService) -> None:
    purchase = in_process.started()
    away = StripeReader(connect(API_KEY, api_base="http://127.0.0.1:1", timeout_s=0.5))
    with in_process.database.begin() as store:
        job = jobs.record(store, event_job(paid(purchase), secret="whsec_1")).job

    run_job(job.id, replace(in_process.parts, stripe_reader=away))

    assert in_process.states(STRIPE_EVENT) == ["done"]
    assert in_process.balance() == purchase.credits
