"""States of the shop and of the gift pages that are worth looking at."""

from itertools import cycle
from typing import Any, Final
from uuid import uuid4

from playwright.sync_api import Page, expect

from tests.support.service import Service

SPENT: Final = (
    ("images", 10, "Sunset over Lake Constance"),
    ("chat", 5, "GPT-4"),
    ("images", 5, "Upscaling"),
    ("research", 25, "Deep research: heat pumps"),
    ("cards", 2, "Vocabulary, lesson 4"),
    ("chat", 2, "Gemini"),
)
MESSAGE: Final = "Alles Gute zum Geburtstag!"


def spender(service: Service, user: str) -> None:
    """Somebody with a history longer than a page."""
    service.grant(user, 1_000)
    for (app, amount, description), _ in zip(cycle(SPENT), range(24), strict=False):
        body = {"amount": amount, "appId": app, "description": description}
        assert service.call("POST", "/api/v1/credits/use", body, user=user).status == 200
    gift_by(service, user, 100)


def giver(service: Service, user: str) -> None:
    """Somebody with gifts in every state, made and received."""
    service.grant(user, 500)
    gift_by(service, user, 25, targetEmail="grandma@example.com", message="Für deine Fotos")
    taken_back, redeemed = gift_by(service, user, 50), gift_by(service, user, 100, message="Danke!")
    assert service.call("DELETE", f"/api/v1/gifts/{taken_back['id']}", user=user).status == 200
    redeem(service, redeemed["code"], f"{user}-friend")
    service.grant(f"{user}-friend", 30)
    redeem(service, gift_by(service, f"{user}-friend", 30, message=MESSAGE)["code"], user)


def gift_by(service: Service, creator: str, amount: int, **fields: Any) -> Any:
    """Make a gift of somebody who is called Anna."""
    token = service.stack.token(creator, name="Anna Vogel")
    body = {"totalCredits": amount, **fields}
    answer = service.call("POST", "/api/v1/gifts", body, Authorization=f"Bearer {token}")
    assert answer.status == 201
    return answer.body


def redeem(service: Service, code: str, user: str) -> None:
    """Redeem a gift."""
    service.result(service.call("POST", f"/api/v1/gifts/{code}/redeem", user=user, Prefer="wait=10"), user)


def wait_for_payment(page: Page, service: Service, user: str) -> None:
    """Come back from a Checkout whose payment is not confirmed yet."""
    page.goto(f"/credits/return?purchase={service.bought(user)['purchaseId']}")
    expect(page.locator("#purchase[data-status=waiting]")).to_be_visible()


def pay(page: Page, service: Service, user: str) -> None:
    """Come back from a Checkout that went well."""
    started = service.bought(user)
    service.pay(started["clientSecret"])
    page.goto(f"/credits/return?purchase={started['purchaseId']}")
    expect(page.locator("#purchase[data-status=done]")).to_be_visible()


def make_gift(page: Page, _service: Service, _user: str) -> None:
    """Make a gift by the form."""
    page.locator("#gift-amount").fill("75")
    page.locator("#gift-message").fill(MESSAGE)
    page.locator("#create button").click()
    expect(page.locator("#created-gift img")).to_be_visible()


def open_qr_code(page: Page, _service: Service, _user: str) -> None:
    """Show the QR code of a gift."""
    page.locator("#created").get_by_role("button", name="QR").first.click()
    expect(page.get_by_role("dialog").get_by_role("img")).to_be_visible()


def open_gift(page: Page, service: Service, _user: str) -> None:
    """Follow a gift's link."""
    creator = f"user-{uuid4().hex[:8]}"
    service.grant(creator, 75)
    page.goto(gift_by(service, creator, 75, message=MESSAGE)["url"])
    expect(page.locator("#gift[data-status=open]")).to_be_visible()


def redeem_gift(page: Page, service: Service, user: str) -> None:
    """Follow a gift's link and redeem it."""
    open_gift(page, service, user)
    page.locator("#gift-actions button").click()
    expect(page.locator("#gift[data-status=done]")).to_be_visible()
