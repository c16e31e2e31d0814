"""The users' pages in a real browser, with everything behind them as it runs: web, worker, local Stripe, issuer."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.browser import PATIENCE_MS
from tests.support.service import Service

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
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield opened
    assert [complaint for complaint in complaints if not complaint.startswith("Failed to load resource")] == []
