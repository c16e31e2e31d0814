"""Refusals and jobs: each has its status or its handler, and a name like the others."""

import re
from collections.abc import Iterator

import pytest

import workers.handlers  # noqa: F401 - registers the handlers
from domain import errors
from domain.errors import Refusal
from domain.rules.job_kinds import KINDS, kind_named
from domain.rules.jobs import AnyKind, Payload, Queue, Result
from gateways.bell import actor_name, queue_name
from tests.support.paths import ROOT
from web.http.problems import HTTP_STATUSES, STATUSES
from workers.registry import HANDLERS, TOGETHER


def refusals(of: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for refusal in of.__subclasses__():
        yield refusal
        yield from refusals(refusal)


def test_every_refusal_of_the_domain_has_a_status() -> None:
    for refusal in refusals():
        if refusal.__module__ == errors.__name__:
            assert refusal.code in STATUSES, refusal


def test_every_refusal_has_a_status_a_title_and_a_code_of_its_own() -> None:
    all_refusals = list(refusals())

    codes = [refusal.code for refusal in all_refusals]
    assert len(all_refusals) >= 4
    assert len(set(codes)) == len(codes)
    for refusal in all_refusals:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", refusal.code)
        assert 400 <= HTTP_STATUSES[refusal.code] < 600
        assert refusal.title
        assert refusal.__doc__


def test_every_kind_of_job_has_a_handler() -> None:
    assert KINDS
    assert set(HANDLERS) == set(KINDS.values())
    assert set(TOGETHER) <= set(KINDS.values())


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_of_job_is_spelled_like_the_others_and_found_by_its_stored_names(kind: AnyKind) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.name)
    assert issubclass(kind.payload, Payload)
    assert issubclass(kind.result, Result)
    assert {kind_named(name) for name in kind.names} == {kind}
    assert kind.every is None or kind.payload() is not None  # what the clock asks for needs no facts


def test_every_queue_is_consumed_by_the_worker_of_the_procfile() -> None:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    consumed = lines["worker"].partition("--queues ")[2].split()

    assert set(consumed) == {queue_name(queue) for queue in Queue}


def test_every_queue_has_an_actor() -> None:
    main = (ROOT / "workers" / "main.py").read_text(encoding="utf-8")

    assert "for queue in Queue:" in main
    assert {actor_name(queue) for queue in Queue} == {f"jobs-{queue.value}" for queue in Queue}
