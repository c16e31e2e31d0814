"""Units: the kinds of numbers and ids that this service works with."""

from typing import NewType

UserId = NewType("UserId", str)
"""An opaque user id of the Mana ecosystem, 1 to `USER_ID_MAX` characters; `domain.rules.user_ids` reads it."""

Credits = NewType("Credits", int)
"""Prepaid credits. One credit is one euro cent."""

EuroCents = NewType("EuroCents", int)
"""An amount of money as Stripe counts it: the smallest unit of EUR."""

USER_ID_MAX = 128
AMOUNT_MAX = Credits(1_000_000)
"""The most credits one movement may carry."""
