"""Gift codes, as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.rules.gift_codes import ALPHABET, parse_code, shown, with_check

codes = st.text(alphabet=ALPHABET, min_size=15, max_size=15).map(with_check)


@given(codes)
def test_a_code_is_read_back_as_it_is_shown(code: str) -> None:
    assert parse_code(shown(code)) == code
    assert len(shown(code)) == 19


@given(codes, st.lists(st.tuples(st.integers(0, 16), st.sampled_from([" ", "-", "\u2013", "\t"])), max_size=8))
def test_case_spaces_and_dashes_do_not_matter(code: str, extras: list[tuple[int, str]]) -> None:
    typed = list(code.lower())
    for place, extra in extras:
        typed.insert(place, extra)

    assert parse_code("".join(typed)) == code


@pytest.mark.parametrize(
    "invisible",
    ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200e", "\u202e", "\u2068", "\ufe0f", "\u00a0", "\u3000"],
)
@given(codes)
def test_what_nobody_sees_in_a_pasted_code_does_not_matter(invisible: str, code: str) -> None:
    assert parse_code(invisible + invisible.join(shown(code)) + invisible) == code


@given(codes)
def test_full_width_characters_are_read_as_the_plain_ones(code: str) -> None:
    wide = "".join(chr(ord(character) + 0xFEE0) for character in shown(code))

    assert parse_code(wide) == parse_code(wide.lower()) == code


@given(codes)
def test_look_alikes_are_read_as_what_they_look_like(code: str) -> None:
    assert parse_code(code.replace("0", "o").replace("1", "l")) == code
    assert parse_code(code.replace("0", "O").replace("1", "I")) == code


@given(codes, st.integers(0, 15), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(code: str, place: int, wrong: str) -> None:
    typed = code[:place] + wrong + code[place + 1 :]

    assert (parse_code(typed) is not None) == (typed == code)


@given(codes, st.integers(0, 15), st.integers(0, 15))
def test_two_exchanged_characters_are_noticed(code: str, first: int, second: int) -> None:
    typed = list(code)
    typed[first], typed[second] = typed[second], typed[first]

    assert (parse_code("".join(typed)) is not None) == ("".join(typed) == code)


@given(st.text(max_size=200))
def test_any_text_is_a_code_or_nothing(text: str) -> None:
    code = parse_code(text)

    assert code is None or len(code) in {6, 16}


@pytest.mark.parametrize(("typed", "code"), [("abc234", "ABC234"), ("o1l-u9z", "011U9Z"), ("AB C2 34", "ABC234")])
def test_codes_of_six_characters_of_the_earlier_service_are_read(typed: str, code: str) -> None:
    assert parse_code(typed) == code
    assert shown(code) == code


@pytest.mark.parametrize(
    "typed", ["", "ABC23", "ABC2345", "0" * 15 + "U", "0" * 17, "\x00" * 16, "ß" * 16, "0" * 5_000]
)
def test_what_cannot_be_a_code_is_none(typed: str) -> None:
    assert parse_code(typed) is None
