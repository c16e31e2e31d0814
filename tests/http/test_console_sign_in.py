"""Signing in to the console on the issuer's page: there with a state, and back with a token in a form."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from settings import Settings
from tests.support.console import is_signed_in, session_id_of, with_session
from tests.support.issuer import Issuer
from web.app import create_app

CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": "https://auth.example"}
RETURN = "/ops/login/return"
STATE_COOKIE = "mana_ops_sign_in"


@pytest.fixture
def console(settings: Settings) -> Iterator[Flask]:
    """The application with a sign-in page of the issuer."""
    application = create_app(replace(settings, sign_in_url="https://auth.example/sign-in?client=credits"))
    yield application
    application.extensions["mana_credits"].close()


def begin(client: FlaskClient) -> str:
    """Begin a sign-in; returns its state."""
    answer = client.get("/ops/login/begin")
    assert answer.status_code == 303
    return parse_qs(urlsplit(answer.location).query)["state"][0]


def test_the_login_leads_to_the_issuers_page_and_keeps_the_field_for_a_token(console: Flask) -> None:
    page = console.test_client().get("/ops/login").text

    assert '<a class="button" href="/ops/login/begin">Sign in at auth.example</a>' in page
    assert '<textarea id="token"' in page


def test_the_issuer_is_asked_for_a_form_with_the_state(console: Flask) -> None:
    answer = console.test_client().get("/ops/login/begin")

    address = urlsplit(answer.location)
    assert (address.scheme, address.netloc, address.path) == ("https", "auth.example", "/sign-in")
    query = parse_qs(address.query)
    assert len(query.pop("state")[0]) == 43
    assert query == {
        "client": ["credits"],
        "redirect_uri": ["https://credits.example/ops/login/return"],
        "response_mode": ["form_post"],
    }


def test_the_state_goes_with_a_form_of_another_site_and_to_no_other_path(console: Flask) -> None:
    cookie = console.test_client().get("/ops/login/begin").headers["Set-Cookie"]

    for part in ("HttpOnly", "SameSite=None", "Secure", f"Path={RETURN}", "Max-Age=600"):
        assert part in cookie


def test_the_way_there_and_back_opens_a_session(console: Flask, issuer: Issuer) -> None:
    client = console.test_client()
    state = begin(client)

    form = {"state": state, "token": issuer.token("olga", role="admin")}
    answer = client.post(RETURN, data=form, headers=CROSS_SITE)

    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/ops">' in answer.text
    assert form["token"] not in answer.text
    assert client.get_cookie(STATE_COOKIE, path=RETURN) is None
    assert is_signed_in(client)


@pytest.mark.parametrize("state", [None, "", "x", "é", "A" * 43])
def test_a_wrong_or_missing_state_is_refused(console: Flask, issuer: Issuer, state: str | None) -> None:
    client = console.test_client()
    begin(client)

    form = {"token": issuer.token("olga", role="admin"), **({} if state is None else {"state": state})}
    answer = client.post(RETURN, data=form, headers=CROSS_SITE)

    assert answer.status_code == 403
    assert "not begun in this browser" in answer.text
    assert not is_signed_in(client)


def test_the_state_of_another_browser_is_refused(console: Flask, issuer: Issuer) -> None:
    """An attacker begins a sign-in, and has the victim's browser send the answer: the victim would work as him."""
    attacker, victim, bystander = (console.test_client() for _ in range(3))
    state = begin(attacker)
    begin(victim)
    form = {"state": state, "token": issuer.token("mallory", role="admin")}

    for client in (victim, bystander):
        assert client.post(RETURN, data=form, headers=CROSS_SITE).status_code == 403
        assert not is_signed_in(client)


def test_a_state_without_a_cookie_is_refused_even_if_both_are_empty(console: Flask, issuer: Issuer) -> None:
    client = console.test_client()
    client.set_cookie(STATE_COOKIE, "", path=RETURN)

    form = {"state": "", "token": issuer.token("olga", role="admin")}

    assert client.post(RETURN, data=form, headers=CROSS_SITE).status_code == 403


def test_a_state_is_good_for_one_sign_in(console: Flask, issuer: Issuer) -> None:
    client = console.test_client()
    form = {"state": begin(client), "token": issuer.token("olga", role="admin")}

    statuses = [client.post(RETURN, data=form, headers=CROSS_SITE).status_code for _ in range(2)]

    assert statuses == [200, 403]


@pytest.mark.parametrize(("claims", "status"), [({}, 403), ({"role": "admin", "exp": 1}, 401)])
def test_the_state_alone_opens_nothing(console: Flask, issuer: Issuer, claims: dict[str, Any], status: int) -> None:
    client = console.test_client()
    form = {"state": begin(client), "token": issuer.token("anna", **claims)}

    assert client.post(RETURN, data=form, headers=CROSS_SITE).status_code == status
    assert not is_signed_in(client)
    assert client.get_cookie(STATE_COOKIE, path=RETURN) is None


def test_a_session_planted_before_the_sign_in_is_not_adopted(console: Flask, issuer: Issuer) -> None:
    planted = "A" * 43
    client = with_session(console, planted)

    client.post(RETURN, data={"state": begin(client), "token": issuer.token("olga", role="admin")}, headers=CROSS_SITE)

    assert session_id_of(client) != planted
    assert not is_signed_in(with_session(console, planted))


def test_without_a_sign_in_page_a_token_is_pasted(app: Flask) -> None:
    client = app.test_client()

    assert client.get("/ops/login/begin").status_code == 404
    assert "/ops/login/begin" not in client.get("/ops/login").text
