"""The books of a period: credits that came and went, and the revenue that is not earned yet."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.units import EuroCents


@dataclass(frozen=True, kw_only=True)
class Standing:
    """All credits and all money at one instant.

    Attributes:
        balances: Credits on all balances.
        gifts: Credits in gifts that nobody has redeemed.
        holds: Credits in open holds.
        paid: Euro cents paid for purchases until then.
        refunded: Euro cents of them that went back to the buyers, by refund or dispute.
        issued: Credits that purchases and grants have issued until then, less clawbacks.
    """

    balances: int
    gifts: int
    holds: int
    paid: EuroCents
    refunded: EuroCents
    issued: int

    @property
    def outstanding(self) -> int:
        """Credits that can still be spent, wherever they are."""
        return self.balances + self.gifts + self.holds

    @property
    def deferred(self) -> EuroCents:
        """Euro cents received for credits that are not spent yet.

        All credits are one pool: each has the average price of all that were issued, granted ones at zero.
        Rounded half up.
        """
        if self.issued <= 0 or self.outstanding <= 0:
            return EuroCents(0)
        unspent = min(self.outstanding, self.issued)
        return EuroCents((2 * unspent * (self.paid - self.refunded) + self.issued) // (2 * self.issued))


@dataclass(frozen=True, kw_only=True)
class Period:
    """The books of a period: credits by type of transaction, and the standings at both ends."""

    opening: Standing
    closing: Standing
    came: Mapping[str, int]
    went: Mapping[str, int]

    @property
    def sold(self) -> EuroCents:
        """Euro cents paid in the period."""
        return EuroCents(self.closing.paid - self.opening.paid)

    @property
    def refunded(self) -> EuroCents:
        """Euro cents that went back to buyers in the period, less what came again from disputes won."""
        return EuroCents(self.closing.refunded - self.opening.refunded)

    @property
    def earned(self) -> EuroCents:
        """Euro cents of revenue earned: deferred before and paid, less refunded and deferred now."""
        return EuroCents(self.opening.deferred + self.sold - self.refunded - self.closing.deferred)

    @property
    def adds_up(self) -> bool:
        """Whether opening and what came, less what went, is the closing."""
        moved = sum(self.came.values()) - sum(self.went.values())
        return self.opening.balances + moved == self.closing.balances
