"""The console in a real browser: Debian's Chromium, driven by Playwright, on a server of this process."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from werkzeug.serving import make_server

from local.issuer import QuietRequests
from tests.support.browser import PATIENCE_MS, sign_in_to_console
from tests.support.issuer import Issuer

OPTIONS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "there is no Chromium: `make test-pages` installs it where apt-get may"
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=[*OPTIONS])
        yield opened
        opened.close()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Where the application is served for this test."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietRequests)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def context(browser: Browser, address: str) -> Iterator[BrowserContext]:
    """A visitor without a session and without JavaScript."""
    opened = browser.new_context(base_url=address, java_script_enabled=False, viewport={"width": 1_100, "height": 800})
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, issuer: Issuer) -> Iterator[Page]:
    """An operator's page, signed in. Whatever the browser complains about fails the test."""
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    sign_in_to_console(opened, issuer.token("olga", role="admin"))
    yield opened
    assert complaints == []


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures go: the directory that `SCREENSHOTS` names (`make screenshots`), else nowhere that stays."""
    return Path(os.environ.get("SCREENSHOTS", tmp_path))
