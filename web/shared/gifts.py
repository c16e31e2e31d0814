"""The e-mail address of a gift, for users and services."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from domain.rules.addresses import ADDRESS_MAX, comparable


def _check_address(text: str) -> str:
    comparable(text)
    return text.strip()


EmailText = Annotated[str, StringConstraints(min_length=3, max_length=ADDRESS_MAX), AfterValidator(_check_address)]
