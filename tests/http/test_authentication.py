"""Who is asking: what makes a token or a service key good, and what happens while the issuer is away."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.http import Api, Caller, problem_of
from tests.support.issuer import Issuer, running_issuer
from web.app import create_app
from web.http import jwks

BALANCE: Final = "/credits/balance"
ZERO: Final = {"balance": 0, "totalEarned": 0, "totalSpent": 0}


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    return shared_database_url


@pytest.fixture(scope="module")
def shared_issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


@pytest.fixture
def issuer(shared_issuer: Issuer) -> Issuer:
    """An issuer whose keys a test may change: as new for each test."""
    shared_issuer.keys = {"key-1": Ed25519PrivateKey.generate()}
    shared_issuer.is_away = False
    shared_issuer.fetches = 0
    return shared_issuer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    """The monotonic clock of the key store, to be moved by hand."""
    clock = Clock()
    monkeypatch.setattr(jwks, "time", clock)
    return clock


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s


def asked(api: Api, token: str) -> TestResponse:
    return api.bearer(token).get(BALANCE)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def claims_of(issuer: Issuer, **claims: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"sub": "anna", "iss": issuer.url, "aud": "mana", "iat": now, "exp": now + 3600, **claims}


def public_pem(issuer: Issuer) -> bytes:
    public = issuer.keys["key-1"].public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_a_good_token_is_let_in(api: Api) -> None:
    answer = api.user("anna", email="anna@example.org", email_verified=True, name="Anna", role="user").get(BALANCE)

    assert (answer.status_code, answer.get_json()) == (200, ZERO)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_read_in_any_case(app: Flask, issuer: Issuer, scheme: str) -> None:
    caller = Caller(app, {"Authorization": f"{scheme} {issuer.token('anna')}"})

    assert caller.get(BALANCE).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Token {token}", "{token}", "Bearer{token}", "Bearer {token} {token}"],
)
def test_a_header_that_is_no_bearer_token_is_refused(app: Flask, issuer: Issuer, header: str) -> None:
    caller = Caller(app, {"Authorization": header.replace("{token}", issuer.token("anna"))})

    answer = caller.get(BALANCE)

    problem_of(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"aud": None},
        {"iss": None},
        {"sub": ""},
        {"sub": "x" * 129},
        {"sub": 5},
        {"sub": ["anna"]},
        {"sub": {"id": "anna"}},
        {"sub": True},
        {"sub": "an\x00na"},
        {"sub": "\ud800"},
        {"sub": " "},
        {"sub": "a/b"},
        {"sub": "/"},
        {"sub": "."},
        {"sub": ".."},
        {"exp": 1},
        {"exp": "soon"},
        {"exp": []},
        {"exp": 1e400},
        {"exp": 10**400},
        {"exp": -(10**400)},
        {"exp": 253_402_300_800},
        {"exp": "99999999999"},
        {"exp": True},
        {"exp": "9" * 400},
        {"nbf": 10**400},
        {"exp": int(time.time()) - 5},
        {"nbf": int(time.time()) + 3_600},
        {"iss": "https://evil.example"},
        {"iss": ""},
        {"iss": 5},
        {"aud": "other"},
        {"aud": []},
        {"aud": ["other"]},
        {"aud": "MANA"},
        {"aud": 5},
    ],
    ids="-".join,
)
def test_a_token_with_a_claim_missing_or_wrong_is_refused(api: Api, issuer: Issuer, claims: dict[str, Any]) -> None:
    payload = {name: value for name, value in claims_of(issuer, **claims).items() if value is not None}
    signed = f"{part({'alg': 'EdDSA', 'kid': 'key-1', 'typ': 'JWT'})}.{part(payload)}"
    signature = base64.urlsafe_b64encode(issuer.keys["key-1"].sign(signed.encode())).decode().rstrip("=")

    answer = asked(api, f"{signed}.{signature}")

    problem_of(answer, 401, "unauthorized")


@pytest.mark.parametrize("user_id", ["x", "x" * 128, "ä", "user:1|2", "...", "a?b#c", "a b", "😀" * 128])
def test_a_subject_of_1_to_128_characters_is_a_user(api: Api, user_id: str) -> None:
    assert api.user(user_id).get(BALANCE).get_json() == ZERO


def test_an_audience_among_several_is_good(api: Api) -> None:
    assert api.user("anna", aud=["other", "mana"]).get(BALANCE).status_code == 200


def test_a_token_without_a_signature_is_refused(api: Api, issuer: Issuer) -> None:
    for algorithm in ("none", "None", "NONE", ""):
        head = {"alg": algorithm, "kid": "key-1"}

        problem_of(asked(api, f"{part(head)}.{part(claims_of(issuer))}."), 401, "unauthorized")


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(api: Api, issuer: Issuer) -> None:
    raw = issuer.keys["key-1"].public_key().public_bytes_raw()
    for secret in (public_pem(issuer), raw, base64.urlsafe_b64encode(raw).rstrip(b"=")):
        for algorithm in ("HS256", "EdDSA"):
            signed = f"{part({'alg': algorithm, 'kid': 'key-1'})}.{part(claims_of(issuer))}"
            mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()

            answer = asked(api, f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")

            problem_of(answer, 401, "unauthorized")


def test_a_token_signed_with_rsa_is_refused(api: Api, issuer: Issuer) -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)

    token = jwt.encode(claims_of(issuer), key, algorithm="RS256", headers={"kid": "key-1"})

    problem_of(asked(api, token), 401, "unauthorized")


def test_a_token_signed_with_another_key_of_the_same_name_is_refused(api: Api, issuer: Issuer) -> None:
    token = jwt.encode(claims_of(issuer), Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": "key-1"})

    problem_of(asked(api, token), 401, "unauthorized")


def test_a_token_that_brings_its_own_key_is_refused(api: Api, issuer: Issuer) -> None:
    key = Ed25519PrivateKey.generate()
    own = jwt.get_algorithm_by_name("EdDSA").to_jwk(key.public_key(), as_dict=True)
    for head in ({"jwk": own}, {"kid": "mine", "jwk": own}, {"kid": "key-1", "jwk": own, "jku": f"{issuer.url}/x"}):
        token = jwt.encode(claims_of(issuer), key, algorithm="EdDSA", headers=head)

        problem_of(asked(api, token), 401, "unauthorized")


@pytest.mark.parametrize("key_id", [None, 5, "", "key-2", "../key-1", "key-1\x00", ["key-1"]])
def test_a_token_that_names_no_known_key_is_refused(api: Api, issuer: Issuer, key_id: Any) -> None:
    assert asked(api, issuer.token("ben")).status_code == 200
    signed = f"{part({'alg': 'EdDSA'} | ({} if key_id is None else {'kid': key_id}))}.{part(claims_of(issuer))}"
    signature = base64.urlsafe_b64encode(issuer.keys["key-1"].sign(signed.encode())).decode().rstrip("=")

    problem_of(asked(api, f"{signed}.{signature}"), 401, "unauthorized")


def test_a_token_changed_after_signing_is_refused(api: Api, issuer: Issuer) -> None:
    head, _, signature = issuer.token("anna").split(".")

    problem_of(asked(api, f"{head}.{part(claims_of(issuer, sub='ben'))}.{signature}"), 401, "unauthorized")


@pytest.mark.parametrize(
    "token",
    [
        *(
            "x",
            ".",
            "..",
            "...",
            "a.b.c",
            "a.b.c.d",
            "=.=.=",
            "\xe4.\xf6.\xfc",
            "null",
            "{}",
            "e30.e30.",
            "e30.e30.e30",
        ),
        *("bnVsbA.bnVsbA.bnVsbA", "W10.W10.W10", "x" * 8_192, "x" * 8_193, "x" * 100_000, "." * 8_000),
    ],
    ids=lambda token: token[:20],
)
def test_garbage_is_no_token(api: Api, token: str) -> None:
    problem_of(asked(api, token), 401, "unauthorized")


def test_a_token_nested_very_deeply_is_refused(api: Api) -> None:
    deep = base64.urlsafe_b64encode(b'{"alg":"EdDSA","kid":' + b"[" * 5_000).decode().rstrip("=")

    problem_of(asked(api, f"{deep}.e30.e30"), 401, "unauthorized")


def test_a_good_token_of_nine_kilobytes_is_refused(api: Api) -> None:
    answer = api.user("anna", more="x" * 9_000).get(BALANCE)

    assert problem_of(answer, 401, "unauthorized")["detail"] == "The token is too large"


def test_a_verified_token_ends_when_it_says(api: Api) -> None:
    expires_at = int(time.time()) + 5
    caller = api.user("anna", exp=expires_at)
    assert caller.get(BALANCE).status_code == 200

    time.sleep(max(0.0, expires_at + 0.1 - time.time()))

    problem_of(caller.get(BALANCE), 401, "unauthorized")


# ---------------------------------------------------------------- keys


def test_keys_are_fetched_once_for_many_tokens(api: Api, issuer: Issuer) -> None:
    for number in range(20):
        assert api.user(f"user-{number}").get(BALANCE).status_code == 200

    assert issuer.fetches == 1


def test_a_key_that_is_new_at_the_issuer_is_found(api: Api, issuer: Issuer, clock: Clock) -> None:
    assert api.user("anna").get(BALANCE).status_code == 200
    issuer.keys["key-2"] = Ed25519PrivateKey.generate()
    clock.ahead_s += 31

    answer = asked(api, issuer.token("anna", key_id="key-2"))

    assert answer.status_code == 200
    assert issuer.fetches == 2


def test_a_key_that_the_issuer_withdrew_ends_its_tokens(api: Api, issuer: Issuer, clock: Clock) -> None:
    old = api.user("anna")
    assert old.get(BALANCE).status_code == 200
    issuer.keys = {"key-2": Ed25519PrivateKey.generate()}
    clock.ahead_s += 31

    assert asked(api, issuer.token("anna", key_id="key-2")).status_code == 200

    problem_of(old.get(BALANCE), 401, "unauthorized")


def test_a_withdrawn_key_is_noticed_though_only_a_remembered_token_is_used(
    api: Api, issuer: Issuer, clock: Clock
) -> None:
    known = api.user("anna")
    assert known.get(BALANCE).status_code == 200
    issuer.keys = {"key-2": Ed25519PrivateKey.generate()}
    clock.ahead_s += 301

    deadline = time.monotonic() + 60
    while known.get(BALANCE).status_code == 200:  # the keys are fetched in the background
        assert time.monotonic() < deadline
        time.sleep(0.02)

    problem_of(known.get(BALANCE), 401, "unauthorized")
    assert issuer.fetches == 2


def test_users_are_known_while_the_issuer_is_away(api: Api, issuer: Issuer, clock: Clock) -> None:
    assert api.user("anna").get(BALANCE).status_code == 200
    issuer.is_away = True

    for hours in (0, 1, 22):
        clock.ahead_s += hours * 3_600
        assert api.user(f"after-{hours}-hours").get(BALANCE).status_code == 200


def test_keys_older_than_a_day_are_no_longer_trusted(api: Api, issuer: Issuer, clock: Clock) -> None:
    known = api.user("anna")
    assert known.get(BALANCE).status_code == 200
    issuer.is_away = True
    clock.ahead_s += 24 * 3_600

    problem_of(known.get(BALANCE), 503, "not_ready")


def test_without_keys_and_issuer_the_answer_is_to_try_again(api: Api, issuer: Issuer) -> None:
    issuer.is_away = True

    answer = api.user("anna").get(BALANCE)

    problem_of(answer, 503, "not_ready")
    assert answer.headers["Retry-After"] == "1"


def test_the_first_keys_are_found_when_the_issuer_comes_back(api: Api, issuer: Issuer, clock: Clock) -> None:
    issuer.is_away = True
    assert api.user("anna").get(BALANCE).status_code == 503
    issuer.is_away = False
    clock.ahead_s += 2

    assert api.user("anna").get(BALANCE).status_code == 200


def test_garbage_is_refused_as_garbage_while_the_issuer_is_away(api: Api, issuer: Issuer) -> None:
    issuer.is_away = True

    problem_of(asked(api, "a.b.c"), 401, "unauthorized")
    assert issuer.fetches == 0


def test_many_unknown_keys_cause_one_fetch_in_thirty_seconds(api: Api, issuer: Issuer, clock: Clock) -> None:
    assert api.user("anna").get(BALANCE).status_code == 200
    forger = Ed25519PrivateKey.generate()

    def ask_with_random_keys() -> None:
        for number in range(100):
            token = jwt.encode(claims_of(issuer), forger, algorithm="EdDSA", headers={"kid": f"random-{number}"})
            problem_of(asked(api, token), 401, "unauthorized")

    ask_with_random_keys()
    assert issuer.fetches == 1
    clock.ahead_s += 31
    ask_with_random_keys()
    assert issuer.fetches == 2


def test_unknown_keys_while_the_issuer_is_away_do_not_ask_it_more_often(api: Api, issuer: Issuer, clock: Clock) -> None:
    assert api.user("anna").get(BALANCE).status_code == 200
    issuer.is_away = True
    clock.ahead_s += 31

    for number in range(20):
        token = jwt.encode(claims_of(issuer), issuer.keys["key-1"], algorithm="EdDSA", headers={"kid": f"k{number}"})
        problem_of(asked(api, token), 401, "unauthorized")

    assert issuer.fetches == 2
    assert api.user("ben").get(BALANCE).status_code == 200


# ---------------------------------------------------------------- services


@pytest.mark.parametrize("key", ["service-key", "previous-key"])
def test_the_current_and_the_previous_service_key_are_good(api: Api, key: str) -> None:
    answer = api.service(key).get("/internal/credits/balance/anna")

    assert (answer.status_code, answer.get_json()) == (200, ZERO)


@pytest.mark.parametrize(
    "key",
    [
        *("", " ", "service-ke", "service-key2", "SERVICE-KEY", "service-key,previous-key", "\xe4", "\xff" * 100),
        *("None", "null", "undefined", "x" * 10_000, "serviceÐ-key"),
    ],
)
def test_any_other_service_key_is_refused(api: Api, key: str) -> None:
    header = key.encode("latin-1", "replace").decode("latin-1")

    problem_of(api.service(header).get("/internal/credits/balance/anna"), 401, "unauthorized")


INTERNAL: Final = [
    ("GET", "/internal/credits/balance/anna"),
    ("POST", "/internal/credits/use"),
    ("POST", "/internal/credits/refund"),
    ("POST", "/internal/credits/init"),
]
PERSONAL: Final = [
    ("GET", "/credits/balance"),
    ("POST", "/credits/use"),
    ("GET", "/credits/transactions"),
    ("GET", "/credits/purchases"),
    ("GET", "/credits/packages"),
    ("POST", "/credits/purchase"),
    ("GET", "/credits/purchase/019aa5d0-0000-7000-8000-000000000000"),
    ("GET", "/jobs/019aa5d0-0000-7000-8000-000000000000"),
]


@pytest.mark.parametrize(("method", "path"), INTERNAL)
def test_users_and_strangers_cannot_reach_internal(api: Api, method: str, path: str) -> None:
    for caller in (api.user("anna"), api.user("anna", role="admin"), api.nobody()):
        problem_of(caller.call(method, path), 401, "unauthorized")


@pytest.mark.parametrize(("method", "path"), [*PERSONAL, *INTERNAL])
def test_an_app_id_is_a_label_and_no_identity(app: Flask, method: str, path: str) -> None:
    caller = Caller(app, {"X-App-Id": "service-key", "X-User-Id": "anna", "Cookie": "session=anna"})

    problem_of(caller.call(method, path), 401, "unauthorized")


@pytest.mark.parametrize(("method", "path"), PERSONAL)
def test_strangers_cannot_reach_what_is_personal(api: Api, method: str, path: str) -> None:
    problem_of(api.nobody().call(method, path), 401, "unauthorized")


@pytest.mark.parametrize(("method", "path"), PERSONAL[:-1])
def test_a_service_key_does_not_make_a_user(api: Api, method: str, path: str) -> None:
    problem_of(api.service().call(method, path), 401, "unauthorized")


def test_a_wrong_service_key_beside_a_good_token_is_refused(app: Flask, issuer: Issuer) -> None:
    caller = Caller(app, {"Authorization": f"Bearer {issuer.token('anna')}", "X-Service-Key": "wrong"})

    problem_of(caller.get("/jobs/019aa5d0-0000-7000-8000-000000000000"), 401, "unauthorized")


def test_an_unknown_caller_is_refused_before_the_body_is_read(api: Api) -> None:
    answer = api.nobody().call("POST", "/credits/use", data=b"\x00" * 1_000_000, content_type="text/plain")

    problem_of(answer, 401, "unauthorized")


def test_one_application_does_not_know_the_keys_of_another(app: Flask, settings: Any, issuer: Issuer) -> None:
    other = create_app(settings)

    assert Caller(app, {"Authorization": f"Bearer {issuer.token('anna')}"}).get(BALANCE).status_code == 200
    assert Caller(other, {"Authorization": f"Bearer {issuer.token('anna')}"}).get(BALANCE).status_code == 200

    other.extensions["mana_credits"].close()
    assert issuer.fetches == 2
