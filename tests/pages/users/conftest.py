"""The users' pages in a real browser, with everything behind them as it runs: web, worker, local Stripe, issuer."""

import re
from collections.abc import Iterator
from typing import Final
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.acceptance.conftest import Service, running, service, user
from tests.pages.conftest import PATIENCE_MS

__all__ = ["running", "service", "user"]  # fixtures

IN: Final = re.compile("Sign in|Anmelden")
OUT: Final = re.compile("Sign out|Abmelden")
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def context(browser: Browser, service: Service) -> Iterator[BrowserContext]:
    """A visitor who reads English and is not signed in."""
    opened = browser.new_context(
        base_url=service.stack.base_url, locale="en-GB", viewport={"width": 1_100, "height": 800}
    )
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page of the visitor's. An error of a script, or an offence against the content security policy, fails the test.

    What a browser says about an answer of 400 and more is no error: refusals are answers.
    """
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
    yield opened
    assert [told for told in complaints if not told.startswith("Failed to load resource")] == []


def sign_in(page: Page, user: str, *, email: str = "", name: str = "") -> None:
    """Sign in from the page that is open, and be back on it."""
    here = page.url
    page.get_by_role("banner").get_by_role("button", name=IN).click()
    page.get_by_label("User id").fill(user)
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name=IN).click()
    page.wait_for_url(here)
    expect(page.get_by_role("button", name=OUT)).to_be_visible()


def give(service: Service, user: str, amount: int) -> None:
    """Give a user credits."""
    told = {"userId": user, "amount": amount, "reason": "test", "referenceId": uuid4().hex}
    assert service.call("POST", "/api/v1/internal/credits/grant", told).status == 200


def month_passes(service: Service, user: str) -> None:
    """Move a user's subscription a month into the past, and let the charges run."""
    service.sql(
        "UPDATE credits.sync_subscriptions SET anchor_at = anchor_at - interval '32 days',"
        " next_charge_at = next_charge_at - interval '32 days' WHERE user_id = %s",
        user,
    )
    assert service.call("POST", "/api/v1/internal/sync/charge-recurring").status == 200


def top_up(service: Service, user: str) -> None:
    """Buy the smallest package, 100 credits, and wait until they are there."""
    before = service.balance(user)
    service.pay(service.bought(user)["clientSecret"])
    service.heard(lambda: service.balance(user), before + 100)
