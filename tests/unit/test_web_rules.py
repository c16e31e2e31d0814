"""What the web room decides without a request: where a Checkout may return to, how long to wait, cursors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.http.lists import decode_cursor, encode_cursor
from web.http.problems import BadRequest
from web.http.waiting import preference
from web.users.redirects import check_redirect

ORIGINS = ("https://app.example", "http://localhost:5173")


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example",
        "https://app.example/",
        "https://app.example/a/b?c=d&e=%20#f",
        "https://app.example?session={CHECKOUT_SESSION_ID}",
        "https://app.example#done",
        "HTTPS://App.Example/ok",
        "http://localhost:5173/ok",
        "https://app.example/" + "x" * 1_980,
    ],
    ids=lambda url: url[:50],
)
def test_an_address_of_our_clients_is_taken_as_it_is(url: str) -> None:
    assert check_redirect(url, "successUrl", origins=ORIGINS) == url


@pytest.mark.parametrize(
    "url", ["http://localhost:5174", "http://localhost", "https://localhost:5173", "http://localhost:5173@x"]
)
def test_scheme_host_and_port_must_all_be_ours(url: str) -> None:
    with pytest.raises(BadRequest):
        check_redirect(url, "successUrl", origins=ORIGINS)


def test_without_origins_nothing_is_taken() -> None:
    with pytest.raises(BadRequest):
        check_redirect("https://app.example", "successUrl", origins=())


@given(st.text(max_size=40))
def test_any_text_is_taken_or_refused_and_no_accident(url: str) -> None:
    for candidate in (url, f"https://{url}", f"https://app.example{url}", f"https:/{url}app.example"):
        try:
            taken = check_redirect(candidate, "successUrl", origins=ORIGINS)
        except BadRequest:
            continue
        assert taken.lower().startswith("https://app.example")
        assert taken[len("https://app.example") :][:1] in {"", "/", "?", "#"}


@pytest.mark.parametrize(
    ("header", "wait_s", "applied"),
    [
        ("", 2.0, None),
        ("respond-async", 0, "respond-async"),
        ("RESPOND-ASYNC", 0, "respond-async"),
        ("wait=0", 0, "wait=0"),
        ("wait=7", 7, "wait=7"),
        ("Wait=7", 7, "wait=7"),
        ("wait=10", 10, "wait=10"),
        ("wait=11", 10, "wait=10"),
        ("wait=999999", 10, "wait=10"),
        ("wait=9999999", 2.0, None),
        ("wait=-1", 2.0, None),
        ("wait=1.5", 2.0, None),
        ("wait=abc", 2.0, None),
        ("wait", 2.0, None),
        ("return=minimal", 2.0, None),
        ("return=minimal, wait=3", 3, "wait=3"),
        ("handling=lenient; wait=3", 3, "wait=3"),
        ("respond-async, wait=3", 0, "respond-async"),
        ("wait=\u0663", 2.0, None),
    ],
)
def test_a_preference_is_read_and_what_is_unknown_is_ignored(header: str, wait_s: float, applied: str | None) -> None:
    read = preference(header, default_s=2.0)

    assert (read.wait_s, read.applied) == (wait_s, applied)


@given(st.text(max_size=60))
def test_any_preference_waits_at_most_ten_seconds(header: str) -> None:
    assert 0 <= preference(header, default_s=2.0).wait_s <= 10


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_a_cursor_is_read_as_it_was_written(position: str) -> None:
    cursor = encode_cursor(position)

    assert decode_cursor(cursor) == position
    assert cursor.replace("-", "a").replace("_", "a").isalnum() or cursor == ""


@given(st.text(max_size=60))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        assert isinstance(decode_cursor(text), str)
    except BadRequest as refusal:
        assert refusal.errors[0]["field"] == "cursor"  # noqa: PT017
