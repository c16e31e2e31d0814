"""Cloud Sync as people meet it: the settings page, the banner, and notes that outlive a pause."""

import json
import time

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.browser import sign_in
from tests.support.service import Service


def activate(page: Page) -> None:
    page.get_by_role("button", name="Activate for 30 credits").click()
    page.get_by_role("dialog").get_by_role("button", name="Activate").click()
    expect(page.get_by_role("heading", name="Active", exact=True)).to_be_visible()


def write_note(page: Page, text: str) -> None:
    page.get_by_label("New note").fill(text)
    page.get_by_role("button", name="Keep").click()


def expect_note(page: Page, text: str, where: str) -> None:
    notes = page.get_by_role("list", name="Your notes")
    expect(notes.get_by_role("listitem").filter(has_text=text)).to_contain_text(where)


def test_a_pause_stops_sync_and_keeps_every_note(page: Page, service: Service, user: str) -> None:
    service.grant(user, 40)
    page.goto("/settings/sync")
    sign_in(page, user)

    expect(page.get_by_role("heading", name="On this device only")).to_be_visible()
    write_note(page, "Before")
    expect_note(page, "Before", "on this device")
    activate(page)
    expect_note(page, "Before", "and in the cloud")

    service.let_month_pass(user)
    page.get_by_role("button", name="Sync now").click()
    banner = page.get_by_role("region", name="Cloud Sync is paused")
    expect(banner).to_contain_text("Your balance of 10 credits does not cover the next period (30 credits).")
    expect(page.get_by_role("heading", name="Paused")).to_be_visible()
    write_note(page, "During")
    expect_note(page, "Before", "and in the cloud")
    expect_note(page, "During", "on this device")
    expect(page.get_by_role("button", name="Activate for")).to_be_hidden()

    service.top_up(user)
    page.reload()
    expect(banner).to_contain_text("now they do")
    activate(page)
    expect(banner).to_be_hidden()
    expect_note(page, "Before", "and in the cloud")
    expect_note(page, "During", "and in the cloud")
    assert service.balance(user) == 80


def test_notes_reach_another_device(page: Page, service: Service, user: str) -> None:
    service.grant(user, 30)
    page.goto("/settings/sync")
    sign_in(page, user)
    activate(page)
    write_note(page, "From the first device")
    expect_note(page, "From the first device", "and in the cloud")

    assert page.context.browser is not None
    other = page.context.browser.new_context(base_url=service.stack.base_url, locale="en-GB")
    elsewhere = other.new_page()
    elsewhere.goto("/settings/sync")
    sign_in(elsewhere, user)
    expect_note(elsewhere, "From the first device", "and in the cloud")
    other.close()


def test_an_interval_is_changed_and_sync_deactivated(page: Page, service: Service, user: str) -> None:
    service.grant(user, 500)
    page.goto("/settings/sync")
    sign_in(page, user)
    activate(page)

    page.get_by_role("radio", name="Yearly").check()
    page.get_by_role("button", name="Change interval").click()
    expect(page.get_by_role("dialog")).to_contain_text("you are charged 360 credits (€3.60): Yearly")
    page.get_by_role("dialog").get_by_role("button", name="Change").click()
    expect(page.get_by_text("Next charge: 360 credits")).to_be_visible()

    page.get_by_role("button", name="Deactivate").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Active", exact=True)).to_be_visible()
    page.get_by_role("button", name="Deactivate").click()
    page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    expect(page.get_by_role("heading", name="On this device only")).to_be_visible()
    assert service.balance(user) == 470


def test_the_page_is_used_by_keyboard_alone(page: Page, service: Service, user: str) -> None:
    service.grant(user, 100)
    page.goto("/settings/sync")
    sign_in(page, user)
    expect(page.get_by_role("heading", name="On this device only")).to_be_visible()

    page.get_by_role("radio", name="Monthly").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Every three months")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Activate for 90 credits")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Activate for 90 credits")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Active", exact=True)).to_be_visible()
    assert service.balance(user) == 10


def test_a_hidden_banner_stays_away_for_a_day(page: Page, service: Service, user: str) -> None:
    service.grant(user, 30)
    assert service.call("POST", "/api/v1/sync/activate", {}, user=user).status == 200
    service.let_month_pass(user)
    page.goto("/settings/sync")
    sign_in(page, user)
    banner = page.get_by_role("region", name="Cloud Sync is paused")

    banner.get_by_role("button", name="Hide for 24 hours").click()
    expect(banner).to_be_hidden()
    page.reload()
    expect(page.get_by_role("heading", name="Paused")).to_be_visible()
    expect(banner).to_be_hidden()

    page.evaluate("""() => {
        const dismissed = JSON.parse(localStorage.getItem("mana-banner-dismissed"));
        dismissed.at -= 24 * 3_600_000;
        localStorage.setItem("mana-banner-dismissed", JSON.stringify(dismissed));
    }""")
    page.reload()
    expect(banner).to_be_visible()


def test_slow_answers_show_that_they_are_awaited_and_nothing_is_done_twice(
    page: Page, service: Service, user: str
) -> None:
    service.grant(user, 100)
    keys: list[str | None] = []

    def slowly(route: Route) -> None:
        if route.request.url.endswith("/sync/activate"):
            keys.append(route.request.headers.get("idempotency-key"))
        time.sleep(0.4)
        route.continue_()

    page.goto("/settings/sync")
    page.route("**/api/v1/**", slowly)
    sign_in(page, user)
    page.reload(wait_until="domcontentloaded")
    expect(page.locator("mana-balance .skeleton")).to_be_visible()
    expect(page.locator("mana-balance")).to_contain_text("100 credits")

    page.get_by_role("button", name="Activate for 30 credits").click()
    yes = page.get_by_role("dialog").get_by_role("button", name="Activate")
    yes.dblclick()
    expect(page.get_by_role("heading", name="Active", exact=True)).to_be_visible()
    assert len(keys) == 1
    assert service.balance(user) == 70


def test_answers_that_are_lost_are_asked_for_again_with_the_same_key(page: Page, service: Service, user: str) -> None:
    service.grant(user, 100)
    keys: list[str | None] = []

    def lose_the_first_three(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) <= 3:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.goto("/settings/sync")
    sign_in(page, user)
    page.route("**/api/v1/sync/activate", lose_the_first_three)
    page.get_by_role("button", name="Activate for 30 credits").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Activate").click()
    expect(dialog.get_by_role("alert")).to_contain_text("nothing is charged twice")
    dialog.get_by_role("button", name="Activate").click()

    expect(page.get_by_role("heading", name="Active", exact=True)).to_be_visible()
    expect(dialog).to_be_hidden()
    assert len(keys) == 4
    assert len(set(keys)) == 1
    assert service.balance(user) == 70


def test_a_worker_that_is_away_is_waited_for(page: Page, service: Service, user: str) -> None:
    service.grant(user, 100)
    page.goto("/settings/sync")
    sign_in(page, user)
    expect(page.get_by_role("heading", name="On this device only")).to_be_visible()

    service.stack.processes["worker"].stop()
    try:
        page.get_by_role("button", name="Activate for 30 credits").click()
        with page.expect_response("**/api/v1/jobs/*"):
            page.get_by_role("dialog").get_by_role("button", name="Activate").click()
    finally:
        service.stack.processes["worker"].start()

    expect(page.get_by_role("heading", name="Active", exact=True)).to_be_visible(timeout=30_000)


@pytest.mark.parametrize("code", ["insufficient_credits", "sync_already_active"])
def test_a_refusal_is_told_in_the_dialog(page: Page, service: Service, user: str, code: str) -> None:
    service.grant(user, 30)
    page.goto("/settings/sync")
    sign_in(page, user)
    page.get_by_role("button", name="Activate for 30 credits").click()
    spend = {"amount": 25, "appId": "test", "description": "Spent elsewhere"}
    path, body = ("/credits/use", spend) if code == "insufficient_credits" else ("/sync/activate", {})
    assert service.call("POST", f"/api/v1{path}", body, user=user).status == 200

    dialog = page.get_by_role("dialog")
    with page.expect_response("**/api/v1/sync/activate") as answer:
        dialog.get_by_role("button", name="Activate").click()
    assert json.loads(answer.value.body())["code"] == code
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    state = "On this device only" if code == "insufficient_credits" else "Active"
    expect(page.get_by_role("heading", name=state, exact=True)).to_be_visible()
