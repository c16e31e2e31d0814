"""An operator signs in on the issuer's page and comes back, in a browser without JavaScript."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from local.issuer import QuietRequests
from local.issuer import create_app as create_issuer
from local.ports import free_port
from local.signing import KeyRing
from settings import Settings
from tests.support.browser import PATIENCE_MS
from web.app import create_app


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the console is served. The issuer is at `http://127.0.0.1`: `localhost` is another site."""

    scheme: str
    host: str


@contextmanager
def served(app: Flask, port: int, *, tls: bool = False) -> Iterator[None]:
    """Serve an application on loopback."""
    server = make_server(
        "127.0.0.1", port, app, threaded=True, request_handler=QuietRequests, ssl_context="adhoc" if tls else None
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(
    params=[Place(scheme="http", host="127.0.0.1"), Place(scheme="https", host="localhost")],
    ids=["same site", "another site"],
)
def page(request: pytest.FixtureRequest, browser: Browser, settings: Settings, tmp_path: Path) -> Iterator[Page]:
    """A visitor of a console that has the local issuer's sign-in page."""
    place: Place = request.param
    port, issuer_port = free_port(), free_port()
    base_url, issuer_url = f"{place.scheme}://{place.host}:{port}", f"http://127.0.0.1:{issuer_port}"
    changed = replace(settings, base_url=base_url, auth_url=issuer_url, sign_in_url=f"{issuer_url}/sign-in")
    app, issuer = create_app(changed), create_issuer(KeyRing(tmp_path / "keys.json"), issuer=issuer_url)
    with served(app, port, tls=place.scheme == "https"), served(issuer, issuer_port):
        context = browser.new_context(base_url=base_url, java_script_enabled=False, ignore_https_errors=True)
        context.set_default_timeout(PATIENCE_MS)
        yield context.new_page()
        context.close()
    app.extensions["mana_credits"].close()


def sign_in(page: Page, *, role: str) -> None:
    page.goto("/ops")
    page.get_by_role("link", name="Sign in at 127.0.0.1").click()
    page.get_by_label("User id").fill("olga")
    page.get_by_label("Role").select_option(role)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Continue").click()


def test_an_administrator_comes_back_with_a_session(page: Page) -> None:
    sign_in(page, role="admin")

    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["sameSite"], cookie["httpOnly"]) == ("mana_ops", "Strict", True)
    page.get_by_role("button", name="Sign out olga").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_others_come_back_to_a_refusal(page: Page) -> None:
    sign_in(page, role="user")

    expect(page.get_by_role("alert")).to_have_text("Only for administrators")
    assert page.context.cookies() == []
