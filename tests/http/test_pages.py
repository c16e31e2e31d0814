"""What the users' pages send before any script runs."""

import re
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from settings import Settings
from web.app import create_app
from web.pages.texts import LANGUAGES


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    return shared_database_url


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize(
    ("preferred", "spoken"),
    [("de", "de"), ("de-CH,en;q=0.5", "de"), ("en-US", "en"), ("fr", "en"), ("fr,de;q=0.3", "de"), ("", "en")],
)
def test_a_page_is_in_the_language_that_the_browser_prefers(client: FlaskClient, preferred: str, spoken: str) -> None:
    page = client.get("/settings/sync", headers={"Accept-Language": preferred})

    assert f'<html lang="{spoken}">' in page.text
    assert {"Accept-Language", "Cookie"} <= set(page.vary)


def test_a_chosen_language_is_kept_and_an_unknown_one_is_not(client: FlaskClient) -> None:
    chosen = client.get("/settings/sync?lang=de&from=app")
    unknown = client.get("/settings/sync?lang=xx")

    assert '<html lang="de">' in chosen.text
    assert 'href="/settings/sync?lang=en&amp;from=app"' in chosen.text
    assert "SameSite=Lax" in chosen.headers["Set-Cookie"]
    assert '<html lang="de">' in unknown.text
    assert "Set-Cookie" not in unknown.headers


def test_what_an_address_says_is_never_markup(client: FlaskClient) -> None:
    page = client.get('/settings/sync?lang=de&x="><script>alert(1)</script>').text

    assert "<script>alert" not in page


@pytest.mark.parametrize("code", ["%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "%00", "%FF", "x" * 2_000, "%2E%2E", "🎁"])
def test_any_code_has_a_page_and_none_is_markup(client: FlaskClient, code: str) -> None:
    page = client.get(f"/g/{code}")

    assert page.status_code in {200, 404}
    assert "<script>alert" not in page.text
    assert client.get(f"/g/{code}/qr.svg").status_code == 404


@pytest.mark.parametrize("path", ["/credits", "/credits/return", "/gifts", "/g/0"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_whole_before_any_script_runs(client: FlaskClient, path: str, language: str) -> None:
    page = client.get(f"{path}?lang={language}")

    assert page.status_code == 200
    assert "require-trusted-types-for 'script'" in page.headers["Content-Security-Policy"]
    assert "<noscript>" in page.text
    assert not re.search(r" style=| on[a-z]+=|<style|<script(?! type=\"module\" src=)", page.text)


def test_the_policy_names_the_sync_server_only_where_it_is_used(client: FlaskClient, settings: Settings) -> None:
    with_sync = create_app(replace(settings, sync_url="https://sync.example")).test_client()

    assert "connect-src 'self';" in client.get("/settings/sync").headers["Content-Security-Policy"]
    assert 'id="notes"' not in client.get("/settings/sync").text
    shown = with_sync.get("/settings/sync")
    assert "connect-src 'self' https://sync.example;" in shown.headers["Content-Security-Policy"]
    assert 'data-server="https://sync.example"' in shown.text
    assert "connect-src 'self';" in with_sync.get("/signed-in").headers["Content-Security-Policy"]


@pytest.mark.parametrize("file", ["mana-elements.js", "texts/de.json"])
@pytest.mark.parametrize(("origin", "allowed"), [("https://app.example", "https://app.example"), ("https://x.y", None)])
def test_modules_and_texts_are_open_to_our_web_clients_alone(
    client: FlaskClient, file: str, origin: str, allowed: str | None
) -> None:
    with client.get(f"/static/{file}", headers={"Origin": origin}) as answer:
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
        assert answer.mimetype == ("text/javascript" if file.endswith(".js") else "application/json")
