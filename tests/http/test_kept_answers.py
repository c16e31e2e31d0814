"""Public answers that cost much: drawn once, sent again only if they changed, bounded for each address."""

from functools import partial
from typing import Any

import pytest
import segno
from flask import Flask
from flask.testing import FlaskClient

from domain.rules.gift_codes import with_check
from tests.support.http import problem_of
from tests.support.threads import at_once
from web.http import kept_answers
from web.http.kept_answers import Counts, KeptAnswers
from web.public import metrics

CODE = with_check("0" * 15)
QR = f"/g/{CODE}/qr.svg"


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    return shared_database_url


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every drawing of a QR code and every collection of metrics, in order."""
    drawn: list[Any] = []
    make_qr, exposition = segno.make_qr, metrics.exposition

    def draw_qr(link: str, **options: Any) -> Any:
        drawn.append(link)
        return make_qr(link, **options)

    def collect(parts: Any) -> bytes:
        drawn.append("metrics")
        return exposition(parts)

    monkeypatch.setattr(segno, "make_qr", draw_qr)
    monkeypatch.setattr(metrics, "exposition", collect)
    return drawn


@pytest.mark.parametrize(
    ("path", "cache_control"),
    [
        (QR, "private, max-age=86400"),
        ("/docs", "public, max-age=300"),
        ("/openapi.json", "public, max-age=300"),
        ("/metrics", "no-store"),
        ("/health", "no-store"),
    ],
)
def test_an_answer_says_how_long_it_may_be_kept(client: FlaskClient, path: str, cache_control: str) -> None:
    assert client.get(path).headers.getlist("Cache-Control") == [cache_control]


@pytest.mark.parametrize("path", [QR, "/docs", "/openapi.json"])
def test_what_a_client_has_already_is_not_sent_again(client: FlaskClient, path: str) -> None:
    first = client.get(path)

    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    other = client.get(path, headers={"If-None-Match": '"other"'})

    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert (other.status_code, other.data) == (200, first.data)


def test_a_qr_code_is_drawn_once_however_its_code_is_written(client: FlaskClient, drawings: list[Any]) -> None:
    answers = [client.get(f"/g/{code}/qr.svg") for code in (CODE, CODE.lower(), CODE, f"{CODE[:4]}-{CODE[4:]}")]

    assert len(drawings) == 1
    assert len({answer.data for answer in answers}) == 1


def test_metrics_are_collected_once_in_a_moment(
    client: FlaskClient, drawings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "KEPT_S", 3_600.0)
    for _ in range(5):
        assert client.get("/metrics").status_code == 200
    monkeypatch.setattr(metrics, "KEPT_S", 0.0)
    client.get("/metrics")

    assert drawings == ["metrics", "metrics"]


def test_an_address_may_let_so_many_be_drawn_and_no_other_pays_for_it(
    client: FlaskClient, drawings: list[Any], monkeypatch: pytest.MonkeyPatch, app: Flask
) -> None:
    monkeypatch.setattr(app.extensions["mana_credits"].kept_answers, "drawn", Counts(3))
    paths = [f"/g/{with_check(f'{number:015d}')}/qr.svg" for number in range(10)]

    statuses = [client.get(path).status_code for path in paths]
    refusal = client.get(paths[-1])

    assert statuses == [200] * 3 + [429] * 7
    assert len(drawings) == 3
    problem_of(refusal, 429, "too_many_requests")
    assert 1 <= int(refusal.headers["Retry-After"]) <= kept_answers.PERIOD_S + 1
    assert client.get(paths[0]).status_code == 200  # which costs nothing
    assert client.get("/metrics").status_code == 200
    assert client.get(paths[-1], environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 200


@pytest.mark.parametrize("path", [QR, "/docs", "/openapi.json", "/metrics"])
def test_an_address_may_ask_so_often(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, app: Flask, path: str
) -> None:
    monkeypatch.setattr(app.extensions["mana_credits"].kept_answers, "requests", Counts(2))

    statuses = [client.get(path).status_code for _ in range(4)]
    other = client.get(path, environ_base={"REMOTE_ADDR": "203.0.113.9"})

    assert statuses == [200, 200, 429, 429]
    assert other.status_code == 200


class Artist:
    """Draws answers, and knows which."""

    def __init__(self, answers: KeptAnswers) -> None:
        self.answers = answers
        self.drawn: list[str] = []

    def get(self, name: str) -> bytes:
        return self.answers.get(("kind", name), partial(self._draw, name), kept_s=60.0).body

    def _draw(self, name: str) -> bytes:
        self.drawn.append(name)
        return name.encode()


def test_what_is_kept_is_bounded(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_answers, "KEPT_MAX", 2)
    monkeypatch.setattr(kept_answers, "ADDRESSES_MAX", 2)
    artist, counts = Artist(KeptAnswers()), Counts(1)

    with app.test_request_context("/"):
        for name in ("a", "b", "a", "c", "a", "b"):
            assert artist.get(name) == name.encode()
    for address in ("1", "2", "3", "1"):  # the first is forgotten when it comes back
        counts.add(address)

    assert artist.drawn == ["a", "b", "c", "b"]


def test_what_many_ask_for_at_once_is_drawn_once(app: Flask) -> None:
    artist = Artist(KeptAnswers())

    def ask(_number: int) -> bytes:
        with app.test_request_context("/"):
            return artist.get("a")

    assert set(at_once(16, ask)) == {b"a"}
    assert artist.drawn == ["a"]
