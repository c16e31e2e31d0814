"""Attacks by what stands beside the service: the database's settings, and others who use the same Redis."""

import json
import time
from collections import Counter
from contextlib import closing
from typing import Any, Final
from uuid import uuid4

import psycopg
import redis
from psycopg import sql

from local.stack import LocalStack
from tests.support.service import Service, eventually

DEFAULTS: Final = (
    ("datestyle", "German"),
    ("datestyle", "SQL, DMY"),
    ("intervalstyle", "sql_standard"),
    ("timezone", "Pacific/Apia"),
    ("bytea_output", "escape"),
    ("extra_float_digits", "-15"),
    ("default_transaction_isolation", "serializable"),
    ("search_path", "pg_temp"),
    ("statement_timeout", "1"),
    ("row_security", "off"),
)
READ_ONLY_S: Final = 5.0


def server_defaults(stack: LocalStack) -> Counter[int]:
    """Change the database's defaults, one after the other, and ask for what reads times, amounts and bytes."""
    statuses: Counter[int] = Counter()
    for name, value in DEFAULTS:
        change = sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
        reset = sql.SQL("RESET {}").format(sql.Identifier(name))
        _change_database(stack, change)
        try:
            statuses += _ask(stack)
        finally:
            _change_database(stack, reset)
    return statuses


def read_only_for_a_while(stack: LocalStack) -> Counter[int]:
    """Let the database refuse writes for five seconds, as after a failover; then all must be well at once."""
    _change_database(stack, sql.SQL("SET default_transaction_read_only = on"))
    time.sleep(READ_ONLY_S)
    _change_database(stack, sql.SQL("RESET default_transaction_read_only"), end_sessions=False)
    service = Service(stack)
    eventually(lambda: service.call("POST", "/api/v1/credits/use", _USE, user="honest-0").status, (200).__eq__)
    return Counter(
        service.call("POST", "/api/v1/credits/use", _USE, user="honest-0", Idempotency_Key=uuid4().hex).status
        for _ in range(64)
    )


def messages_of_another_application(stack: LocalStack) -> Counter[int]:
    """Put messages of another Dramatiq application into the queue `default` of the same Redis."""
    with closing(redis.Redis.from_url(stack.env["REDIS_URL"])) as server:
        for _ in range(20):
            message_id = str(uuid4())
            message: dict[str, Any] = {"queue_name": "default", "actor_name": "send_mail", "args": [], "kwargs": {}}
            message |= {"options": {}, "message_id": message_id, "message_timestamp": int(time.time() * 1000)}
            server.hset("dramatiq:default.msgs", message_id, json.dumps(message))
            server.rpush("dramatiq:default", message_id)
        time.sleep(8)
        left = server.llen("dramatiq:default")
    return Counter({200: 1}) if left == 20 else Counter({500: 1})


_OWN: Final = "-c statement_timeout=0 -c default_transaction_read_only=off"
_USE: Final = {"amount": 1, "appId": "chat", "description": "x"}


def _ask(stack: LocalStack) -> Counter[int]:
    service = Service(stack)
    paths = ("credits/balance", "credits/transactions", "credits/usage", "sync/status", "credits/purchases", "gifts")
    statuses = Counter(service.call("GET", f"/api/v1/{path}", user="honest-0").status for path in paths)
    statuses[service.call("POST", "/api/v1/credits/use", _USE, user="honest-0").status] += 1
    return statuses


def _change_database(stack: LocalStack, change: sql.Composable, *, end_sessions: bool = True) -> None:
    """Change a default of the database, and end its sessions so that new ones take it up."""
    with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True, options=_OWN) as connection:
        name = connection.info.dbname
        connection.execute(sql.SQL("ALTER DATABASE {} ").format(sql.Identifier(name)) + change)
        if end_sessions:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
