import json
import re
import stat
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from flask.testing import FlaskClient

from local.issuer import create_app
from local.signing import KeyRing, SigningKey, mint

URL = "http://127.0.0.1:24000"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "issuer" / "keys.json"


@pytest.fixture
def client(file: Path) -> FlaskClient:
    return create_app(KeyRing(file), issuer=URL).test_client()


def verified(client: FlaskClient, token: str) -> dict[str, Any]:
    published = jwt.PyJWKSet.from_dict(client.get("/api/auth/jwks").get_json())
    key = published[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["EdDSA"], audience="mana", issuer=URL, options={"require": ["exp", "iat", "sub"]}
    )
    return claims


def test_a_token_is_verified_by_the_published_keys(client: FlaskClient) -> None:
    body = {"sub": "u-1", "email": "u@example.com", "name": "U", "role": "admin", "expiresInSeconds": 60}

    claims = verified(client, client.post("/token", json=body).get_json()["token"])

    assert claims.pop("exp") - claims.pop("iat") == 60
    assert claims == {
        "sub": "u-1",
        "email": "u@example.com",
        "email_verified": True,
        "name": "U",
        "role": "admin",
        "iss": URL,
        "aud": "mana",
    }


def test_tokens_from_before_and_after_a_rotation_are_verified(client: FlaskClient) -> None:
    before = client.post("/token", json={"sub": "u-1"}).get_json()["token"]

    key_id = client.post("/rotate").get_json()["kid"]
    after = client.post("/token", json={"sub": "u-1"}).get_json()["token"]

    assert jwt.get_unverified_header(after)["kid"] == key_id
    assert jwt.get_unverified_header(before)["kid"] != key_id
    assert verified(client, before)["sub"] == verified(client, after)["sub"] == "u-1"


def test_keys_outlive_the_issuer_in_a_file_only_its_owner_reads(client: FlaskClient, file: Path) -> None:
    token = client.post("/token", json={"sub": "u-1"}).get_json()["token"]

    restarted = create_app(KeyRing(file), issuer=URL).test_client()

    assert verified(restarted, token)["sub"] == "u-1"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_private_key_is_published(client: FlaskClient, file: Path) -> None:
    (secret,) = json.loads(file.read_text()).values()

    published = client.get("/api/auth/jwks")

    assert set(published.get_json()["keys"][0]) == {"kty", "crv", "x", "kid", "alg", "use"}
    assert secret.rstrip("=") not in published.text


def test_a_token_of_another_key_is_not_verified(client: FlaskClient) -> None:
    token = mint(SigningKey.generate(), issuer=URL, sub="u-1")

    with pytest.raises(KeyError):
        verified(client, token)


@pytest.mark.parametrize("body", [{}, {"sub": ""}, {"sub": "u", "more": 1}, {"sub": "u", "expiresInSeconds": 0}, []])
def test_a_wrong_request_for_a_token_is_refused(client: FlaskClient, body: object) -> None:
    answer = client.post("/token", json=body)

    assert answer.status_code == 400
    assert answer.get_json()["detail"]


def test_the_page_gives_a_token_without_a_script(client: FlaskClient) -> None:
    page = client.get("/").text
    token_page = client.post("/", data={"sub": "<u>", "email": "u@example.com", "role": "admin"}).text

    token = re.search(r'<textarea id="token"[^>]*>([^<]+)</textarea>', token_page)
    assert token
    claims = verified(client, token[1])
    assert (claims["sub"], claims["role"], claims["email_verified"]) == ("<u>", "admin", False)
    assert "<u>" not in token_page
    assert set(re.findall(r'<label[^>]* for="(\w+)"', page)) == set(re.findall(r'(?:input|select) id="(\w+)"', page))


def test_another_name_for_the_issuers_address_is_refused(client: FlaskClient) -> None:
    assert client.get("/", headers={"Host": "attacker.example"}).status_code == 400


def test_who_signs_in_is_sent_back_with_a_token_behind_the_hash(client: FlaskClient) -> None:
    query = {"redirect_uri": "http://localhost:3061/signed-in", "state": "s&1"}

    page = client.get("/sign-in", query_string=query).text
    answer = client.post("/sign-in", data={**query, "sub": "u-1", "email": "u@example.com", "name": ""})

    address, _, fragment = answer.headers["Location"].partition("#")
    fields = parse_qs(fragment)
    assert 'name="state" value="s&amp;1"' in page
    assert (answer.status_code, address, fields["state"]) == (303, query["redirect_uri"], ["s&1"])
    assert verified(client, fields["token"][0])["email"] == "u@example.com"


def test_who_asks_for_a_form_is_sent_back_with_a_token_in_one(client: FlaskClient) -> None:
    query = {"redirect_uri": "http://localhost:3061/ops/login/return", "state": "s&1", "response_mode": "form_post"}

    page = client.get("/sign-in", query_string=query).text
    answer = client.post("/sign-in", data={**query, "sub": "<olga>", "role": "admin"})

    assert 'name="response_mode" value="form_post"' in page
    assert answer.status_code == 200
    assert f'<form method="post" action="{query["redirect_uri"]}">' in answer.text
    assert 'name="state" value="s&amp;1"' in answer.text
    assert "<olga>" not in answer.text
    token = re.search(r'name="token" value="([^"]+)"', answer.text)
    assert token
    assert verified(client, token[1])["role"] == "admin"


def test_no_other_way_back_is_known(client: FlaskClient) -> None:
    query = {"redirect_uri": "http://localhost:3061/signed-in", "state": "s", "response_mode": "query"}

    assert client.get("/sign-in", query_string=query).status_code == 400


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/here", ""])
def test_a_token_is_sent_to_this_machine_only(client: FlaskClient, elsewhere: str) -> None:
    query = {"redirect_uri": elsewhere, "state": "s"}

    assert client.get("/sign-in", query_string=query).status_code == 400
    assert client.post("/sign-in", data={**query, "sub": "u-1"}).status_code == 400
