"""What visitors do with the users' pages in a real browser."""

import re
from collections.abc import Callable
from typing import Final

from playwright.sync_api import Page, Route, expect

PATIENCE_MS: Final = 30_000
"""How long a test waits for what a page must show. It says nothing about speed: a busy machine may need that long."""
LOOK_AGAIN_MS: Final = 20
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


def hold_requests(page: Page, url_pattern: str) -> Callable[[], None]:
    """Hold the requests of a page that match a pattern.

    Returns:
        A function that lets the first one go on. It waits for that request, because a page may be shown before its
        script asks for anything.
    """
    routes: list[Route] = []

    def hold(route: Route) -> None:
        routes.append(route)

    def release() -> None:
        for _ in range(PATIENCE_MS // LOOK_AGAIN_MS):
            if routes:
                break
            page.wait_for_timeout(LOOK_AGAIN_MS)
        assert routes, f"the page sent no request to {url_pattern}"
        routes[0].continue_()

    page.route(url_pattern, hold)
    return release
