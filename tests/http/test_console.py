"""The console's login and its forms, without a browser: what a page of somebody else might attempt."""

import re
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from domain.store import Database
from tests.support.console import csrf_of, signed_in
from tests.support.issuer import Issuer
from tests.support.jobs import failed_job, state_of


@pytest.fixture
def operator(app: Flask, issuer: Issuer) -> FlaskClient:
    """A browser with an operator's session."""
    return signed_in(app, issuer.token("olga", role="admin"))


@pytest.fixture
def job_id(database: Database) -> UUID:
    return failed_job(database)


@pytest.mark.parametrize("path", ["/ops", "/ops/jobs", "/ops/retry", "/ops/jobs/019aa5d0-0000-7000-8000-000000000000"])
def test_without_a_session_every_page_leads_to_the_login(app: Flask, path: str) -> None:
    answer = app.test_client().get(path)

    assert (answer.status_code, answer.location) == (303, "/ops/login")


def test_pages_allow_no_script_and_no_frame(operator: FlaskClient) -> None:
    for path in ("/ops", "/ops/jobs", "/ops/login"):
        answer = operator.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert "style=" not in answer.text
        assert "<script" not in answer.text


def test_the_cookie_is_kept_from_scripts_and_other_sites(app: Flask, issuer: Issuer) -> None:
    # BASE_URL is https here: the cookie must never travel in the clear.
    answer = app.test_client().post("/ops/login", data={"token": issuer.token("olga", role="admin")})

    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Secure", "Path=/ops"):
        assert part in cookie
    assert int(re.findall(r"Max-Age=(\d+)", cookie)[0]) <= 3_600  # no longer than the token


def test_a_form_without_this_sessions_token_is_refused(
    operator: FlaskClient, app: Flask, issuer: Issuer, database: Database, job_id: UUID
) -> None:
    other = app.test_client()
    other.post("/ops/login", data={"token": issuer.token("otto", role="admin")})

    for csrf in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": csrf_of(other)}):
        for path in (f"/ops/jobs/{job_id}/retry", f"/ops/jobs/{job_id}/discard", "/ops/retry", "/ops/logout"):
            assert operator.post(path, data={"why": "x", **csrf}).status_code == 403

    assert state_of(database, job_id) == "failed"


def test_a_form_of_another_site_is_refused(operator: FlaskClient, issuer: Issuer, job_id: UUID) -> None:
    csrf, foreign = csrf_of(operator), {"Sec-Fetch-Site": "cross-site"}

    assert operator.post(f"/ops/jobs/{job_id}/retry", data={"csrf": csrf}, headers=foreign).status_code == 403
    token = issuer.token("olga", role="admin")
    assert operator.post("/ops/login", data={"token": token}, headers=foreign).status_code == 403


def test_a_cookie_that_was_changed_opens_nothing(operator: FlaskClient, app: Flask) -> None:
    cookie = operator.get_cookie("mana_ops", path="/ops")
    assert cookie
    for forged in (cookie.value[:-1], f"{cookie.value}x", "", "a.b", f"x{cookie.value}"):
        client = app.test_client()
        client.set_cookie("mana_ops", forged, path="/ops")
        assert client.get("/ops").status_code == 303


def test_an_admins_token_alone_opens_no_page(app: Flask, issuer: Issuer) -> None:
    bearer = {"Authorization": f"Bearer {issuer.token('olga', role='admin')}"}

    assert app.test_client().get("/ops", headers=bearer).status_code == 303


def test_a_job_is_retried_and_the_browser_sent_back_to_it(
    operator: FlaskClient, database: Database, job_id: UUID
) -> None:
    answer = operator.post(f"/ops/jobs/{job_id}/retry", data={"csrf": csrf_of(operator), "why": "Repaired"})

    assert (answer.status_code, answer.location) == (303, f"/ops/jobs/{job_id}")
    assert state_of(database, job_id) == "pending"


def test_a_refusal_is_a_page(operator: FlaskClient, job_id: UUID) -> None:
    form = {"csrf": csrf_of(operator)}

    assert operator.post(f"/ops/jobs/{job_id}/discard", data=form).status_code == 400
    for path, status in {
        "/ops/jobs/019aa5d0-0000-7000-8000-000000000000": 404,
        "/ops/jobs?olderThan=soon": 400,
        "/ops/jobs?before=x": 400,
        "/ops/jobs?kind=x": 400,
        "/ops/retry?state=done": 400,
        "/ops/jobs?text=%00": 400,
    }.items():
        answer = operator.get(path)
        assert (answer.status_code, answer.mimetype) == (status, "text/html"), path


def test_texts_of_users_are_shown_as_texts(operator: FlaskClient, database: Database) -> None:
    job_id = failed_job(database, message="<script>alert(1)</script>", user_id="<b>anna</b>")

    for path in ("/ops", "/ops/jobs", f"/ops/jobs/{job_id}"):
        page = operator.get(path).text
        assert "<script>" not in page
        assert "<b>anna" not in page


def test_pages_name_the_kind_of_a_job_and_show_its_failed_attempts(operator: FlaskClient, job_id: UUID) -> None:
    assert re.search(rf'<a href="/ops/jobs/{job_id}">\s*prune', operator.get("/ops/jobs").text)
    assert '<option value="prune" selected>' in operator.get("/ops/jobs?kind=prune").text
    assert "<strong>prune</strong>" in operator.get("/ops/retry?state=failed").text
    overview = operator.get("/ops").text
    assert "<strong>prune</strong>" in overview
    assert "kind=prune" in overview
    sheet = operator.get(f"/ops/jobs/{job_id}").text
    assert "<h1>prune " in sheet
    assert "Traceback: in line 7" in sheet
