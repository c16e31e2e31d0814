"""Every page in both languages and themes, on desk and phone: what axe finds, and the pictures of docs/pages."""

import re
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

from tests.support import page_scenes
from tests.support.browser import PATIENCE_MS, sign_in
from tests.support.paths import ROOT
from tests.support.service import Service

AXE: Final = ROOT / ".node" / "node_modules" / "axe-core" / "axe.min.js"
SIZES: Final[dict[str, ViewportSize]] = {
    "desk": {"width": 1_024, "height": 800},
    "phone": {"width": 390, "height": 800},
}
THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
RUN_AXE: Final = """async () => (await axe.run(document)).violations.map(violation =>
    `${violation.impact}: ${violation.id}: ${violation.nodes.map(node => node.target.join(" ")).join(", ")}`)"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A page in a state worth looking at.

    Attributes:
        prepare: Brings the user into the state; `None` shows the page to somebody who is not signed in.
        shows: Selects what is there when the page has loaded.
        acts: What the user then does. A dialog is shown alone, other pages in their whole length.
    """

    path: str
    prepare: Callable[[Service, str], Any] | None
    shows: str
    acts: Callable[[Page, Service, str], Any] | None = None


def credits_of(amount: int) -> Callable[[Service, str], None]:
    return lambda service, user: service.grant(user, amount)


def nothing(_service: Service, _user: str) -> None:
    """Leave the user as new as they are."""


def active(amount: int) -> Callable[[Service, str], None]:
    def prepare(service: Service, user: str) -> None:
        service.grant(user, amount)
        assert service.call("POST", "/api/v1/sync/activate", {}, user=user).status == 200

    return prepare


def write_notes(page: Page, _service: Service, _user: str) -> None:
    for text in ("42", "Mana: 3,1415", "2026-11-21"):
        page.locator("#note").fill(text)
        page.locator("#notes-form button").click()
        expect(page.locator("#notes li").filter(has_text=text)).to_be_visible()
    expect(page.locator("#notes .good")).to_have_count(3)


def run_out(page: Page, service: Service, user: str) -> None:
    write_notes(page, service, user)
    service.let_month_pass(user)
    page.locator("#notes-sync").click()
    expect(page.locator("[data-status=paused]")).to_be_visible()
    page.locator("#note").fill("7 + 7")
    page.locator("#notes-form button").click()
    expect(page.locator("#notes li")).to_have_count(4)


def open_dialog(page: Page, _service: Service, _user: str) -> None:
    page.get_by_role("button", name=re.compile("^(Deactivate|Deaktivieren)$")).click()


SYNC: Final = "/settings/sync"
SCENES: Final = {
    "signed-out": Scene(path=SYNC, prepare=None, shows="#sign-in-first"),
    "sync-local": Scene(path=SYNC, prepare=credits_of(20), shows="[data-status=local]"),
    "sync-active": Scene(path=SYNC, prepare=active(500), shows="[data-status=active]", acts=write_notes),
    "sync-deactivate": Scene(path=SYNC, prepare=active(500), shows="[data-status=active]", acts=open_dialog),
    "sync-paused": Scene(path=SYNC, prepare=active(40), shows="[data-status=active]", acts=run_out),
    "credits": Scene(path="/credits", prepare=page_scenes.spender, shows="#older"),
    "credits-waiting": Scene(path="/credits", prepare=nothing, shows="#balance", acts=page_scenes.wait_for_payment),
    "credits-bought": Scene(path="/credits", prepare=nothing, shows="#balance", acts=page_scenes.pay),
    "gifts": Scene(path="/gifts", prepare=page_scenes.giver, shows="#created .tag", acts=page_scenes.make_gift),
    "gifts-qr": Scene(path="/gifts", prepare=page_scenes.giver, shows="#created .tag", acts=page_scenes.open_qr_code),
    "gift": Scene(path="/g/0", prepare=None, shows="#gift[data-status=bad]", acts=page_scenes.open_gift),
    "gift-redeemed": Scene(path="/gifts", prepare=nothing, shows="#create", acts=page_scenes.redeem_gift),
    "gift-unknown": Scene(path="/g/0000-0000-0000-0000", prepare=None, shows="#gift[data-status=bad]"),
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
    expect(page.locator(scene.shows).first).to_be_visible()
    expect(page.locator(".skeleton")).to_have_count(0)
    if scene.acts is not None:
        scene.acts(page, service, user)

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
    is_dialog = page.get_by_role("dialog").is_visible()
    picture = Image.open(BytesIO(page.screenshot(full_page=not is_dialog))).convert("RGB")
    picture.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(file, optimize=True)


def offences(page: Page) -> list[str]:
    """List what axe-core finds against accessibility on a page, with everything inside its elements."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    violations: list[str] = page.evaluate(RUN_AXE)
    return violations
