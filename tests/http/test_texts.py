"""Texts that clients send: free ones are cleaned and never refused, ids are refused and never changed."""

from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import AfterValidator, BaseModel
from sqlalchemy import text

from domain.rules.texts import check_id, check_storable, clean_document, clean_text
from domain.store import Database
from tests.support.credits import give
from tests.support.http import JSON, Api, problem_of
from tests.support.issuer import Issuer
from web.app import APIS
from web.http.models import KeyText
from web.shared.gifts import EmailText
from web.shared.jobs import _age, _known_kind

HALF = "Chat \\ud83d"
CLEANED = "Chat \ufffd"
TRAPS = ["Chat \\ud83d", "Chat \\u0000", "Chat \\u001b", "Chat \\ufffd", "Chat \\u009b"]


def post(api: Api, path: str, raw: str, *, as_user: bool = True) -> Any:
    caller = api.user() if as_user else api.service()
    answer = caller.call("POST", path, data=raw, content_type=JSON)
    assert answer.status_code in {200, 201}, answer.get_data(as_text=True)
    return answer.get_json()


@pytest.mark.parametrize("trap", TRAPS)
def test_a_use_with_half_an_emoji_is_charged_and_its_text_is_cleaned(api: Api, database: Database, trap: str) -> None:
    give(database, "anna", 10)
    raw = f'{{"amount": 3, "appId": "chat", "description": "{trap}", "metadata": {{"{trap}": ["{trap}"]}}}}'

    used = post(api, "/credits/use", raw)

    assert used["newBalance"]["balance"] == 7
    assert used["transaction"]["description"] == CLEANED
    assert used["transaction"]["metadata"] == {CLEANED: [CLEANED]}
    assert api.user().get("/credits/transactions").get_json()[0]["description"] == CLEANED


def test_a_repeated_use_with_half_an_emoji_is_charged_once(api: Api, database: Database) -> None:
    give(database, "anna", 10)
    raw = f'{{"amount": 3, "appId": "chat", "description": "{HALF}", "idempotencyKey": "k"}}'

    first, second = post(api, "/credits/use", raw), post(api, "/credits/use", raw)

    assert first["transaction"] == second["transaction"]
    assert second["newBalance"]["balance"] == 7


def test_a_text_that_is_only_turned_around_is_charged_too(api: Api, database: Database) -> None:
    give(database, "anna", 10)

    used = post(api, "/credits/use", '{"amount": 3, "appId": "chat", "description": "\\u202e"}')

    assert (used["newBalance"]["balance"], used["transaction"]["description"]) == (7, "\ufffd")


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/internal/credits/refund", '{"userId": "anna", "amount": 1, "description": "HALF"}'),
        ("/internal/credits/grant", '{"userId": "anna", "amount": 1, "reason": "HALF", "referenceId": "r"}'),
        ("/internal/credits/reserve", '{"userId": "anna", "amount": 1, "reason": "HALF"}'),
        ("/gifts", '{"totalCredits": 1, "message": "HALF"}'),
    ],
)
def test_no_act_is_refused_for_half_an_emoji(api: Api, database: Database, path: str, raw: str) -> None:
    give(database, "anna", 10)

    post(api, path, raw.replace("HALF", HALF), as_user=not path.startswith("/internal"))

    with database.single() as store:
        texts = store.run(
            text("SELECT description FROM credits.transactions UNION ALL SELECT message FROM gifts.gift_codes")
        ).scalars()
    assert any(CLEANED in (stored or "") for stored in texts)


def test_the_name_in_a_token_is_shown_in_one_clean_line(api: Api, database: Database, issuer: Issuer) -> None:
    give(database, "anna", 10)

    answer = api.bearer(issuer.token("anna", name="Anna\x1b[2J\n\u202eB\ud83d")).post("/gifts", {"totalCredits": 1})

    assert answer.get_json()["creatorName"] == "Anna\ufffd[2J B\ufffd"


@pytest.mark.parametrize("subject", ["an\u200bna", "an\u202ena", "anna\n", "anna\x1b", "\ufeffanna", " "])
def test_a_token_of_a_user_whom_nobody_can_tell_from_another_is_refused(api: Api, issuer: Issuer, subject: str) -> None:
    problem_of(api.bearer(issuer.token(subject)).get("/credits/balance"), 401, "unauthorized")


@pytest.mark.parametrize("user_id", ["an%E2%80%8Bna", "an%E2%80%AEna", "anna%0A", "%EF%BB%BFanna", "%1B", "%20"])
def test_such_a_user_id_in_a_path_is_not_found(api: Api, user_id: str) -> None:
    problem_of(api.service().get(f"/internal/credits/balance/{user_id}"), 404, "not_found")


def test_a_pasted_code_is_looked_up_as_what_it_shows(api: Api, database: Database) -> None:
    give(database, "anna", 10)
    code = api.user().post("/gifts", {"totalCredits": 1}).get_json()["code"]
    wide = "".join(chr(ord(character) + 0xFEE0) for character in code)

    for pasted in (f"\ufeff{code}\u200b", "\u00ad".join(code), wide, f"\u2068{code.lower()}\u2069"):
        assert api.nobody().get(f"/gifts/{pasted}").get_json()["code"] == code


@pytest.mark.parametrize("typed", ["Friend@x.de.", "friend@x.de\u3002", "\u200bfriend@x.de\u200b"])
def test_a_gift_for_an_address_with_a_dot_too_many_can_be_redeemed(api: Api, database: Database, typed: str) -> None:
    give(database, "anna", 10)
    code = api.user().post("/gifts", {"totalCredits": 1, "targetEmail": typed}).get_json()["code"]

    redeemed = api.user("ben", email="friend@x.de").post(f"/gifts/{code}/redeem", {})
    pending = api.service().post("/internal/gifts/redeem-pending", {"userId": "ben", "email": "friend@x.de"})

    assert redeemed.status_code == 202
    assert pending.status_code == 202
    with database.single() as store:
        payload = store.run(text("SELECT payload FROM jobs.jobs WHERE kind = 'redeem-pending'")).scalar_one()
    assert len(payload["giftIds"]) == 1


def test_a_gift_that_waits_for_such_an_address_since_an_earlier_release_is_redeemed(
    api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(database, "anna", 10)
    with monkeypatch.context() as earlier_release:
        earlier_release.setattr("domain.operations.gifts.comparable", str.lower)
        api.user().post("/gifts", {"totalCredits": 1, "targetEmail": "friend@x.de."})

    api.service().post("/internal/gifts/redeem-pending", {"userId": "ben", "email": "friend@x.de"})

    with database.single() as store:
        payload = store.run(text("SELECT payload FROM jobs.jobs WHERE kind = 'redeem-pending'")).scalar_one()
    assert len(payload["giftIds"]) == 1


@pytest.mark.parametrize("address", ["a@de.", "a@b.de..", "a@1.2.3.4", "a@b\x00.de"])
def test_a_gift_for_an_address_that_nobody_has_is_refused(api: Api, database: Database, address: str) -> None:
    give(database, "anna", 10)

    problem_of(api.user().post("/gifts", {"totalCredits": 1, "targetEmail": address}), 400, "validation_error")

    assert api.user().get("/credits/balance").get_json()["balance"] == 10


def test_every_text_that_a_client_may_send_is_of_a_kind() -> None:
    """A new text is cleaned (`CLEANED`), or refused (`VISIBLE`, `check_storable`), or has a form of its own."""
    models = {model for api in APIS for endpoint in api.endpoints for model in (endpoint.body, endpoint.query) if model}

    kinds = {f"{model.__name__}.{name}": kind_of(model, name) for model in models for name in model.model_fields}

    assert len(kinds) > 30
    assert {name for name, kind in kinds.items() if not kind} == {
        "StartPurchase.success_url",  # compared with our clients' origins, in plain characters only
        "StartPurchase.cancel_url",
    } | {name for name in kinds if name.endswith(".cursor")}  # read as base64


def kind_of(model: type[BaseModel], name: str) -> bool:
    """Tell whether a member is no text, or a text whose characters are checked."""
    field = model.model_fields[name]
    return _is_checked(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)


def _is_checked(annotation: Any) -> bool:
    if annotation in (KeyText, EmailText):
        return True
    if hasattr(annotation, "__value__"):
        return _is_checked(annotation.__value__)
    if get_origin(annotation) is Annotated:
        plain, *marks = get_args(annotation)
        functions = {mark.func for mark in marks if isinstance(mark, AfterValidator)}
        own = {check_id, check_storable, clean_document, clean_text} | {_age, _known_kind}
        return bool(functions & own) or _is_checked(plain)
    if get_origin(annotation) is not None:
        return all(_is_checked(part) for part in get_args(annotation))
    return annotation is not str
