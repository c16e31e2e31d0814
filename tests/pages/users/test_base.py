"""What all users' pages share: language, sign-in, policy."""

from playwright.sync_api import Browser, Page, expect

from tests.support.browser import sign_in
from tests.support.service import Service


def test_a_page_speaks_the_browsers_language_until_another_is_chosen(browser: Browser, service: Service) -> None:
    context = browser.new_context(base_url=service.stack.base_url, locale="de-AT")
    page = context.new_page()

    page.goto("/settings/sync")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_role("button", name="Anmelden").first).to_be_visible()

    page.get_by_role("link", name="English").click()
    page.goto("/settings/sync")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    context.close()


def test_signing_in_leads_back_to_where_one_was_and_lasts_until_signing_out(page: Page, user: str) -> None:
    page.goto("/settings/sync?from=app")

    sign_in(page, user)
    page.reload()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert "token" not in page.url

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in first")).to_be_visible()


def test_a_token_that_nobody_here_asked_for_is_not_taken(page: Page, service: Service, user: str) -> None:
    page.goto(f"/signed-in#token={service.stack.token(user)}&state=guessed")

    expect(page.get_by_role("status")).to_contain_text("not begun here")
    assert page.evaluate("sessionStorage.length") == 0


def test_a_way_back_to_another_site_is_not_taken(page: Page) -> None:
    page.goto("/settings/sync")

    own_path = "path => import('/static/session.js').then(session => session.ownPath(path))"
    odd = ["https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)", "evil"]
    assert {page.evaluate(own_path, path) for path in odd} == {"/settings/sync"}
    assert page.evaluate(own_path, "/g/ABCD?lang=de") == "/g/ABCD?lang=de"


def test_a_pages_policy_forbids_what_it_does_not_need(page: Page) -> None:
    answer = page.goto("/settings/sync")

    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.locator("script:not([src]), style, [style], [onclick]").count() == 0


def test_the_first_key_press_offers_the_way_to_the_content(page: Page) -> None:
    page.goto("/settings/sync")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
