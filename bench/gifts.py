"""Gifts and holds: requests that depend on each other, measured together."""

import json
import random
from collections.abc import Iterator
from itertools import count
from typing import Final

from bench import load
from bench.ground import USERS, Ground, Row

GIVERS: Final = 100
_number = count()


def gifts(ground: Ground) -> Iterator[Row]:
    """A gift made by one user and redeemed by another, to the end of the worker's job."""
    callers = [f"Bearer {ground.stack.token(f'bench-{n + 1}')}" for n in range(GIVERS)]

    def talk() -> load.Talk:
        creator, receiver = random.sample(callers, 2)
        gift = json.loads((yield load.post("/api/v1/gifts", {"totalCredits": 1}, Authorization=creator)))
        redeem = load.post(f"/api/v1/gifts/{gift['code']}/redeem", {}, Authorization=receiver, Prefer="wait=10")
        redeemed = json.loads((yield redeem))
        while redeemed.get("status") == "pending":
            job = load.http("GET", f"/api/v1/jobs/{redeemed['jobId']}", Authorization=receiver)
            redeemed = json.loads((yield job))

    yield ground.measure_talks("gift made and redeemed", talk, connections=16)


def holds(ground: Ground) -> Iterator[Row]:
    """`reserve` and `commit` of all that was reserved, each with a key."""
    service = ground.service_key

    def talk() -> load.Talk:
        key = f"{random.random()}-{next(_number)}"  # noqa: S311
        hold = {"userId": f"bench-{random.randint(1, USERS)}", "amount": 1, "reason": "Bench"}  # noqa: S311
        reserve = load.post("/api/v1/internal/credits/reserve", hold, X_Service_Key=service, Idempotency_Key=key)
        reserved = json.loads((yield reserve))
        commit = {"reservationId": reserved["reservationId"]}
        yield load.post("/api/v1/internal/credits/commit", commit, X_Service_Key=service, Idempotency_Key=key)

    for connections in (16, 64):
        yield ground.measure_talks("reserve and commit", talk, connections=connections)
