"""Stripe's test cards and test bank accounts.

Source: https://docs.stripe.com/testing and https://docs.stripe.com/payments/sepa-debit/accept-a-payment#test-integration
"""

from dataclasses import dataclass
from enum import StrEnum

CARD = "card"
SEPA_DEBIT = "sepa_debit"
TYPES = (CARD, SEPA_DEBIT)


class Outcome(StrEnum):
    """The result of a payment attempt."""

    SUCCEEDS = "succeeds"
    DECLINED = "declined"
    AUTHENTICATION_REQUIRED = "authentication_required"
    PROCESSING_THEN_SUCCEEDS = "processing_then_succeeds"
    PROCESSING_THEN_FAILS = "processing_then_fails"


class Aftermath(StrEnum):
    """What happens after the payment, or at its refund, without a further request."""

    NOTHING = "nothing"
    DISPUTE = "dispute"
    INQUIRY = "inquiry"
    NOT_RECEIVED = "not_received"
    FRAUD_WARNING = "fraud_warning"
    REFUND_FAILS = "refund_fails"
    REFUND_PENDING = "refund_pending"


_DECLINED = "Your card was declined."


@dataclass(frozen=True)
class Instrument:
    """A test card or a test bank account.

    Attributes:
        number: The card's number or the account's IBAN, without spaces.
        names: Ids of the PaymentMethods by which server code pays with it.
        code: Error code of a refusal; `decline_code` and `message` go with it.
    """

    number: str
    names: tuple[str, ...]
    outcome: Outcome = Outcome.SUCCEEDS
    aftermath: Aftermath = Aftermath.NOTHING
    type: str = CARD
    brand: str = "visa"
    code: str | None = None
    decline_code: str | None = None
    message: str = _DECLINED

    @property
    def last4(self) -> str:
        """Return the last four digits of the number."""
        return self.number[-4:]


def _declined(
    number: str,
    *names: str,
    code: str = "card_declined",
    decline: str | None = None,
    message: str = _DECLINED,
) -> Instrument:
    return Instrument(number, names, outcome=Outcome.DECLINED, code=code, decline_code=decline, message=message)


def _account(iban: str, outcome: Outcome, *names: str, aftermath: Aftermath = Aftermath.NOTHING) -> Instrument:
    code, message = "payment_intent_payment_attempt_failed", "The payment failed: the bank returned the debit."
    return Instrument(iban, names, outcome, aftermath, type=SEPA_DEBIT, code=code, message=message)


def _three_d_secure(number: str, *names: str) -> Instrument:
    code, message = "authentication_required", "Your card was declined. This transaction requires authentication."
    outcome = Outcome.AUTHENTICATION_REQUIRED
    return Instrument(number, names, outcome, code=code, decline_code=code, message=message)


INSTRUMENTS = (
    Instrument("4242424242424242", ("pm_card_visa", "pm_card_us", "pm_card_threeDSecureOptional")),
    Instrument("4000056655665556", ("pm_card_visa_debit",)),
    Instrument("5555555555554444", ("pm_card_mastercard",), brand="mastercard"),
    Instrument("378282246310005", ("pm_card_amex",), brand="amex"),
    Instrument("4000002760000016", ("pm_card_de",)),
    _declined("4000000000000002", "pm_card_visa_chargeDeclined", "pm_card_chargeDeclined", decline="generic_decline"),
    _declined(
        "4000000000009995",
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "pm_card_chargeDeclinedInsufficientFunds",
        decline="insufficient_funds",
        message="Your card has insufficient funds.",
    ),
    _declined(
        "4000000000009987", "pm_card_visa_chargeDeclinedLostCard", "pm_card_chargeDeclinedLostCard", decline="lost_card"
    ),
    _declined(
        "4000000000009979",
        "pm_card_visa_chargeDeclinedStolenCard",
        "pm_card_chargeDeclinedStolenCard",
        decline="stolen_card",
    ),
    _declined("4100000000000019", "pm_card_radarBlock", decline="fraudulent"),
    _declined("4000000000000341", "pm_card_chargeCustomerFail", decline="generic_decline"),
    _declined(
        "4000000000000069",
        "pm_card_chargeDeclinedExpiredCard",
        code="expired_card",
        decline=None,
        message="Your card has expired.",
    ),
    _declined(
        "4000000000000127",
        "pm_card_chargeDeclinedIncorrectCvc",
        code="incorrect_cvc",
        decline=None,
        message="Your card's security code is incorrect.",
    ),
    _declined(
        "4000000000000119",
        "pm_card_chargeDeclinedProcessingError",
        code="processing_error",
        decline=None,
        message="Your card could not be processed. Try again in a little bit.",
    ),
    _three_d_secure("4000002500003155", "pm_card_authenticationRequiredOnSetup"),
    _three_d_secure(
        "4000002760003184",
        "pm_card_authenticationRequired",
        "pm_card_threeDSecure2Required",
        "pm_card_threeDSecureRequired",
    ),
    Instrument("4000000000000259", ("pm_card_createDispute",), aftermath=Aftermath.DISPUTE),
    Instrument("4000000000002685", ("pm_card_createDisputeProductNotReceived",), aftermath=Aftermath.NOT_RECEIVED),
    Instrument("4000000000001976", ("pm_card_createDisputeInquiry",), aftermath=Aftermath.INQUIRY),
    Instrument("4000000000005423", ("pm_card_createIssuerFraudRecord",), aftermath=Aftermath.FRAUD_WARNING),
    Instrument("4000000000005126", ("pm_card_refundFail",), aftermath=Aftermath.REFUND_FAILS),
    Instrument("4000000000007726", ("pm_card_pendingRefund",), aftermath=Aftermath.REFUND_PENDING),
    _account("DE89370400440532013000", Outcome.PROCESSING_THEN_SUCCEEDS, "pm_success_de", "pm_sepaDebit"),
    _account("DE08370400440532013003", Outcome.PROCESSING_THEN_SUCCEEDS, "pm_successDelayed_de"),
    _account("DE62370400440532013001", Outcome.PROCESSING_THEN_FAILS, "pm_failed_de"),
    _account("DE78370400440532013004", Outcome.PROCESSING_THEN_FAILS, "pm_failedDelayed_de"),
    _account("DE35370400440532013002", Outcome.PROCESSING_THEN_SUCCEEDS, "pm_disputed_de", aftermath=Aftermath.DISPUTE),
)
_BY_NUMBER = {instrument.number: instrument for instrument in INSTRUMENTS}
BY_NAME = {name: instrument for instrument in INSTRUMENTS for name in instrument.names}


def by_number(number: str) -> Instrument | None:
    """Return the test card or test account of a number, which may contain spaces; `None` for other numbers."""
    return _BY_NUMBER.get("".join(number.split()).upper())
