"""Refusals: every way the domain says no, each a class with a stable code.

A refusal is an answer, not a failure: views map its `code` to an HTTP status, jobs end `rejected` with it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class Refusal(Exception):
    """An act that the rules do not allow.

    Attributes:
        code: Stable, snake_case; clients and operators match on it.
        title: What this kind of refusal is called, the same for every occurrence.
        detail: What happened this time, in one sentence without secrets.
        details: The facts behind it, JSON values by camelCase name.
    """

    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str, **details: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.details: Mapping[str, Any] = details


class InsufficientCredits(Refusal):
    """The balance does not cover the amount."""

    code = "insufficient_credits"
    title = "Insufficient credits"

    def __init__(self, *, required: int, available: int) -> None:
        super().__init__("Insufficient credits", required=required, available=available)


class KeyReused(Refusal):
    """An idempotency key came again with another request."""

    code = "idempotency_key_reused"
    title = "Idempotency key reused"

    def __init__(self) -> None:
        super().__init__("This idempotency key was used for a different request")


class UserErased(Refusal):
    """The user was erased: nobody acts for them any more, also with a token that is still valid."""

    code = "user_erased"
    title = "User erased"

    def __init__(self) -> None:
        super().__init__("This user was erased; nothing can be done for them any more")


class NotFound(Refusal):
    """The object does not exist, or is not the caller's to see."""

    code = "not_found"
    title = "Not found"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} not found")


class NotRefundable(Refusal):
    """The purchase is not paid, or less of it is left than shall be refunded."""

    code = "not_refundable"
    title = "Not refundable"

    def __init__(self, *, purchase_id: str, status: str, left: int) -> None:
        detail = f"Purchase {purchase_id} is {status}; {left} cents of it can be refunded"
        super().__init__(detail, purchaseId=purchase_id, status=status, leftEuroCents=left)


class JobStateRefused(Refusal):
    """The job is in a state that does not allow the act."""

    code = "job_state"
    title = "Job state"


class SyncAlreadyActive(Refusal):
    """Sync is paid for already."""

    code = "sync_already_active"
    title = "Sync is already active"

    def __init__(self) -> None:
        super().__init__("Sync is already active")


class SyncNotActive(Refusal):
    """There is no active sync that could be changed or stopped."""

    code = "sync_not_active"
    title = "Sync is not active"

    def __init__(self) -> None:
        super().__init__("Sync is not active")


class SyncGifted(Refusal):
    """Sync was given by an administrator; the user cannot switch or change it."""

    code = "sync_gifted"
    title = "Sync is gifted"

    def __init__(self) -> None:
        super().__init__("Sync is gifted and cannot be changed")


class GiftDepleted(Refusal):
    """Somebody has redeemed the gift."""

    code = "gift_depleted"
    title = "Gift already redeemed"

    def __init__(self) -> None:
        super().__init__("This gift has already been redeemed")


class GiftExpired(Refusal):
    """The gift's time is over."""

    code = "gift_expired"
    title = "Gift expired"

    def __init__(self) -> None:
        super().__init__("This gift has expired")


class GiftCancelled(Refusal):
    """The gift was taken back."""

    code = "gift_cancelled"
    title = "Gift cancelled"

    def __init__(self) -> None:
        super().__init__("This gift has been cancelled")


class GiftNotForYou(Refusal):
    """The gift is meant for another e-mail address."""

    code = "gift_not_for_you"
    title = "Gift for someone else"

    def __init__(self) -> None:
        super().__init__("This gift is meant for another e-mail address")


class OwnGift(Refusal):
    """The creator tried to redeem the gift."""

    code = "gift_own"
    title = "Own gift"

    def __init__(self) -> None:
        super().__init__("You cannot redeem your own gift; you can cancel it")


class HoldEnded(Refusal):
    """The hold is committed or released already."""

    code = "reservation_ended"
    title = "Reservation ended"


class HoldExpired(Refusal):
    """The hold's time is over."""

    code = "reservation_expired"
    title = "Reservation expired"

    def __init__(self) -> None:
        super().__init__("This reservation has expired")


class HoldExceeded(Refusal):
    """More is to be paid than was held."""

    code = "reservation_exceeded"
    title = "More than reserved"

    def __init__(self, *, amount: int, reserved: int) -> None:
        super().__init__("The amount is more than was reserved", amount=amount, reserved=reserved)


class UnknownOperation(Refusal):
    """The operation is not in the price list."""

    code = "unknown_operation"
    title = "Unknown operation"

    def __init__(self) -> None:
        super().__init__("This operation is not in the price list")


class OperationNotUsable(Refusal):
    """The operation is charged by a subscription only."""

    code = "operation_not_usable"
    title = "Not charged by use"

    def __init__(self) -> None:
        super().__init__("This operation is charged by its subscription, not by use")


class PriceDisagrees(Refusal):
    """An amount came beside an operation and is not its price."""

    code = "price_disagrees"
    title = "Wrong price"

    def __init__(self, *, amount: int, price: int) -> None:
        super().__init__("The amount is not the price of this operation", amount=amount, price=price)


class TooManyPurchases(Refusal):
    """The user has started too many purchases that are not paid.

    Attributes:
        retry_after_s: Seconds after which the user may start one again.
    """

    code = "too_many_purchases"
    title = "Too many unpaid purchases"

    def __init__(self, *, unpaid_max: int, period_s: int, retry_after_s: int) -> None:
        detail = f"You started {unpaid_max} purchases without paying; pay one of them, or try again later"
        super().__init__(detail, unpaidMax=unpaid_max, periodSeconds=period_s)
        self.retry_after_s = retry_after_s


class Parked(Exception):
    """Facts that contradict each other: nothing is changed, the job ends `failed` for a person to look at."""


class Unfinished(Exception):
    """What a job waits for has not happened yet. Nothing went wrong: it looks again after a pause, without an attempt.

    Attributes:
        pause_s: Seconds until it looks again.
    """

    def __init__(self, *, pause_s: float) -> None:
        super().__init__("not finished yet")
        self.pause_s = pause_s


class Busy(Exception):
    """A row stayed locked longer than we wait; the same request may succeed in a moment."""


class Unavailable(Exception):
    """PostgreSQL cannot be reached or is shutting down; whether the last commit happened is unknown."""


class ReadOnly(Unavailable):
    """PostgreSQL takes no writes: it is a standby, or was made read-only, as some hosts do when a disk is full."""

    def __init__(self) -> None:
        super().__init__("the database is read-only")
