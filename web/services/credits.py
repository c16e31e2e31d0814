"""Credits for other services, behind their key."""

from datetime import UTC, datetime

from domain.errors import KeyReused, UserErased
from domain.operations import credits as credit_acts
from domain.store import balances
from domain.units import Credits, UserId
from web.http import auth
from web.http.answer import Answer
from web.http.api import Api
from web.http.idempotency_header import answer_once, client_key
from web.http.models import Amount, AppId, Description, Instant, Metadata, Model, UserIdText
from web.http.parts import append, reading, statement
from web.shared.credits import USE_REFUSALS, Balance, Transaction, Use, request_facts, spend
from web.shared.credits import Used as UsedAnswer

api = Api("services_credits", auth.service, prefix="/api/v1/internal")


class UseFor(Use):
    """Credits to spend for a user."""

    user_id: UserIdText


class Refund(Model):
    """Credits to give back to a user."""

    user_id: UserIdText
    amount: Amount
    description: Description
    app_id: AppId = "system"
    metadata: Metadata | None = None


class RefundedBalance(Model):
    """The balance after a refund."""

    balance: int


class Refunded(Model):
    """Credits were given back."""

    success: bool = True
    transaction: Transaction
    new_balance: RefundedBalance


class Init(Model):
    """A user to prepare."""

    user_id: UserIdText


class Prepared(Balance):
    """A user's balance row."""

    user_id: str
    created_at: Instant
    updated_at: Instant


@api.operation("GET", "/credits/balance/<user_id:user_id>", answers=Balance)
def get_balance_of_user(user_id: UserId) -> Balance:
    """Read a user's balance. It is zero for an unknown user."""
    with reading(user_id) as reader:
        return Balance.model_validate(balances.balance_of(reader, user_id))


@api.operation("POST", "/credits/use", answers=UsedAnswer, refusals=USE_REFUSALS, keyed=True)
def use_credits_of_user(body: UseFor) -> Answer:
    """Spend a user's credits."""
    return spend(UserId(body.user_id), body, route="internal/use")


@api.operation("POST", "/credits/refund", answers=Refunded, refusals=[KeyReused, UserErased], keyed=True)
def refund_credits(body: Refund) -> Answer:
    """Give credits back to a user."""
    key = client_key("internal/refund", **request_facts(body))
    refund = credit_acts.refund(
        user_id=UserId(body.user_id),
        amount=Credits(body.amount),
        app_id=body.app_id,
        description=body.description,
        metadata=body.metadata,
        key=key,
    )
    appended = append(refund)
    transaction = Transaction.model_validate(appended.transaction)
    refunded = Refunded(transaction=transaction, new_balance=RefundedBalance(balance=appended.balance.balance))
    return answer_once(refunded, replayed=appended.replayed)


@api.operation("POST", "/credits/init", answers=Prepared)
def init_balance(body: Init) -> Prepared:
    """Make sure that a user has a balance. Repeating it changes nothing."""
    user_id = UserId(body.user_id)
    with statement(user_id) as store:
        return Prepared.model_validate(credit_acts.init(store, user_id=user_id, now=datetime.now(UTC)))
