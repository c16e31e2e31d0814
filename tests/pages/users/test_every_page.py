"""Every page in both languages and themes, on desk and phone: what axe finds, and the pictures of docs/pages."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.acceptance.conftest import Service
from tests.conftest import ROOT
from tests.pages.conftest import PATIENCE_MS
from tests.pages.users.conftest import give, month_passes, sign_in

AXE: Final = ROOT / ".node" / "node_modules" / "axe-core" / "axe.min.js"
SIZES: Final[dict[str, ViewportSize]] = {
    "desk": {"width": 1_024, "height": 800},
    "phone": {"width": 390, "height": 800},
}
THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
RUN_AXE: Final = """async () => (await axe.run(document)).violations.map(found =>
    `${found.impact}: ${found.id}: ${found.nodes.map(node => node.target.join(" ")).join(", ")}`)"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A page in a state worth looking at.

    Attributes:
        prepare: Brings the user into the state; `None` shows the page to somebody who is not signed in.
        shows: Selects what is there when the page has loaded.
        opens: Selects what is then clicked.
    """

    path: str
    prepare: Callable[[Service, str], Any] | None
    shows: str
    opens: str | None = None


def local_only(service: Service, user: str) -> None:
    give(service, user, 20)


def active(service: Service, user: str) -> None:
    give(service, user, 1_000)
    assert service.call("POST", "/api/v1/sync/activate", {}, user=user).status == 200


def paused(service: Service, user: str) -> None:
    give(service, user, 40)
    assert service.call("POST", "/api/v1/sync/activate", {}, user=user).status == 200
    month_passes(service, user)


SCENES: Final = {
    "signed-out": Scene(path="/settings/sync", prepare=None, shows="#sign-in-first"),
    "sync-local": Scene(path="/settings/sync", prepare=local_only, shows="[data-status=local]"),
    "sync-active": Scene(path="/settings/sync", prepare=active, shows="[data-status=active]"),
    "sync-deactivate": Scene(
        path="/settings/sync", prepare=active, shows="[data-status=active]", opens="text=/^(Deactivate|Deaktivieren)$/"
    ),
    "sync-paused": Scene(path="/settings/sync", prepare=paused, shows="[data-status=paused]"),
}


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", SCENES)
def test_axe_finds_nothing_and_pictures_are_taken(
    browser: Browser, service: Service, pictures: Path, name: str, language: str
) -> None:
    scene, user = SCENES[name], f"user-{uuid4().hex[:8]}"
    context = browser.new_context(base_url=service.stack.base_url, locale=language, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(scene.path)
    if scene.prepare is not None:
        scene.prepare(service, user)
        sign_in(page, user)
    expect(page.locator(scene.shows)).to_be_visible()
    expect(page.locator(".skeleton")).to_have_count(0)
    if scene.opens:
        page.locator(scene.opens).click()

    for theme, size in product(THEMES, SIZES):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size(SIZES[size])
        take(page, pictures / f"{name}-{language}-{theme}-{size}.png")
        assert offences(page) == [], (theme, size)
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"], "scrolls sideways"
    context.close()


def test_axe_finds_nothing_on_the_issuers_sign_in(page: Page) -> None:
    page.goto("/settings/sync")
    page.get_by_role("banner").get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("User id")).to_be_visible()

    assert offences(page) == []


def take(page: Page, file: Path) -> None:
    """Take a picture, in the few colours that our pages have: a fifth of the bytes."""
    whole = Image.open(BytesIO(page.screenshot(full_page=True)))
    whole.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(file, optimize=True)


def offences(page: Page) -> list[str]:
    """List what axe-core finds against accessibility on a page, with everything inside its elements."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(RUN_AXE)
    return found
