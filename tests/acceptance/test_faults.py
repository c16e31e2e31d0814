"""Things die, and nothing that was accepted is lost or done twice."""

import json
import os
import random
import signal
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import redis
import stripe

from tests.support.service import Service, eventually


def paid_event(service: Service, user: str) -> dict[str, Any]:
    """Make the event that tells the payment of a pending purchase of ours, without Stripe."""
    purchase_id = str(uuid4())
    service.sql(
        "INSERT INTO credits.purchases (id, user_id, package_id, package_name, credits, price_euro_cents, created_at) "
        "SELECT %s, %s, id, name, credits, price_euro_cents, now() FROM credits.packages WHERE name = 'Small'",
        purchase_id,
        user,
    )
    intent = {
        "id": f"pi_{uuid4().hex}",
        "object": "payment_intent",
        "amount": 100,
        "currency": "eur",
        "metadata": {"purchase_id": purchase_id},
    }
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": intent},
    }


def deliver(service: Service, event: dict[str, Any]) -> int:
    body = json.dumps(event)
    secret = service.stack.env["STRIPE_WEBHOOK_SECRET"]
    signature = stripe.WebhookSignature.generate_signature_header(body, secret)
    url = f"{service.stack.base_url}/api/v1/webhooks/stripe"
    request = urllib.request.Request(url, body.encode(), {"Stripe-Signature": signature})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        status: int = answer.status
    return status


def worker_children(service: Service) -> list[int]:
    """Find Dramatiq's processes below the Procfile's worker line."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    above = {service.stack.processes["worker"].pid or 0}
    found: set[int] = set()
    while above:
        above = {pid for pid, parent in parents.items() if parent in above}
        found |= above
    return sorted(found)


def test_events_delivered_many_times_and_shuffled_credit_once_each(service: Service, user: str) -> None:
    events = [paid_event(service, user) for _ in range(20)]
    deliveries = [event for event in events for _ in range(5)]
    random.Random(7).shuffle(deliveries)  # noqa: S311

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda event: deliver(service, event), deliveries))

    assert set(statuses) == {200}
    eventually(service.drained)
    assert service.balance(user) == 20 * 100


def test_workers_killed_in_the_middle_of_their_jobs_lose_and_double_nothing(service: Service, user: str) -> None:
    events = [paid_event(service, user) for _ in range(150)]

    with ThreadPoolExecutor(8) as pool:
        accepted = [pool.submit(deliver, service, event) for event in events]
        for _ in range(3):
            time.sleep(0.4)
            victim = random.Random(3).choice(worker_children(service))  # noqa: S311
            os.kill(victim, signal.SIGKILL)
        assert {future.result() for future in accepted} == {200}

    eventually(service.drained, within_s=60)
    assert service.balance(user) == 150 * 100


def test_a_worker_killed_between_its_start_and_its_commit_leaves_the_job_to_another(
    service: Service, user: str
) -> None:
    event = paid_event(service, user)
    purchase_id = event["data"]["object"]["metadata"]["purchase_id"]

    with psycopg.connect(service.stack.env["DATABASE_URL"]) as blocker:
        blocker.execute("SELECT id FROM credits.purchases WHERE id = %s FOR UPDATE", [purchase_id])
        assert deliver(service, event) == 200
        # Started: the lease is committed, and the effect waits for our lock.
        eventually(lambda: service.sql("SELECT id FROM jobs.jobs WHERE starts = 1 AND state = 'pending'"))
        for child in worker_children(service):
            os.kill(child, signal.SIGKILL)
    assert service.balance(user) == 0

    eventually(service.drained, within_s=60)
    assert service.balance(user) == 100


def test_redis_emptied_again_and_again_loses_no_job(service: Service, user: str) -> None:
    client = redis.Redis.from_url(service.stack.env["REDIS_URL"])
    events = [paid_event(service, user) for _ in range(60)]

    with ThreadPoolExecutor(4) as pool:
        accepted = [pool.submit(deliver, service, event) for event in events]
        while not all(future.done() for future in accepted):
            client.flushall()
        assert {future.result() for future in accepted} == {200}

    eventually(service.drained, within_s=60)
    assert service.balance(user) == 60 * 100


def test_a_purchase_made_while_redis_is_away_completes_when_it_is_back_empty(service: Service, user: str) -> None:
    service.stack.valkey.kill()
    for kept in service.stack.valkey.directory.rglob("*aof*"):
        if kept.is_file():
            kept.unlink()

    accepted = service.buy(user, Prefer="wait=1")
    service.stack.valkey.start()

    assert accepted.status == 202
    started = eventually(
        lambda: service.call("GET", accepted.body["statusUrl"], user=user).body,
        lambda job: job["status"] == "done",
        within_s=60,
    )
    service.pay(started["result"]["clientSecret"])
    eventually(lambda: service.balance(user), lambda balance: balance == 100, within_s=60)


def test_web_killed_between_commit_and_answer_is_found_by_the_retry(service: Service, user: str) -> None:
    service.call("POST", "/api/v1/internal/credits/refund", {"userId": user, "amount": 1_000, "description": "Seed"})
    body = {"userId": user, "amount": 1, "appId": "chat", "description": "A question"}

    def use(number: int) -> int:
        for _ in range(60):
            try:
                answer = service.call("POST", "/api/v1/internal/credits/use", body, Idempotency_Key=f"k-{number}")
            except OSError:
                time.sleep(0.2)
                continue
            if answer.status == 200:
                return 200
            time.sleep(0.2)
        return 0

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(use, number) for number in range(900)]
        eventually(lambda: sum(answer.done() for answer in answers) > 100)
        service.stack.restart("web")
        assert not all(answer.done() for answer in answers)
        assert {answer.result() for answer in answers} == {200}

    assert service.balance(user) == 1_000 - 900


def test_postgresql_stopped_at_once_is_503_and_then_everything_acknowledged_is_there(
    service: Service, user: str
) -> None:
    service.call("POST", "/api/v1/internal/credits/refund", {"userId": user, "amount": 1_000, "description": "Seed"})
    body = {"userId": user, "amount": 1, "appId": "chat", "description": "A question"}
    acknowledged = 0

    for number in range(60):
        if number == 20:
            service.stack.postgres.stop("immediate")
        if number == 25:
            service.stack.postgres.start()
        answer = service.call("POST", "/api/v1/internal/credits/use", body, Idempotency_Key=f"k-{number}")
        assert answer.status in {200, 503}
        if answer.status == 503:
            assert answer.headers["retry-after"] == "1"
        acknowledged += answer.status == 200

    assert acknowledged >= 40
    assert service.balance(user) == 1_000 - acknowledged
