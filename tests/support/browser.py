"""What visitors do with the users' pages in a real browser."""

import re
from typing import Final

from playwright.sync_api import Page, expect

PATIENCE_MS: Final = 30_000
"""How long a test waits for what a page must show. It says nothing about speed: a busy machine may need that long."""
SIGN_IN: Final = re.compile("Sign in|Anmelden")
SIGN_OUT: Final = re.compile("Sign out|Abmelden")


def sign_in(page: Page, user: str, *, email: str = "", name: str = "") -> None:
    """Sign in from the page that is open, and be back on it."""
    here = page.url
    page.get_by_role("banner").get_by_role("button", name=SIGN_IN).click()
    page.get_by_label("User id").fill(user)
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name=SIGN_IN).click()
    page.wait_for_url(here)
    expect(page.get_by_role("button", name=SIGN_OUT)).to_be_visible()


def sign_in_to_console(page: Page, token: str) -> None:
    """Sign in to the operators' console."""
    page.goto("/ops")
    page.get_by_label("An administrator's token").fill(token)
    page.get_by_role("button", name="Sign in").click()
