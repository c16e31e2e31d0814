"""The shop as people meet it: buying, coming back from Checkout, what was spent where, and the history."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from playwright.sync_api import Page, Route, expect

from tests.support.browser import hold_requests, sign_in
from tests.support.service import Service

SMALL = "Buy 100 credits for €1.00"
LEFT_TO_STRIPE = re.compile("/c/pay/")


def purchases(service: Service, user: str) -> list[Any]:
    return service.sql("SELECT id, status FROM credits.purchases WHERE user_id = %s", user)


def at_checkout(page: Page, user: str) -> None:
    page.goto("/credits")
    sign_in(page, user)
    page.get_by_role("button", name=SMALL).click()
    page.wait_for_url(LEFT_TO_STRIPE)


def spend(service: Service, user: str, amount: int, app: str) -> None:
    body = {"amount": amount, "appId": app, "description": f"{amount} for a picture"}
    assert service.call("POST", "/api/v1/credits/use", body, user=user).status == 200


def rows(page: Page) -> Any:
    return page.get_by_role("table", name="History").locator("tbody tr")


def test_who_buys_comes_back_and_sees_the_credits_arrive(page: Page, service: Service, user: str) -> None:
    at_checkout(page, user)
    page.get_by_role("button", name="Pay").click()

    expect(page.get_by_role("heading", name="100 credits are yours")).to_be_visible()
    expect(page.get_by_text("Your balance is now 100 credits.")).to_be_visible()
    page.get_by_role("link", name="Back to your credits").click()

    expect(page.locator("#balance")).to_have_text("100 credits")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text(["Purchase"])
    assert rows(page).locator(".number").all_inner_texts() == ["+100", "100"]
    assert [status for _, status in purchases(service, user)] == ["completed"]


def test_a_double_click_buys_once(page: Page, service: Service, user: str) -> None:
    page.goto("/credits")
    sign_in(page, user)

    page.get_by_role("button", name=SMALL).dblclick()

    page.wait_for_url(LEFT_TO_STRIPE)
    assert len(purchases(service, user)) == 1


def test_answers_that_are_lost_on_the_way_buy_once(page: Page, service: Service, user: str) -> None:
    keys: list[str] = []

    def lose_three(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 3:
            route.continue_()
        else:
            route.fetch()
            route.abort()

    page.goto("/credits")
    sign_in(page, user)
    page.route("**/api/v1/credits/purchase", lose_three)
    page.get_by_role("button", name=SMALL).click()
    expect(page.get_by_role("alert")).to_contain_text("nothing is charged twice")
    page.get_by_role("button", name=SMALL).click()

    page.wait_for_url(LEFT_TO_STRIPE)
    assert len(keys) == 4
    assert len(set(keys)) == 1
    assert len(purchases(service, user)) == 1


def test_who_comes_back_without_paying_is_told_so_and_can_still_pay(page: Page, user: str) -> None:
    at_checkout(page, user)
    page.get_by_role("link", name="Back").click()

    expect(page.get_by_role("heading", name="Not paid")).to_be_visible()
    page.get_by_role("link", name="Pay now").click()
    page.get_by_role("button", name="Pay").click()

    expect(page.get_by_role("heading", name="100 credits are yours")).to_be_visible()


def test_the_browsers_way_back_leaves_a_shop_that_still_sells(page: Page, service: Service, user: str) -> None:
    at_checkout(page, user)
    page.go_back()

    page.get_by_role("button", name=SMALL).click()
    page.wait_for_url(LEFT_TO_STRIPE)

    assert len(purchases(service, user)) == 2


def test_waiting_is_told_honestly_and_can_be_taken_up_again(page: Page, service: Service, user: str) -> None:
    started = service.bought(user)
    page.clock.install()
    page.goto(f"/credits/return?purchase={started['purchaseId']}")
    sign_in(page, user)
    expect(page.get_by_text("This usually takes a few seconds")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()

    page.clock.run_for(20_000)
    expect(page.get_by_text("It takes longer than usual.")).to_be_visible()
    for _ in range(20):
        page.clock.run_for(5_000)
        page.wait_for_timeout(50)
    expect(page.get_by_role("heading", name="Not confirmed yet")).to_be_visible()
    expect(page.get_by_text(started["purchaseId"])).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_hidden()

    service.pay(started["clientSecret"])
    service.heard(lambda: service.balance(user), 100)
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_role("heading", name="100 credits are yours")).to_be_visible()


def test_a_payment_that_failed_is_told(page: Page, service: Service, user: str) -> None:
    started = service.bought(user)
    with pytest.raises(stripe.CardError):
        service.pay(started["clientSecret"], card="pm_card_chargeDeclined")
    service.heard(lambda: service.purchase(user, started["purchaseId"])["status"], "failed")

    page.goto(f"/credits/return?purchase={started['purchaseId']}")
    sign_in(page, user)

    expect(page.get_by_role("heading", name="The payment failed")).to_be_visible()


def test_somebody_elses_purchase_is_unknown(page: Page, service: Service, user: str) -> None:
    started = service.bought("somebody-else")

    page.goto(f"/credits/return?purchase={started['purchaseId']}")
    sign_in(page, user)

    expect(page.get_by_role("heading", name="We do not know this purchase")).to_be_visible()


def test_the_history_has_a_running_balance_and_goes_on(page: Page, service: Service, user: str) -> None:
    service.grant(user, 1_000)
    for amount in range(1, 31):
        spend(service, user, amount, "draw" if amount % 2 else "chat")
    page.goto("/credits")
    sign_in(page, user)

    expect(rows(page)).to_have_count(20)
    expect(rows(page).first.locator(".number")).to_have_text(["-30", "535"])
    expect(page.get_by_text("20 shown; there are older ones.")).to_be_visible()
    page.get_by_role("button", name="Show older ones").click()

    expect(rows(page)).to_have_count(31)
    expect(rows(page).last.locator(".number")).to_have_text(["+1,000", "1,000"])
    expect(page.get_by_text("31 shown, that is all.")).to_be_visible()
    expect(page.get_by_role("button", name="Show older ones")).to_be_hidden()


def test_the_history_is_filtered_by_kind_app_and_days(page: Page, service: Service, user: str) -> None:
    service.grant(user, 100)
    spend(service, user, 5, "draw")
    spend(service, user, 7, "chat")
    page.goto("/credits")
    sign_in(page, user)
    expect(rows(page)).to_have_count(3)

    page.get_by_label("Kind", exact=True).select_option("Usage")
    expect(rows(page)).to_have_count(2)
    page.get_by_label("App", exact=True).select_option("draw")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text(["5 for a picture"])
    page.get_by_label("From", exact=True).fill((datetime.now(UTC) - timedelta(days=1)).date().isoformat())
    expect(rows(page)).to_contain_text(["5 for a picture"])
    page.get_by_label("To", exact=True).fill("2020-01-01")
    expect(page.get_by_text("Nothing here.")).to_be_visible()

    page.get_by_role("button", name="Reset").click()
    expect(rows(page)).to_have_count(3)


def test_the_chart_tells_what_was_spent_in_which_app(page: Page, service: Service, user: str) -> None:
    service.grant(user, 100)
    for amount, app in ((5, "draw"), (40, "chat"), (5, "draw")):
        spend(service, user, amount, app)
    page.goto("/credits")
    sign_in(page, user)

    chart = page.get_by_role("table", name="Where your credits went")
    expect(chart.locator("tbody tr")).to_contain_text(["chat", "draw"])
    expect(chart.locator("td")).to_have_text(["40", "1", "10", "2", "50", "3"])
    widths = [float(width or 0) for width in (bar.get_attribute("width") for bar in chart.locator("rect").all())]
    assert widths == [100, 25]
    with page.expect_response(re.compile(r"/usage\?from=")):
        page.get_by_label("Period").select_option("Last 7 days")
    expect(chart.locator("tbody tr")).to_have_count(2)


def test_slow_answers_show_that_something_is_coming(page: Page, user: str) -> None:
    page.goto("/credits")
    sign_in(page, user)
    release = hold_requests(page, "**/api/v1/credits/packages")
    page.reload()

    packages = page.get_by_role("region", name="Top up").get_by_role("list")
    expect(packages).to_have_attribute("aria-busy", "true")
    expect(packages.locator(".skeleton").first).to_be_visible()
    release()
    expect(page.get_by_role("button", name=SMALL)).to_be_visible()
    expect(packages).to_have_attribute("aria-busy", "false")


def test_what_cannot_be_read_says_so_and_is_tried_again(page: Page, user: str) -> None:
    page.goto("/credits")
    sign_in(page, user)
    page.route("**/api/v1/credits/packages", lambda route: route.fulfill(status=500, body="{}"))
    page.reload()

    top_up = page.get_by_role("region", name="Top up")
    expect(top_up.get_by_role("alert")).to_contain_text("did not work")
    page.unroute_all()
    top_up.get_by_role("button", name="Try again").click()

    expect(page.get_by_role("button", name=SMALL)).to_be_visible()
