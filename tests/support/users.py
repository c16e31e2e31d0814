"""The users of the tests."""

from typing import Final

from domain.units import UserId

ANNA: Final = UserId("anna")
BEN: Final = UserId("ben")
CARL: Final = UserId("carl")
