"""What is cleaned in a text from outside, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.rules.texts import (
    REPLACEMENT,
    BadText,
    check_id,
    check_storable,
    clean_document,
    clean_name,
    clean_text,
    with_whole_characters,
    without_invisible,
)

ANY_TEXT = st.text(st.characters(exclude_categories=[]))  # half surrogate pairs too


@pytest.mark.parametrize(
    ("sent", "cleaned"),
    [
        ("Chat \ud83d", "Chat \ufffd"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("a\x00b", "a\ufffdb"),
        ("\x1b[2J\x1b]0;x\x07", "\ufffd[2J\ufffd]0;x\ufffd"),
        ("\x9b31m\x7f", "\ufffd31m\ufffd"),
        ("evil \u202egpj.exe\u202c", "evil gpj.exe"),
        ("\u2068Anna\u2069", "Anna"),
        ("\u202e", "\ufffd"),
        ("one\r\ntwo\rthree\x85four\x0b", "one\ntwo\nthree\nfour\n"),
        *((text, text) for text in ("", "Chat 💬", "👩\u200d🚀", "שלום \u200fa", "a\tb\nc\u2028d", "ä\u0308")),
    ],
)
def test_a_free_text_is_cleaned(sent: str, cleaned: str) -> None:
    assert clean_text(sent) == cleaned


@given(ANY_TEXT)
def test_a_cleaned_text_can_be_stored_and_shown_and_is_not_cleaned_further(sent: str) -> None:
    cleaned = clean_text(sent)

    assert cleaned.encode() is not None
    assert not set(cleaned) & {"\x00", "\x1b", "\x9b", "\u202e", "\u2067", "\r"}
    assert clean_text(cleaned) == cleaned
    assert len(cleaned) <= len(sent)
    assert bool(cleaned) == bool(sent)


def test_a_name_is_one_line() -> None:
    assert clean_name(" Anna\n\tof\u2029\u202eBonn ") == "Anna of Bonn"


def test_every_text_in_a_document_is_cleaned() -> None:
    sent = {"a\x00": ["\ud83d", {"b\x1b": "c\u202e"}], "n": 1, "t": True, "z": None, "f": 1.5}

    assert clean_document(sent) == {"a\ufffd": ["\ufffd", {"b\ufffd": "c"}], "n": 1, "t": True, "z": None, "f": 1.5}


def test_whole_characters_need_no_other_change() -> None:
    document = json.loads('["\\ud83d\\ude00", "\\ud83d", "\\u0000\\u202e"]')

    assert with_whole_characters(document) == ["😀", "\ufffd", "\x00\u202e"]


@pytest.mark.parametrize("text", ["anna", "order-1", "anna@x.de", "ä b", "用户", "\U0001f381", "a/b", "auth0|5"])
def test_an_id_of_visible_characters_is_an_id(text: str) -> None:
    assert check_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("a\x00", "\ud83d", "a\n", "\x1b", "a\u200bb", "a\u00adb", "\ufeffa", "a\u202e", "a\u2028"),
        *(REPLACEMENT, " ", "\u3000"),
    ],
)
def test_an_id_with_what_nobody_sees_is_refused(text: str) -> None:
    with pytest.raises(BadText):
        check_id(text)


@given(ANY_TEXT)
def test_what_may_be_looked_for_can_be_sent_to_the_database(text: str) -> None:
    try:
        check_storable(text)
    except BadText:
        assert "\x00" in text or text.encode(errors="ignore").decode() != text
    else:
        assert "\x00" not in text.encode().decode()


def test_what_nobody_sees_in_a_pasted_text_is_ignored() -> None:
    assert without_invisible("\ufeffa\u200b@\u00adb.de\u200f\ufe0f") == "a@b.de"
