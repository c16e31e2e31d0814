"""Operators of the console, without a browser."""

import re

from flask import Flask
from flask.testing import FlaskClient

SESSION_COOKIE = "mana_ops"


def signed_in(app: Flask, token: str) -> FlaskClient:
    """Sign in with a pasted token; returns a browser with the session."""
    client = app.test_client()
    answer = client.post("/ops/login", data={"token": token})
    assert (answer.status_code, answer.location) == (303, "/ops")
    return client


def session_id_of(client: FlaskClient) -> str:
    """Read the id of a browser's session."""
    cookie = client.get_cookie(SESSION_COOKIE, path="/ops")
    assert cookie
    return cookie.value


def with_session(app: Flask, session_id: str) -> FlaskClient:
    """Return another browser that has this session's cookie."""
    client = app.test_client()
    client.set_cookie(SESSION_COOKIE, session_id, path="/ops")
    return client


def csrf_of(client: FlaskClient) -> str:
    """Read what the forms of a browser's session carry."""
    field = re.search(r'name="csrf" value="([^"]+)"', client.get("/ops").text)
    assert field
    return field[1]


def is_signed_in(client: FlaskClient) -> bool:
    """Return whether the console shows a browser its pages; if not, it leads to the login."""
    answer = client.get("/ops/jobs")
    if answer.status_code == 200:
        return True
    assert (answer.status_code, answer.location) == (303, "/ops/login")
    return False
