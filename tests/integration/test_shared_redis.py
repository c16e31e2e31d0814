"""A Redis that others use too: nothing of theirs is taken, and nothing of ours is given to them."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Self
from uuid import UUID

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker

from domain.ids import new_id
from domain.rules.jobs import Queue
from gateways.bell import Bell, actor_name, queue_name
from local.valkey import Valkey
from settings import Settings
from web.app import create_app
from workers.broker import worker_broker

NAMESPACE = "mana-credits"
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def server(valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url()) as client:
        client.flushall()
        yield client


def names(server: redis.Redis) -> set[str]:
    return {key if isinstance(key, str) else key.decode() for key in server.scan_iter()}


def send_as_a_neighbour(url: str, queue: str) -> None:
    """Enqueue a message as another Dramatiq application does, with Dramatiq's own names."""
    broker = RedisBroker(url=url, middleware=[])  # type: ignore[no-untyped-call]
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=queue, actor_name="send_newsletter", args=(), kwargs={}, options={}
    )
    broker.enqueue(message)


class Listener:
    """A worker of ours in this process, which notes the jobs it is woken for."""

    def __init__(self, url: str, *, namespace: str = NAMESPACE) -> None:
        self.rung: set[str] = set()
        self.heard = threading.Event()
        broker = worker_broker(url, namespace=namespace)
        as_actor = dramatiq.actor(
            actor_name=actor_name(Queue.DEFAULT), queue_name=queue_name(Queue.DEFAULT), broker=broker
        )
        as_actor(self._hear)
        self._worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=1)

    def _hear(self, job_ids: list[str]) -> None:
        self.rung.update(job_ids)
        self.heard.set()

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._worker.stop()


@pytest.mark.parametrize("queue", ["default", "renewals", queue_name(Queue.DEFAULT)])
def test_a_neighbours_messages_are_neither_taken_nor_dead_lettered(
    valkey: Valkey, server: redis.Redis, queue: str
) -> None:
    send_as_a_neighbour(valkey.url(), queue)
    job_id = new_id()

    with Listener(valkey.url()) as listener:
        Bell(valkey.url(), namespace=NAMESPACE, timeout_s=3).ring_ids({Queue.DEFAULT: [job_id]})
        assert listener.heard.wait(PATIENCE_S)

    assert listener.rung == {str(job_id)}
    assert server.llen(f"dramatiq:{queue}") == 1
    assert {name for name in names(server) if name.endswith(".XQ")} == set()


def test_another_installation_with_its_own_namespace_does_not_hear_our_bell(valkey: Valkey) -> None:
    ours, theirs = new_id(), new_id()

    with Listener(valkey.url()) as listener, Listener(valkey.url(), namespace="staging") as other:
        ring(valkey.url(), NAMESPACE, ours)
        ring(valkey.url(), "staging", theirs)
        assert listener.heard.wait(PATIENCE_S)
        assert other.heard.wait(PATIENCE_S)

    assert (listener.rung, other.rung) == ({str(ours)}, {str(theirs)})


def ring(url: str, namespace: str, job_id: UUID) -> None:
    Bell(url, namespace=namespace, timeout_s=3).ring_ids({Queue.DEFAULT: [job_id]})


def test_every_key_of_ours_starts_with_the_namespace(settings: Settings, valkey: Valkey, server: redis.Redis) -> None:
    app = create_app(replace(settings, redis_url=valkey.url(), redis_namespace="shop:credits"))
    with Listener(valkey.url(), namespace="shop:credits") as listener:
        for queue in Queue:
            app.extensions["mana_credits"].bell.ring_ids({queue: [new_id()]})
        assert listener.heard.wait(PATIENCE_S)
    assert app.test_client().get("/api/v1/gifts/ABC234").status_code == 404
    app.extensions["mana_credits"].close()

    keys = names(server)
    assert {name for name in keys if not name.startswith("shop:credits:")} == set()
    assert any("guesses" in name for name in keys)
    assert f"shop:credits:{queue_name(Queue.NOTIFY)}" in keys
