"""What is not as the contract asks is refused, with a problem document, and leaves no trace in the database."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest

from domain.store import Database
from local.logins import SERVICE
from local.postgres import Postgres
from settings import from_environment
from tests.support.credits import give
from tests.support.environment import web_environment
from tests.support.http import JSON, Api, Caller, check_problem, problem_of, written
from tests.support.issuer import Issuer
from tests.support.purchases import offer
from tests.support.web_server import Server
from web.app import create_app

REFUSED: Final = (400, 401, 404, 413, 415, 422)

USE: Final = {"amount": 1, "appId": "chat", "description": "A question", "idempotencyKey": "k", "metadata": {"a": "b"}}
BODIES: Final[dict[str, dict[str, Any]]] = {
    "/credits/use": USE,
    "/internal/credits/use": {"userId": "anna", **USE},
    "/internal/credits/refund": {"userId": "anna", "amount": 1, "appId": "chat", "description": "Sorry"},
    "/internal/credits/init": {"userId": "anna"},
    "/credits/purchase": {"packageId": "", "successUrl": "https://app.example/a", "cancelUrl": "https://app.example/b"},
}
REQUIRED: Final = {
    "/credits/use": ("amount", "appId", "description"),
    "/internal/credits/use": ("userId", "amount", "appId", "description"),
    "/internal/credits/refund": ("userId", "amount", "description"),
    "/internal/credits/init": ("userId",),
    "/credits/purchase": ("packageId",),
}
MOVING: Final = ("/credits/use", "/internal/credits/use", "/internal/credits/refund")
IDS: Final = [(path, "appId") for path in MOVING] + [
    ("/credits/use", "operation"),
    ("/credits/use", "idempotencyKey"),
    ("/internal/credits/use", "userId"),
    ("/internal/credits/refund", "userId"),
    ("/internal/credits/init", "userId"),
    ("/credits/purchase", "packageId"),
    ("/credits/purchase", "successUrl"),
    ("/credits/purchase", "cancelUrl"),
]
TEXTS: Final = [*IDS, *((path, "description") for path in MOVING)]
TRAPS: Final = (
    *("\\u0000", "\\ud800", "\\udfff", "a\\u0000b", "\\udc00\\ud800", "a\\ud83d", "a\\ufffd", " "),
    *("\\u001b[2J", "a\\n", "a\\u0085b", "a\\u202eb", "a\\u2067b", "a\\u200bb", "a\\u00adb", "\\ufeffa", "a\\u2028b"),
)
AMOUNTS: Final = (
    *("0", "-5", "1.5", "1.0", "1e0", '"5"', '""', "null", "true", "false", "[]", "{}", "[1]", "-0"),
    *("1000001", "2147483648", "3000000000", "9223372036854775808", "1e308", "1e400", "-1e400", "9" * 5_000),
    *("NaN", "Infinity", "-Infinity", "01", "+1", "1_0", "0x1", "\u0661"),
)
NO_OBJECTS: Final = {
    "an empty body": b"",
    "white space": b" \n",
    "an array": b"[]",
    "an array with an object": b'[{"amount": 1}]',
    "null": b"null",
    "a number": b"5",
    "a text": b'"amount"',
    "half an object": b'{"amount": 1',
    "a member without a value": b'{"amount":}',
    "a comma too many": b'{"amount": 1,}',
    "single quotes": b"{'amount': 1}",
    "a comment": b'{"amount": 1} // one',
    "two objects": b"{} {}",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"amount": 1}'.encode("utf-16"),
    "no UTF-8": b'{"appId": "\xff"}',
    "NUL": b"\x00",
    "20 000 arrays": b"[" * 20_000 + b"]" * 20_000,
    "20 000 open arrays": b"[" * 20_000,
    "6 000 objects": b'{"a":' * 6_000 + b"1" + b"}" * 6_000,
    "a form": b"amount=1&appId=chat",
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """One application for all the refusals of this module: none of them may leave a trace."""

    api: Api
    database: Database
    package_id: UUID

    def caller(self, path: str) -> Caller:
        return self.api.service() if path.startswith("/internal") else self.api.user()

    def body(self, path: str) -> dict[str, Any]:
        body = BODIES[path]
        return body | {"packageId": str(self.package_id)} if "packageId" in body else body

    def post(self, path: str, raw: bytes | str, content_type: str | None = JSON, **headers: str) -> dict[str, Any]:
        """Post what must be refused; returns the problem."""
        answer = self.caller(path).call("POST", path, data=raw, content_type=content_type, headers=headers)
        assert answer.status_code in REFUSED, answer.get_data(as_text=True)
        return problem_of(answer, answer.status_code)


@pytest.fixture(scope="module")
def shared_target(postgres: Postgres, template: str, issuer: Issuer) -> Iterator[Target]:
    postgres.create_database("test_hostile", template=template)
    url = postgres.url("test_hostile", SERVICE)
    settings = from_environment(web_environment(database_url=url, auth_url=issuer.url))
    app, database = create_app(settings), Database(url)
    give(database, "anna", 1_000_000)
    yield Target(api=Api(app, issuer), database=database, package_id=offer(database))
    app.extensions["mana_credits"].close()
    database.close()
    postgres.drop_database("test_hostile")


@pytest.fixture
def target(shared_target: Target) -> Iterator[Target]:
    """The application; after the test nothing may have been written."""
    before = written(shared_target.database)
    yield shared_target
    assert written(shared_target.database) == before


@pytest.mark.parametrize("path", MOVING)
@pytest.mark.parametrize("amount", AMOUNTS, ids=lambda amount: amount[:20])
def test_an_amount_that_is_none_is_refused(target: Target, path: str, amount: str) -> None:
    raw = json.dumps(target.body(path) | {"amount": 0}).replace('"amount": 0', f'"amount": {amount}')

    problem = target.post(path, raw)

    assert problem["status"] == 400


@pytest.mark.parametrize(("path", "member"), [(path, member) for path in REQUIRED for member in REQUIRED[path]])
def test_a_missing_member_is_refused_and_named(target: Target, path: str, member: str) -> None:
    body = {name: value for name, value in target.body(path).items() if name != member}

    problem = target.post(path, json.dumps(body))

    assert problem["status"] == 400
    assert problem["code"] == "validation_error"
    ((field, message),) = [(error["field"], error["message"]) for error in problem["errors"]]
    if member == "amount" and path.endswith("/use"):  # an operation may stand in its place
        assert message == "Value error, amount or operation is missing"
    else:
        assert (field, message) == (member, "Field required")


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("member", ["more", "user_id", "balance", "", "__proto__", "constructor", "Amount"])
def test_an_unknown_member_is_refused_and_named(target: Target, path: str, member: str) -> None:
    problem = target.post(path, json.dumps(target.body(path) | {member: 1}))

    assert problem["status"] == 400
    assert member in [error["field"] for error in problem["errors"]] or member == ""


@pytest.mark.parametrize("path", ["/credits/use", "/credits/purchase"])
def test_a_user_cannot_name_another_user(target: Target, path: str) -> None:
    problem = target.post(path, json.dumps(target.body(path) | {"userId": "ben"}))

    assert problem["errors"] == [{"field": "userId", "message": "Extra inputs are not permitted"}]


@pytest.mark.parametrize("path", MOVING)
def test_a_snake_case_name_is_no_name_of_ours(target: Target, path: str) -> None:
    body = target.body(path)
    body = {name: value for name, value in body.items() if name != "appId"} | {"app_id": "chat"}

    problem = target.post(path, json.dumps(body))

    assert problem["status"] == 400


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("raw", NO_OBJECTS.values(), ids=NO_OBJECTS)
def test_a_body_that_is_no_object_is_refused(target: Target, path: str, raw: bytes) -> None:
    problem = target.post(path, raw)

    assert problem["status"] in {400, 413}


@pytest.mark.parametrize("path", BODIES)
def test_a_member_told_twice_is_refused(target: Target, path: str) -> None:
    raw = json.dumps(target.body(path))
    member, value = next(iter(target.body(path).items()))
    twice = f'{{"{member}": {json.dumps(value)}, {raw[1:]}'

    problem = target.post(path, twice)

    assert problem["detail"] == "The body has a member twice"


def test_a_member_told_twice_inside_the_metadata_is_refused(target: Target) -> None:
    raw = json.dumps(USE).replace('{"a": "b"}', '{"a": {"x": 1, "\\u0078": 2}}')

    problem = target.post("/credits/use", raw)

    assert problem["detail"] == "The body has a member twice"


@pytest.mark.parametrize(("path", "member"), IDS)
@pytest.mark.parametrize("trap", TRAPS)
def test_an_id_or_key_with_a_character_that_nobody_sees_is_refused(
    target: Target, path: str, member: str, trap: str
) -> None:
    raw = json.dumps(target.body(path) | {member: "TRAP"}).replace("TRAP", trap)

    problem = target.post(path, raw)

    assert problem["status"] == 400


@pytest.mark.parametrize("trap", ["\x00", "\n", "\x1f", "\x7f\x00"])
def test_a_raw_control_character_is_no_json(target: Target, trap: str) -> None:
    problem = target.post("/credits/use", json.dumps(USE).replace("A question", trap))

    assert problem["detail"] == "The body is not valid JSON"


@pytest.mark.parametrize(
    "metadata",
    [
        '{"a": NaN}',
        '{"a": [1e400]}',
        '{"a": -Infinity}',
        '{"a": ' + "9" * 4_400 + "}",
        '"a"',
        "[]",
        "1",
        json.dumps({"a": "x" * 4_090}),
        json.dumps({"a": "ä" * 2_000}),
        json.dumps([[]] * 10),
    ],
    ids=lambda metadata: metadata[:30],
)
def test_metadata_is_a_small_object_without_traps(target: Target, metadata: str) -> None:
    raw = json.dumps(USE).replace('{"a": "b"}', metadata)

    problem = target.post("/credits/use", raw)

    assert problem["status"] == 400


@pytest.mark.parametrize("depth", [300, 850, 900, 930, 950, 970, 1_000, 1_500])
@pytest.mark.parametrize("text", ['"x"', '"\\u0041"'])
def test_metadata_of_any_depth_is_an_answer_and_no_accident(target: Target, depth: int, text: str) -> None:
    metadata = f'{{"a": {"[" * depth}{text}{"]" * depth}}}'
    raw = json.dumps(USE).replace('{"a": "b"}', metadata)

    problem = target.post("/credits/use", raw)

    assert problem["status"] == 400


@pytest.mark.parametrize(
    ("path", "member", "value"),
    [
        ("/credits/use", "appId", ""),
        ("/credits/use", "appId", "x" * 65),
        ("/credits/use", "description", ""),
        ("/credits/use", "description", "x" * 501),
        ("/credits/use", "idempotencyKey", ""),
        ("/credits/use", "idempotencyKey", "x" * 256),
        ("/credits/use", "idempotencyKey", "two words"),
        ("/credits/use", "idempotencyKey", "ключ"),
        ("/credits/use", "idempotencyKey", "line\n"),
        ("/internal/credits/use", "userId", ""),
        ("/internal/credits/use", "userId", "x" * 129),
        ("/internal/credits/refund", "userId", "x" * 129),
        ("/internal/credits/init", "userId", "x" * 129),
        ("/internal/credits/init", "userId", 5),
        ("/internal/credits/init", "userId", None),
        ("/credits/use", "appId", 5),
        ("/credits/use", "description", ["x"]),
        ("/credits/use", "description", None),
        ("/credits/purchase", "packageId", "abc"),
        ("/credits/purchase", "packageId", ""),
        ("/credits/purchase", "packageId", 5),
        ("/credits/purchase", "packageId", None),
        ("/credits/purchase", "packageId", "019aa5d0-0000-7000-8000-00000000000g"),
    ],
)
def test_a_member_out_of_its_bounds_is_refused_and_named(target: Target, path: str, member: str, value: object) -> None:
    problem = target.post(path, json.dumps(target.body(path) | {member: value}))

    assert problem["status"] == 400
    assert [error["field"] for error in problem["errors"]] == [member]


@pytest.mark.parametrize(("path", "member"), TEXTS)
def test_a_text_of_a_megabyte_is_too_large(target: Target, path: str, member: str) -> None:
    problem = target.post(path, json.dumps(target.body(path) | {member: "x" * 1_000_000}))

    assert (problem["status"], problem["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("path", BODIES)
def test_one_byte_more_than_64_kilobytes_is_too_large_and_64_are_not(target: Target, path: str) -> None:
    too_large = target.post(path, b" " * 65_537)
    just_fits = target.post(path, b" " * 65_536)

    assert (too_large["status"], just_fits["status"]) == (413, 400)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/xml",
    ],
)
def test_a_body_that_is_not_declared_as_json_is_refused(target: Target, path: str, content_type: str | None) -> None:
    problem = target.post(path, json.dumps(target.body(path)), content_type)

    assert (problem["status"], problem["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("key", ["", " ", '""', "two words", "x" * 256, '"' + "x" * 256 + '"', "\x7f", "\xe4"])
@pytest.mark.parametrize("path", ["/credits/use", "/internal/credits/use", "/internal/credits/refund"])
def test_a_header_that_is_no_key_is_refused(target: Target, path: str, key: str) -> None:
    body = {name: value for name, value in target.body(path).items() if name != "idempotencyKey"}

    problem = target.post(path, json.dumps(body), Idempotency_Key=key)

    assert problem["status"] == 400


@pytest.mark.parametrize("path", ["/credits/transactions", "/credits/purchases"])
@pytest.mark.parametrize(
    "query",
    [
        *(
            f"limit={value}"
            for value in ("-1", "0", "101", "1e9", "1000000000", "abc", "", "1.5", "%00", "٣", "9" * 5000)
        ),
        *(f"offset={value}" for value in ("-1", "1e9", "1000000001", "abc", "", "1.5", "%20", "%00", "٣", "9" * 5000)),
        *(f"cursor={value}" for value in ("", "abc", "%00", "%ff", "ä", "====", "MA==AA", "LTE", "x" * 201)),
    ],
    ids=lambda query: query[:30],
)
def test_a_page_that_cannot_be_is_refused(target: Target, path: str, query: str) -> None:
    answer = target.api.user().get(f"{path}?{query}")

    problem = problem_of(answer, 400, "validation_error")
    assert [error["field"] for error in problem["errors"]] == [query.partition("=")[0]]


@pytest.mark.parametrize("path", ["/credits/purchase/", "/jobs/"])
@pytest.mark.parametrize(
    "bad_id",
    [
        *("abc", "0", "-1", "null", "019aa5d0-0000-7000-8000-000000000000", "019aa5d0-0000-7000-8000-00000000000g"),
        *("019aa5d00000700080000000000000000", "%00", "a%00b", "%ff", "%", "%zz", "..%2f..", "a/b", "ä", "x" * 5_000),
        *("'%20OR%201=1--", "%7B019aa5d0-0000-7000-8000-000000000000%7D"),
    ],
    ids=lambda bad_id: bad_id[:40],
)
def test_an_id_that_is_none_is_not_found(target: Target, path: str, bad_id: str) -> None:
    answer = target.api.user().get(path + bad_id)

    problem_of(answer, 404, "not_found")


@pytest.mark.parametrize("user_id", ["%00", "a%00b", "%ff", "%ed%a0%80", "x" * 129, "a/b", ""])
def test_a_user_id_that_cannot_be_is_not_found(target: Target, user_id: str) -> None:
    answer = target.api.service().get(f"/internal/credits/balance/{user_id}")

    problem_of(answer, 404, "not_found")


@pytest.mark.parametrize("member", ["successUrl", "cancelUrl"])
@pytest.mark.parametrize(
    "url",
    [
        *("", "/", "//evil.example", "evil.example", "https://evil.example", "https://app.example@evil.example"),
        *("https://app.example.evil.example", "https:/\\evil.example", "https:\\\\app.example", "javascript:alert(1)"),
        *(
            "https://app.example/%00",
            "https://app.example%00.evil.example",
            "https://app.example\t/",
            "\thttps://app.example",
        ),
        *(
            " https://app.example",
            "https://app.example ",
            "http://app.example",
            "https://app.example:444",
            "https://app.example:443",
        ),
        *(
            "https://app.example:",
            "https://user@app.example",
            "https://app.example\\@evil.example",
            "https:///app.example",
        ),
        *(
            "data:text/html,x",
            "https://app.exämple",
            "https://app。example",
            "https://[app.example",
            "https://app.example/\n",
        ),
        *("https:app.example", "HTTPS://APP.EXAMPLE.EVIL"),
        "https://app.example/" + "x" * 2_000,
    ],
    ids=lambda url: url[:40],
)
def test_a_redirect_to_anywhere_but_our_clients_is_refused(target: Target, member: str, url: str) -> None:
    problem = target.post("/credits/purchase", json.dumps(target.body("/credits/purchase") | {member: url}))

    assert problem["errors"] == [{"field": member, "message": "must be an address of one of our web clients"}]


def test_the_values_of_a_refused_body_are_not_repeated(target: Target) -> None:
    answer = target.api.user().post("/credits/use", USE | {"amount": "my secret"})

    assert "my secret" not in answer.get_data(as_text=True)


def test_a_path_that_is_none_is_not_found(target: Target) -> None:
    for path in ("/", "/credits", "/credits/balance/", "//credits/balance", "/credits/../credits/balance", "/%00"):
        problem_of(target.api.user().get(path), 404, "not_found")


# ---------------------------------------------------------------- through a real server


def raw_call(server: Server, method: str, path: str, headers: dict[str, str], body: Any = None) -> tuple[int, str, str]:
    """Send a request as it is, an iterable body in chunks; returns status, content type and body of the answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # answered before everything was sent
            connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()


def rows_of(server: Server) -> int:
    with psycopg.connect(server.database_url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM credits.transactions) + (SELECT count(*) FROM jobs.jobs)"
        )
        return int((row.fetchone() or (0,))[0])


@pytest.mark.parametrize(
    "path", ["/%zz", "/credits/purchase/%", "/jobs/%f", "/jobs/%00", "/internal/credits/balance/%ff"]
)
def test_bad_percent_encoding_is_not_found(server: Server, issuer: Issuer, path: str) -> None:
    headers = {"Authorization": f"Bearer {issuer.token('anna')}"}
    if path.startswith("/internal"):
        headers = {"X-Service-Key": "service-key"}

    status, content_type, body = raw_call(server, "GET", f"/api/v1{path}", headers)

    assert status == 404
    check_problem(content_type, body, 404, "not_found")


@pytest.mark.parametrize("path", ["/api/v1/credits/use", "/api/v1/webhooks/stripe"])
def test_twenty_megabytes_are_refused_before_they_are_read(server: Server, issuer: Issuer, path: str) -> None:
    headers = {"Authorization": f"Bearer {issuer.token('anna')}", "Content-Type": JSON}

    status, content_type, body = raw_call(server, "POST", path, headers, b" " * 20_000_000)

    assert status == 413
    check_problem(content_type, body, 413, "body_too_large")


@pytest.mark.parametrize("path", ["/api/v1/credits/use", "/api/v1/webhooks/stripe"])
def test_twenty_megabytes_in_chunks_are_refused(server: Server, issuer: Issuer, path: str) -> None:
    headers = {"Authorization": f"Bearer {issuer.token('anna')}", "Content-Type": JSON}
    chunks = iter([b" " * 1_000_000] * 20)

    status, content_type, body = raw_call(server, "POST", path, headers, chunks)

    assert status == 413
    check_problem(content_type, body, 413, "body_too_large")
    assert rows_of(server) == 0


def test_a_body_in_chunks_is_not_cut_off_where_it_becomes_too_large(server: Server, issuer: Issuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.token('anna')}", "Content-Type": JSON}
    good = b'{"amount": 1, "appId": "chat", "description": "A question"}'.ljust(65_536)

    status, content_type, body = raw_call(server, "POST", "/api/v1/credits/use", headers, iter([good, b"and more"]))

    assert status == 413
    check_problem(content_type, body, 413, "body_too_large")


def test_a_small_body_in_chunks_is_read(server: Server, issuer: Issuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.token('anna')}", "Content-Type": JSON}
    chunks = iter([b'{"amount": 1, "appId": "chat",', b' "description": "A question"}'])

    status, content_type, body = raw_call(server, "POST", "/api/v1/credits/use", headers, chunks)

    assert status == 402
    check_problem(content_type, body, 402, "insufficient_credits")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer \xff\xfe"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer a b c"},
        {"Authorization": ""},
        {"X-Service-Key": "\xff"},
        {"X-Request-Id": "\xff" * 100},
        {"Authorization": "Bearer " + "x" * 9_000},
    ],
    ids=str,
)
def test_odd_headers_are_refused_as_an_unknown_caller(server: Server, headers: dict[str, str]) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}

    status, content_type, body = raw_call(server, "GET", "/api/v1/credits/balance", encoded)  # type: ignore[arg-type]

    assert status == 401
    check_problem(content_type, body, 401, "unauthorized")


def test_a_method_that_is_not_there_is_told_which_are(server: Server) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request("BREW", "/api/v1/credits/use")
        answer = connection.getresponse()
        problem = check_problem(answer.headers["Content-Type"], answer.read().decode(), 405, "method_not_allowed")

    assert answer.headers["Allow"] == "OPTIONS, POST"
    assert problem["title"] == "Method not allowed"


@pytest.mark.parametrize(
    ("content_type", "headers"),
    [
        ("application/json; charset=utf-16", {}),
        ("application/json", {"Content_Encoding": "gzip"}),
    ],
)
def test_a_body_in_another_encoding_is_refused(api: Api, content_type: str, headers: dict[str, str]) -> None:
    use = '{"amount": 1, "appId": "chat", "description": "x"}'

    answer = api.user().call("POST", "/credits/use", data=use, content_type=content_type, headers=headers)

    problem_of(answer, 415, "unsupported_media_type")


def test_numbers_that_the_database_writes_out_count_as_long_as_they_are(api: Api) -> None:
    use = {"amount": 1, "appId": "chat", "description": "x"}

    problem_of(api.user().post("/credits/use", use | {"metadata": {str(n): 1e300 for n in range(20)}}), 400)
    problem_of(api.user().post("/credits/use", use | {"metadata": {"n": [1e300, {"m": 1.5}]}}), 402)
