"""What a program does with the generated Python client. Run by `make clients`."""

import os
import time
from uuid import uuid4

from mana_credits_client import AuthenticatedClient
from mana_credits_client.api.credits_ import get_balance, use_credits
from mana_credits_client.api.gifts import create_gift, redeem_gift
from mana_credits_client.api.internal import grant_credits
from mana_credits_client.api.jobs import get_job
from mana_credits_client.api.sync import get_sync_status
from mana_credits_client.models import (
    Accepted,
    Balance,
    Gift,
    Grant,
    Granted,
    InsufficientCreditsProblem,
    Interval,
    JobState,
    JobStatus,
    NewGiftBody,
    RedeemedGift,
    RedeemGift,
    SyncStatus,
    Use,
    Used,
)

URL = os.environ["MANA_CREDITS_URL"]


def user(name: str) -> AuthenticatedClient:
    """Speak as a user."""
    return AuthenticatedClient(base_url=URL, token=os.environ[name])


def service() -> AuthenticatedClient:
    """Speak as a service."""
    key = os.environ["MANA_SERVICE_KEY"]
    return AuthenticatedClient(base_url=URL, token=key, prefix="", auth_header_name="X-Service-Key")


def have(client: AuthenticatedClient, amount: int, user_id: str) -> None:
    """Give a user credits."""
    body = Grant(user_id=user_id, amount=amount, reason="welcome", reference_id=str(uuid4()))
    granted = grant_credits.sync(client=client, body=body)
    assert isinstance(granted, Granted)
    assert granted.ok


def balance(client: AuthenticatedClient) -> int:
    """Read a balance."""
    balance = get_balance.sync(client=client)
    assert isinstance(balance, Balance)
    return balance.balance


def redeem(client: AuthenticatedClient, code: str) -> None:
    """Redeem a gift, and wait for the worker if it takes a while."""
    answer = redeem_gift.sync(code, client=client, body=RedeemGift(source_app_id="chat"))
    if isinstance(answer, RedeemedGift):
        assert answer.credits_received == 25
        return
    assert isinstance(answer, Accepted)
    for _ in range(100):
        job = get_job.sync(answer.job_id, client=client)
        assert isinstance(job, JobStatus)
        if job.status is JobState.DONE:
            return
        time.sleep(0.1)
    raise TimeoutError("the gift was not redeemed")


def main() -> None:
    """Spend, give and ask."""
    anna, ben = user("ANNA"), user("BEN")
    have(service(), 100, "anna-python")
    before, before_ben = balance(anna), balance(ben)

    spend = Use(amount=30, app_id="chat", description="A question")
    key = str(uuid4())
    first = use_credits.sync(client=anna, body=spend, idempotency_key=key)
    again = use_credits.sync_detailed(client=anna, body=spend, idempotency_key=key)
    assert isinstance(first, Used)
    assert isinstance(again.parsed, Used)
    assert first.transaction.id == again.parsed.transaction.id
    assert again.headers["Idempotency-Replayed"] == "true"
    assert balance(anna) == before - 30

    gift = create_gift.sync(client=anna, body=NewGiftBody(total_credits=25, message="For you"))
    assert isinstance(gift, Gift)
    redeem(ben, gift.code)
    assert balance(ben) == before_ben + 25

    sync = get_sync_status.sync(client=anna)
    assert isinstance(sync, SyncStatus)
    assert (sync.active, sync.interval, sync.next_charge_at) == (False, Interval.MONTHLY, None)

    refused = use_credits.sync(client=anna, body=Use(amount=1_000_000, app_id="chat", description="Too much"))
    assert isinstance(refused, InsufficientCreditsProblem)
    assert refused.details.required - refused.details.available == 1_000_000 - balance(anna)
    print(f"Python: {refused.title}: {refused.details.required} asked for, {refused.details.available} there")


if __name__ == "__main__":
    main()
