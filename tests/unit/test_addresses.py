"""E-mail addresses that are compared."""

import pytest

from domain.rules.addresses import BadAddress, comparable, same_mailbox


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("Friend@X.de", "friend@x.de"),
        (" friend+tag@x.de ", "friend+tag@x.de"),
        ("anna@MÜNCHEN.example", "anna@xn--mnchen-3ya.example"),
        ("anna@xn--mnchen-3ya.example", "anna@xn--mnchen-3ya.example"),
        *(
            (typed, "a@b.de")
            for typed in ("a@b.de.", "a@b.de\u3002", "a@b\uff0ede", " a@b.de.\n", "a@\uff42.de", "a@b.\u200bde")
        ),
    ],
)
def test_addresses_of_one_mailbox_are_written_alike(typed: str, written: str) -> None:
    assert comparable(typed) == written


@pytest.mark.parametrize(
    "typed",
    [
        *["", "@", "anna", "anna@", "@x.de", "ännä@x.de", "a b@x.de", "a@b@x.de", "anna@x", "a..b@x.de", ".a@x.de"],
        *[
            "a@b.de..",
            "a@de.",
            "a@.",
            "a@.de",
            "a@1.2.3.4",
            "a@[1.2.3.4]",
            "a@b.de\u202e",
            "a\u200b@b.de",
            "\uff41@b.de",
        ],
        *["anna@-x.de", "anna@x..de", "a@" + "x" * 70 + ".de", "a" * 65 + "@x.de", "anna@x_y.de", "a@x.de\x00"],
    ],
)
def test_what_is_no_address_or_could_pass_for_another_is_refused(typed: str) -> None:
    with pytest.raises(BadAddress):
        comparable(typed)


def test_a_missing_address_is_nobodys_mailbox() -> None:
    assert not same_mailbox("anna@x.de", None)
    assert not same_mailbox(None, None)
    assert not same_mailbox("anna@x.de", "nonsense")
    assert same_mailbox("Friend@X.de", "friend@x.de")
