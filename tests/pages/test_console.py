"""What an operator sees and does in the console."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import text

from domain.rules.job_kinds import STRIPE_EVENT
from domain.store import Database
from tests.support.browser import sign_in_to_console
from tests.support.credits import give
from tests.support.issuer import Issuer
from tests.support.jobs import ended_jobs, failed_job, state_of

CAUSES = {
    "KeyError": "'amount_received'",
    "Parked": "Stripe knows a payment for purchase 7f0e, which is not in this database",
    "RetryableError": "Stripe: Service unavailable (status 503)",
}


@pytest.fixture
def failures(database: Database) -> dict[str, list[UUID]]:
    """Three causes, a few jobs of each, among many that ended well."""
    ended_jobs(database, 300)
    return {
        error: [failed_job(database, error=error, message=said) for _ in range(4)] for error, said in CAUSES.items()
    }


def test_nobody_comes_in_without_an_administrators_token(context: BrowserContext, issuer: Issuer) -> None:
    page = context.new_page()

    sign_in_to_console(page, issuer.token("anna"))
    expect(page.get_by_role("alert")).to_have_text("Only for administrators")
    sign_in_to_console(page, "not-a-token")
    expect(page.get_by_role("alert")).to_have_text("The token is not valid")
    sign_in_to_console(page, issuer.token("olga", role="admin"))

    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    (cookie,) = context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/ops")


def test_signing_out_ends_the_session(page: Page) -> None:
    page.get_by_role("button", name="Sign out olga").click()
    page.goto("/ops/jobs")

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_three_causes_are_seen_on_one_screen_and_retried_with_two_clicks_each(
    page: Page, database: Database, failures: dict[str, list[UUID]], pictures: Path
) -> None:
    page.goto("/ops")
    rows = page.locator(".causes tbody tr")
    expect(rows).to_have_count(3)
    for said in CAUSES:
        expect(rows.filter(has_text=said)).to_be_in_viewport()
    page.screenshot(path=pictures / "overview.png")

    for error in failures:
        page.goto("/ops")
        rows.filter(has_text=error).get_by_role("link", name="Retry all …").click()
        expect(page.get_by_role("heading", name="Retry 4 jobs?")).to_be_visible()
        page.screenshot(path=pictures / "retry.png")
        page.get_by_label("Why they may go well now").fill(f"{error} repaired")
        page.get_by_role("button", name="Retry 4 jobs").click()
        expect(page.get_by_role("heading", name="retry-all pending")).to_be_visible()

    with database.single() as store:
        sql = """
            SELECT payload -> 'filter' ->> 'error', payload ->> 'who', payload ->> 'why' FROM jobs.jobs
            WHERE kind = 'retry-all' ORDER BY 1"""
        runs = [tuple(run) for run in store.run(text(sql))]
    assert runs == [(error, "olga", f"{error} repaired") for error in sorted(failures)]


def test_a_dry_run_changes_nothing(page: Page, database: Database, failures: dict[str, list[UUID]]) -> None:
    page.goto("/ops/retry?state=failed")

    expect(page.get_by_role("heading", name="Retry 12 jobs?")).to_be_visible()
    page.get_by_role("link", name="Back, and do nothing").click()

    assert {state_of(database, job_id) for ids in failures.values() for job_id in ids} == {"failed"}


def test_a_job_is_shown_with_its_traceback_its_ledger_rows_and_its_page_at_stripe(
    page: Page, database: Database, pictures: Path
) -> None:
    give(database, "anna", 100)
    with database.single() as store:
        transaction_id = str(store.run(text("SELECT id FROM credits.transactions")).scalar_one())
    payload = {"transactionId": transaction_id, "event": {"id": "evt_1", "client_secret": "pay-me"}}
    job_id = failed_job(database, kind=STRIPE_EVENT, payload=payload, message="Stripe's amount is 475")

    page.goto(f"/ops/jobs/{job_id}")

    expect(page.get_by_text("Traceback: in line 7")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="To begin with")).to_contain_text("+100")
    expect(page.get_by_role("link", name="evt_1")).to_have_attribute(
        "href", "https://dashboard.stripe.com/test/events/evt_1"
    )
    assert "pay-me" not in page.content()
    page.screenshot(path=pictures / "job.png", full_page=True)


def test_a_job_is_retried_and_another_discarded_with_the_keyboard_alone(page: Page, database: Database) -> None:
    first, second = failed_job(database), failed_job(database)

    page.goto(f"/ops/jobs/{first}")
    tab_to(page, "why-retry")
    page.keyboard.type("Stripe is back")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("olga retry: Stripe is back")).to_be_visible()

    page.goto(f"/ops/jobs/{second}")
    tab_to(page, "why-discard")
    page.keyboard.type("Of a test")
    page.keyboard.press("Enter")
    expect(page.get_by_text("olga discard: Of a test")).to_be_visible()

    assert (state_of(database, first), state_of(database, second)) == ("pending", "discarded")


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until the field of this id has the focus."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.locator(f"#{wanted}:focus").count():
            return
    pytest.fail(f"{wanted} cannot be reached by keyboard")


@pytest.mark.usefixtures("failures")
def test_the_list_filters_and_goes_on(page: Page) -> None:
    page.goto("/ops/jobs")
    page.get_by_label("Error").fill("Parked")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(4)

    page.goto("/ops/jobs")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Older ones").click()
    expect(page.locator("tbody tr")).to_have_count(50)


@pytest.fixture(params=["light", "dark"])
def phone(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[BrowserContext]:
    """A small screen, once in each colour scheme."""
    opened = browser.new_context(base_url=address, viewport={"width": 360, "height": 740}, color_scheme=request.param)
    yield opened
    opened.close()


def test_a_phone_shows_everything_without_scrolling_sideways(
    phone: BrowserContext, issuer: Issuer, failures: dict[str, list[UUID]], pictures: Path
) -> None:
    page = phone.new_page()
    sign_in_to_console(page, issuer.token("olga", role="admin"))
    job_id = failures["Parked"][0]

    for path in ("/ops", "/ops/jobs?state=failed", f"/ops/jobs/{job_id}", "/ops/retry?state=failed", "/ops/login"):
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, path
        assert contrast(page) >= 4.5, path
    page.goto("/ops")
    scheme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    page.screenshot(path=pictures / f"phone-{scheme}.png")


def contrast(page: Page) -> float:
    """Compute the contrast of text to paper (WCAG 2.2, 1.4.3 asks for 4.5)."""
    colours = page.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    ink, paper = (luminance(colour) for colour in colours)
    return (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
