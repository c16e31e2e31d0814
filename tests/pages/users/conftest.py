"""The users' pages in a real browser, with everything behind them as it runs: web, worker, local Stripe, issuer."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.acceptance.conftest import Service, running, service, user
from tests.pages.conftest import PATIENCE_MS

__all__ = ["running", "service", "user"]  # fixtures

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
    page.get_by_role("banner").get_by_role("button", name="Sign in").click()
    page.get_by_label("User id").fill(user)
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(here)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
