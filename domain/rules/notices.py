"""Notices to users about their sync, in German and in English."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from domain.units import Credits


class NoticeKind(StrEnum):
    """What a notice is about."""

    PAUSED = "sync_paused"
    LOW_BALANCE = "sync_low_balance"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A message to a user.

    Attributes:
        charge_at: When the charge was, or will be, due.
    """

    kind: NoticeKind
    required: Credits
    available: Credits
    charge_at: datetime

    @property
    def facts(self) -> Mapping[str, Any]:
        """The notice as JSON."""
        return {
            "notice": self.kind.value,
            "required": self.required,
            "available": self.available,
            "chargeAt": self.charge_at.astimezone(UTC).isoformat(),
        }


_SUBJECTS: Final = {
    NoticeKind.PAUSED: {"de": "Cloud Sync ist pausiert", "en": "Cloud Sync is paused"},
    NoticeKind.LOW_BALANCE: {
        "de": "Dein Guthaben reicht nicht für Cloud Sync",
        "en": "Your credits do not cover Cloud Sync",
    },
}
_BODIES: Final = {
    NoticeKind.PAUSED: {
        "de": (
            "Für Cloud Sync waren am {date_de} {required} Credits fällig, dein Guthaben beträgt {available} Credits. "
            "Cloud Sync ist deshalb pausiert; deine Daten bleiben erhalten. "
            "Lade Credits auf, um Cloud Sync wieder einzuschalten."
        ),
        "en": (
            "{required} credits were due for Cloud Sync on {date_en}, and you have {available} credits. "
            "Cloud Sync is therefore paused; your data is kept. "
            "Top up your credits to turn Cloud Sync on again."
        ),
    },
    NoticeKind.LOW_BALANCE: {
        "de": (
            "Am {date_de} werden {required} Credits für Cloud Sync fällig, dein Guthaben beträgt {available} Credits. "
            "Lade vorher Credits auf, damit Cloud Sync weiterläuft."
        ),
        "en": (
            "{required} credits will be due for Cloud Sync on {date_en}, and you have {available} credits. "
            "Top up before then to keep Cloud Sync running."
        ),
    },
}


def text_of(notice: Notice, language: str) -> tuple[str, str]:
    """Write a notice's subject and body.

    Args:
        language: `de` or `en`.
    """
    charge_at = notice.charge_at.astimezone(UTC)
    body = _BODIES[notice.kind][language].format(
        required=notice.required,
        available=notice.available,
        date_de=f"{charge_at:%d.%m.%Y}",
        date_en=f"{charge_at.day} {charge_at:%B %Y}",
    )
    return _SUBJECTS[notice.kind][language], body


def message(notice: Notice) -> Mapping[str, Any]:
    """Write a notice as the notification service takes it.

    The user's language is not known here: subject and body are in German, then in English, and `data` has each
    language by itself for a service that knows it.
    """
    german, english = text_of(notice, "de"), text_of(notice, "en")
    return {
        "subject": f"{german[0]} / {english[0]}",
        "body": f"{german[1]}\n\n{english[1]}",
        "data": {
            **notice.facts,
            "texts": {
                "de": {"subject": german[0], "body": german[1]},
                "en": {"subject": english[0], "body": english[1]},
            },
        },
    }
