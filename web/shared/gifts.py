"""Gifts, whoever asks: an e-mail address that two ways of writing it can be compared by."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from domain.rules.addresses import ADDRESS_MAX, comparable


def _address(told: str) -> str:
    comparable(told)
    return told.strip()


EmailText = Annotated[str, StringConstraints(min_length=3, max_length=ADDRESS_MAX), AfterValidator(_address)]
