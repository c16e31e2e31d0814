"""The e-mail address of a gift, for users and services."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from domain.rules.addresses import ADDRESS_MAX, comparable
from domain.rules.texts import without_invisible


def _check_address(text: str) -> str:
    address = without_invisible(text).strip()
    comparable(address)
    return address


EmailText = Annotated[str, StringConstraints(min_length=3, max_length=ADDRESS_MAX), AfterValidator(_check_address)]
