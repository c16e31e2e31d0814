"""Things die, and nothing that was accepted is lost or done twice."""

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import redis

from tests.support.faults import deliver, job_held_in_its_transaction, paid_event, signal_workers, worker_children
from tests.support.service import PATIENCE_S, Service, eventually


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
        for part in (1, 2, 3):  # killed when a quarter, a half and three quarters are accepted
            eventually(lambda part=part: sum(future.done() for future in accepted) >= part * 150 // 4)  # type: ignore[misc]
            if children := worker_children(service):  # else it is being started again at this moment
                with suppress(ProcessLookupError):
                    os.kill(random.Random(3).choice(children), signal.SIGKILL)  # noqa: S311
        assert {future.result() for future in accepted} == {200}

    eventually(service.drained)
    assert service.balance(user) == 150 * 100


def test_a_worker_killed_between_its_start_and_its_commit_leaves_the_job_to_another(
    service: Service, user: str
) -> None:
    with job_held_in_its_transaction(service, user):
        signal_workers(service, signal.SIGKILL)
        assert service.balance(user) == 0

    eventually(service.drained)
    assert service.balance(user) == 100


def test_redis_emptied_again_and_again_loses_no_job(service: Service, user: str) -> None:
    client = redis.Redis.from_url(service.stack.env["REDIS_URL"])
    events = [paid_event(service, user) for _ in range(60)]

    with ThreadPoolExecutor(4) as pool:
        accepted = [pool.submit(deliver, service, event) for event in events]
        while not all(future.done() for future in accepted):
            client.flushall()
        assert {future.result() for future in accepted} == {200}

    eventually(service.drained)
    assert service.balance(user) == 60 * 100


def test_a_purchase_made_while_redis_is_away_completes_when_it_is_back_empty(service: Service, user: str) -> None:
    service.stack.valkey.kill()
    for kept in service.stack.valkey.directory.rglob("*aof*"):
        if kept.is_file():
            kept.unlink()

    accepted = service.buy(user, Prefer="wait=1")
    service.stack.valkey.start()

    assert accepted.status == 202
    service.pay(service.result(accepted, user)["clientSecret"])
    eventually(lambda: service.balance(user), lambda balance: balance == 100)


def test_web_killed_between_commit_and_answer_is_found_by_the_retry(service: Service, user: str) -> None:
    service.call("POST", "/api/v1/internal/credits/refund", {"userId": user, "amount": 1_000, "description": "Seed"})
    body = {"userId": user, "amount": 1, "appId": "chat", "description": "A question"}

    def use(number: int) -> int:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
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
