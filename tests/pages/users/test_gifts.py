"""Gifts as people meet them: made, passed on, redeemed, taken back, and codes that are none."""

import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.support.browser import PATIENCE_MS, hold_requests, sign_in
from tests.support.service import Service

NO_GIFT = "0000-0000-0000-0000"


@pytest.fixture
def friend(browser: Browser, service: Service) -> Iterator[Page]:
    """The page of somebody else, in a browser of their own."""
    opened = browser.new_context(base_url=service.stack.base_url, locale="en-GB")
    opened.set_default_timeout(PATIENCE_MS)
    yield opened.new_page()
    opened.close()


def gift_of(service: Service, creator: str, amount: int, **fields: Any) -> Any:
    service.grant(creator, amount)
    answer = service.call("POST", "/api/v1/gifts", {"totalCredits": amount, **fields}, user=creator)
    assert answer.status == 201
    return answer.body


def created(page: Page) -> Any:
    return page.get_by_role("region", name="Gifts you made").get_by_role("listitem")


def test_a_gift_is_made_passed_on_and_redeemed(page: Page, friend: Page, service: Service, user: str) -> None:
    service.grant(user, 80)
    page.goto("/gifts")
    sign_in(page, user, name="Anna")
    page.get_by_label("Credits", exact=True).fill("50")
    expect(page.get_by_text("You have 80 credits. After this gift you have 30 credits.")).to_be_visible()
    page.get_by_label("Message (optional)").fill("Happy birthday,\n<b>Ben</b>!")
    page.get_by_role("button", name="Make a gift").click()
    expect(page.get_by_role("heading", name="Your gift of 50 credits is ready")).to_be_focused()
    link = page.get_by_label("Link", exact=True).input_value()
    expect(created(page)).to_contain_text(["Open"])

    friend.goto(link)
    expect(friend.get_by_role("heading", name="50 credits for you")).to_be_visible()
    expect(friend.get_by_text("From Anna")).to_be_visible()
    expect(friend.get_by_text("<b>Ben</b>!")).to_be_visible()
    friend.get_by_role("button", name="Sign in and redeem").click()
    friend.get_by_label("User id").fill(f"{user}-friend")
    friend.get_by_role("button", name="Sign in").click()
    friend.get_by_role("button", name="Redeem", exact=True).dblclick()
    expect(friend.get_by_role("heading", name="50 credits are yours")).to_be_focused()
    expect(friend.get_by_text("Your balance is now 50 credits.")).to_be_visible()

    friend.reload()
    expect(friend.get_by_text("You redeemed this gift on")).to_be_visible()
    friend.goto("/gifts")
    expect(friend.get_by_role("region", name="Gifts you received").get_by_role("listitem")).to_contain_text(
        ["From Anna"]
    )
    page.reload()
    expect(created(page)).to_contain_text(["Redeemed"])
    assert (service.balance(user), service.balance(f"{user}-friend")) == (30, 50)


def test_a_gift_taken_back_returns_its_credits(page: Page, friend: Page, service: Service, user: str) -> None:
    gift = gift_of(service, user, 60)
    page.goto("/gifts")
    sign_in(page, user)

    page.get_by_role("button", name="Take back").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    expect(created(page)).to_contain_text(["Open"])
    page.get_by_role("button", name="Take back").click()
    page.get_by_role("dialog").get_by_role("button", name="Take back").click()

    expect(created(page)).to_contain_text(["Taken back"])
    expect(page.get_by_role("heading", name="Gifts you made")).to_be_focused()
    expect(page.get_by_text("The gift was taken back: 60 credits are yours again.")).to_be_attached()
    assert service.balance(user) == 60
    friend.goto(gift["url"])
    expect(friend.get_by_role("heading", name="Taken back")).to_be_visible()


def test_a_gift_is_made_and_taken_back_with_the_keyboard_alone(page: Page, service: Service, user: str) -> None:
    service.grant(user, 60)
    page.goto("/gifts")
    sign_in(page, user)

    tab_to(page, page.get_by_label("Credits", exact=True))
    page.keyboard.type("20")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your gift of 20 credits is ready")).to_be_focused()
    tab_to(page, created(page).get_by_role("button", name="Take back"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name="Keep it")).to_be_focused()
    tab_to(page, page.get_by_role("dialog").get_by_role("button", name="Take back"))
    page.keyboard.press("Enter")

    expect(created(page)).to_contain_text(["Taken back"])
    assert service.balance(user) == 60


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until this has the focus."""
    expect(wanted).to_be_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{wanted} cannot be reached by keyboard")


@pytest.mark.parametrize("press", [
    lambda button: button.dblclick(),
    lambda button: [button.press("Enter") for _ in range(3)],
], ids=["a double click", "the enter key thrice"])  # fmt: skip
def test_pressing_more_than_once_makes_one_gift(
    page: Page, service: Service, user: str, press: Callable[[Any], Any]
) -> None:
    service.grant(user, 100)
    page.goto("/gifts")
    sign_in(page, user)

    page.get_by_label("Credits", exact=True).fill("10")
    press(page.get_by_role("button", name="Make a gift"))

    expect(created(page)).to_have_count(1)
    expect(page.get_by_role("heading", name="is ready")).to_be_visible()
    assert service.balance(user) == 90


def test_an_answer_that_is_lost_on_the_way_makes_one_gift(page: Page, service: Service, user: str) -> None:
    service.grant(user, 100)
    page.goto("/gifts")
    sign_in(page, user)
    lost: list[Route] = []

    def lose(route: Route) -> None:
        if route.request.method == "POST" and len(lost) < 3:
            lost.append(route)
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/api/v1/gifts", lose)
    page.get_by_label("Credits", exact=True).fill("10")
    page.get_by_role("button", name="Make a gift").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing is charged twice")
    page.get_by_role("button", name="Make a gift").click()

    expect(page.get_by_role("heading", name="is ready")).to_be_visible()
    expect(created(page)).to_have_count(1)
    assert service.balance(user) == 90


def test_more_than_one_has_cannot_be_given(page: Page, service: Service, user: str) -> None:
    service.grant(user, 5)
    page.goto("/gifts")
    sign_in(page, user)

    page.get_by_label("Credits", exact=True).fill("6")
    expect(page.get_by_text("You have 5 credits, which is not enough.")).to_be_visible()
    page.get_by_role("button", name="Make a gift").click()

    expect(page.get_by_role("alert")).to_contain_text("6 credits are needed, and your balance is 5 credits.")


def test_a_gift_for_another_address_is_explained_and_waits_for_its_owner(
    page: Page, friend: Page, service: Service, user: str
) -> None:
    gift = gift_of(service, user, 20, targetEmail="Ben@example.com")
    page.goto(gift["url"])
    expect(page.get_by_text("for one e-mail address only")).to_be_visible()
    expect(page.get_by_text("ben@example.com")).to_have_count(0)

    sign_in(page, f"{user}-other", email="other@example.com")
    page.get_by_role("button", name="Redeem", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("for another e-mail address")

    friend.goto(gift["url"])
    sign_in(friend, f"{user}-ben", email="ben@example.com")
    friend.get_by_role("button", name="Redeem", exact=True).click()
    expect(friend.get_by_role("heading", name="20 credits are yours")).to_be_visible()


def test_ones_own_gift_is_explained(page: Page, service: Service, user: str) -> None:
    gift = gift_of(service, user, 20)

    page.goto(gift["url"])
    sign_in(page, user)
    page.get_by_role("button", name="Redeem", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("This is your own gift.")


def test_a_gift_that_somebody_was_quicker_to_redeem_says_so(page: Page, service: Service, user: str) -> None:
    gift = gift_of(service, user, 20)
    page.goto(gift["url"])
    sign_in(page, f"{user}-slow")
    expect(page.get_by_role("button", name="Redeem", exact=True)).to_be_visible()

    quick = service.call("POST", f"/api/v1/gifts/{gift['code']}/redeem", user=f"{user}-quick", Prefer="wait=10")
    assert quick.status == 200
    page.get_by_role("button", name="Redeem", exact=True).click()

    expect(page.get_by_role("heading", name="Already redeemed")).to_be_visible()
    assert service.balance(f"{user}-slow") == 0


def test_a_code_that_is_none_is_met_kindly_and_another_one_found(page: Page, service: Service, user: str) -> None:
    gift = gift_of(service, user, 20)

    page.goto(f"/g/{NO_GIFT}")
    expect(page.get_by_role("heading", name="No gift has this code")).to_be_visible()
    page.get_by_label("Gift code").fill(gift["code"].lower().replace("-", " "))
    page.get_by_role("button", name="Look").click()

    expect(page.get_by_role("heading", name="20 credits for you")).to_be_visible()


def with_short_code(service: Service, gift: Any) -> str:
    """Give a gift a code as an earlier service gave out."""
    code = secrets.token_hex(3).upper()
    service.sql("ALTER TABLE gifts.gift_codes DISABLE TRIGGER gift_codes_move_forward")
    service.sql("UPDATE gifts.gift_codes SET code = %s WHERE id = %s", code, gift["id"])
    service.sql("ALTER TABLE gifts.gift_codes ENABLE TRIGGER gift_codes_move_forward")
    return code


def guess_too_often(service: Service, guesser: str) -> None:
    answers = [service.call("POST", f"/api/v1/gifts/{NO_GIFT}/redeem", user=guesser).status for _ in range(11)]
    assert answers[-1] == 429


def test_who_guessed_too_often_is_told_kindly(page: Page, service: Service, user: str) -> None:
    page.goto(f"/g/{with_short_code(service, gift_of(service, user, 20))}")
    sign_in(page, f"{user}-guesser")
    guess_too_often(service, f"{user}-guesser")

    page.get_by_role("button", name="Redeem", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Please try again in \d+ min; a gift waits\."))
    assert service.balance(f"{user}-guesser") == 0


def test_who_guessed_too_often_may_still_redeem_a_gift_that_cannot_be_guessed(
    page: Page, service: Service, user: str
) -> None:
    gift = gift_of(service, user, 20)
    guess_too_often(service, f"{user}-guesser")
    page.goto(gift["url"])
    sign_in(page, f"{user}-guesser")

    page.get_by_role("button", name="Redeem", exact=True).click()

    expect(page.get_by_role("heading", name="20 credits are yours")).to_be_visible()


def test_the_look_up_may_also_have_been_guessed_too_often(page: Page, service: Service, user: str) -> None:
    gift = gift_of(service, user, 20)
    problem = '{"status": 429, "code": "too_many_requests"}'
    page.route(
        "**/api/v1/gifts/*", lambda route: route.fulfill(status=429, body=problem, headers={"Retry-After": "61"})
    )
    page.goto(gift["url"])
    expect(page.get_by_role("heading", name="Too many codes")).to_be_visible()
    expect(page.get_by_text("in 2 min;")).to_be_visible()

    page.unroute_all()
    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_role("heading", name="20 credits for you")).to_be_visible()


def test_a_link_is_copied_and_its_qr_code_is_drawn(
    page: Page, context: BrowserContext, service: Service, user: str
) -> None:
    gift = gift_of(service, user, 20)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/gifts")
    sign_in(page, user)

    created(page).get_by_role("button", name="Copy link").click()
    expect(created(page)).to_contain_text(["Copied"])
    assert page.evaluate("navigator.clipboard.readText()") == gift["url"]
    created(page).get_by_role("button", name="QR code").click()
    drawn = page.get_by_role("img", name="QR code of the gift's link")
    expect(drawn).to_be_visible()
    expect(drawn).to_have_js_property("complete", value=True)
    assert drawn.evaluate("image => image.naturalWidth") > 0
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(created(page).get_by_role("button", name="QR code")).to_be_focused()


def test_a_long_list_goes_on(page: Page, service: Service, user: str) -> None:
    for amount in range(1, 23):
        gift_of(service, user, amount)
    page.goto("/gifts")
    sign_in(page, user)

    expect(created(page)).to_have_count(20)
    page.get_by_role("button", name="Show older ones").click()

    expect(created(page)).to_have_count(22)
    expect(created(page).nth(20)).to_be_focused()


def test_a_slow_look_up_shows_that_something_is_coming(page: Page, service: Service, user: str) -> None:
    gift = gift_of(service, user, 20)

    release = hold_requests(page, "**/api/v1/gifts/*")
    page.goto(gift["url"])

    expect(page.locator("#gift .skeleton")).to_be_visible()
    expect(page.locator("#gift")).to_have_attribute("aria-busy", "true")
    release()
    expect(page.get_by_role("heading", name="20 credits for you")).to_be_visible()


def test_the_server_writes_nothing_about_a_gift_into_its_page(service: Service, page: Page) -> None:
    gift = gift_of(service, f"user-{uuid4().hex[:8]}", 20, message="Only for the script")

    of_gift = page.request.get(f"/g/{gift['code']}").text()
    of_none = page.request.get(f"/g/{NO_GIFT}").text()

    assert of_gift.replace(gift["code"], "CODE") == of_none.replace(NO_GIFT, "CODE")


def test_a_qr_code_does_not_tell_whether_there_is_a_gift(service: Service, page: Page) -> None:
    gift = gift_of(service, f"user-{uuid4().hex[:8]}", 20)

    drawn = [page.request.get(f"/g/{code}/qr.svg") for code in (gift["code"], NO_GIFT, "ABCD", f"{gift['code']}0")]

    assert [answer.status for answer in drawn] == [200, 200, 404, 404]
    assert drawn[0].headers["content-type"].startswith("image/svg+xml")
    assert drawn[0].headers["content-security-policy"] == "default-src 'none'"
    assert drawn[0].body() != drawn[1].body()
