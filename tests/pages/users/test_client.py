"""The browser's client, in a browser, against the service as it runs."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from domain.rules.sync import Interval
from tests.support.service import Service

BESIDE = "http://localhost:5173"
"""An origin of CORS_ORIGINS in the local stack, where a front end of another project is developed."""


@pytest.fixture
def client(page: Page, service: Service, user: str) -> Page:
    """A page of nobody's, with the module as `mana` and a client of the user's as `client`."""
    page.goto("/settings/sync")
    page.evaluate(
        """async token => {
            window.mana = await import("/static/mana-credits.js");
            window.client = mana.createClient({ getToken: () => token });
            window.refusal = async act => {
                try { await act(); } catch (error) {
                    return { ...error, kind: error.constructor.name, is: error instanceof mana.ManaCreditsError };
                }
            };
        }""",
        service.stack.token(user),
    )
    return page


def test_reads_and_acts_are_answered_as_the_contract_says(client: Page, service: Service, user: str) -> None:
    service.grant(user, 100)

    answers = client.evaluate("""async () => {
        const gift = await client.gifts.create({ totalCredits: 30 });
        const seen = await mana.createClient({ getToken: () => null }).gifts.get(gift.code);
        const cancelled = await client.gifts.cancel(gift.id);
        await client.credits.use({ amount: 5, appId: "test", description: "Used" });
        const [small] = await client.purchases.packages();
        const started = await client.purchases.start({ packageId: small.id });
        return {
            seen: seen.totalCredits, cancelled: cancelled.refundedCredits,
            gifts: (await client.gifts.created()).items.map(gift => gift.status),
            received: (await client.gifts.received()).items,
            balance: (await client.credits.balance()).balance,
            secret: typeof started.clientSecret, cents: started.amount,
            purchase: (await client.purchases.get(started.purchaseId)).status,
            purchases: (await client.purchases.list()).items.length,
            operations: (await client.credits.operations()).length > 10,
            usage: (await client.usage.read({ groupBy: "day" })).groupBy,
        };
    }""")

    assert answers == {
        "seen": 30,
        "cancelled": 30,
        "gifts": ["cancelled"],
        "received": [],
        "balance": 95,
        "secret": "string",
        "cents": 100,
        "purchase": "pending",
        "purchases": 1,
        "operations": True,
        "usage": "day",
    }


def test_a_long_list_is_read_page_by_page(client: Page, service: Service, user: str) -> None:
    for amount in (1, 2, 3):
        service.grant(user, amount)

    pages = client.evaluate("""async () => {
        const first = await client.credits.transactions({ limit: 2 });
        const second = await client.credits.transactions({ limit: 2, cursor: first.next });
        return [first, second].map(page => [page.items.map(transaction => transaction.amount), page.next !== null]);
    }""")

    assert pages == [[[3, 2], True], [[1], False]]


def test_a_refusal_is_an_error_of_its_own_class_with_its_facts(client: Page) -> None:
    use = "() => refusal(() => client.credits.use({ amount: 7, appId: 'test', description: 'Used' }))"
    short = client.evaluate(use)
    invalid = client.evaluate("() => refusal(() => client.credits.use({ amount: -1, appId: '', description: 'x' }))")
    nobody = client.evaluate("() => refusal(() => mana.createClient({ getToken: () => null }).credits.balance())")

    assert (short["kind"], short["code"], short["status"]) == ("InsufficientCredits", "insufficient_credits", 402)
    assert short["details"] == {"required": 7, "available": 0}
    assert (invalid["kind"], {error["field"] for error in invalid["errors"]}) == (
        "ManaCreditsError",
        {"amount", "appId"},
    )
    assert (nobody["kind"], nobody["status"]) == ("SignInNeeded", 401)
    assert short["is"]
    assert invalid["is"]
    assert nobody["is"]


def test_what_cannot_be_reached_is_tried_again_if_that_is_harmless(client: Page) -> None:
    calls: list[str] = []

    def fail(route: Route) -> None:
        calls.append(route.request.url.rpartition("/")[2])
        route.abort()

    client.route("**/api/v1/**", fail)
    kinds = [
        client.evaluate("() => refusal(() => client.credits.balance())")["kind"],
        client.evaluate("() => refusal(() => client.sync.deactivate())")["kind"],
    ]

    assert kinds == ["Unavailable", "Unavailable"]
    assert calls == ["balance", "balance", "balance", "deactivate"]


def test_an_act_that_is_not_done_in_time_says_where_it_can_be_followed(client: Page, service: Service) -> None:
    service.stack.processes["worker"].stop()
    try:
        pending = client.evaluate(
            """async () => {
            const [small] = await client.purchases.packages();
            const hasty = mana.createClient({ getToken: () => TOKEN, followMs: 100 });
            return refusal(() => hasty.purchases.start({ packageId: small.id }));
        }""".replace("TOKEN", repr(service.stack.token("hasty")))
        )
    finally:
        service.stack.processes["worker"].start()

    assert (pending["kind"], pending["code"]) == ("StillPending", "still_pending")
    assert pending["accepted"]["statusUrl"].startswith("/api/v1/jobs/")


def test_the_sync_billing_store_speaks_as_a_svelte_store(client: Page, service: Service, user: str) -> None:
    service.grant(user, 100)

    seen: list[Any] = client.evaluate("""async () => {
        const store = mana.createSyncBilling(client);
        const seen = [];
        const end = store.subscribe(
            ({ active, interval, paused, loading }) => seen.push([active, interval, paused, loading])
        );
        await store.activate("monthly");
        await store.changeInterval("yearly");
        end();
        await store.deactivate();
        return [...seen, [store.get().active]];
    }""")

    assert seen[0] == [False, "monthly", False, False]
    assert seen[1] == [False, "monthly", False, True]
    assert seen[2] == [True, "monthly", False, False]
    assert seen[-2:] == [[True, "yearly", False, False], [False]]


def test_sync_starts_when_enabled_stops_when_not_and_asks_the_store_when_unpaid(client: Page) -> None:
    statuses = iter([200, 402])
    requests: list[Any] = []

    def answer(route: Route) -> None:
        requests.append(json.loads(route.request.post_data or "")["changes"])
        body = {"changes": ["theirs"], "cursor": "1", "code": "sync_inactive"}
        route.fulfill(status=next(statuses), json=body)

    client.route("**/sync/things", answer)
    answers = client.evaluate("""async () => {
        let loads = 0;
        const enabled = { ...mana.createStore(false), load: async () => { loads += 1; enabled.set(false); } };
        const kept = ["mine"];
        const sync = mana.createUnifiedSync(location.origin, () => "token", enabled, { everyMs: 60_000 });
        sync.add({ name: "things", pending: async () => ["mine"], accept: async theirs => { kept.push(...theirs); } });
        const seen = [sync.get().status];
        await sync.sync();
        enabled.set(true);
        await sync.sync();
        seen.push(sync.get().status);
        while (enabled.get() !== false) await sync.sync();
        seen.push(sync.get().status);
        await sync.sync();
        sync.stop();
        return { seen, loads, kept };
    }""")

    assert answers == {"seen": ["off", "waiting", "off"], "loads": 1, "kept": ["mine", "theirs"]}
    assert requests == [["mine"], ["mine"]]


def test_the_prices_that_are_shown_are_those_that_are_charged(client: Page) -> None:
    assert client.evaluate("mana.SYNC_PRICES") == {interval.value: interval.price for interval in Interval}


def test_a_page_of_another_origin_embeds_the_elements(page: Page, service: Service, user: str) -> None:
    service.grant(user, 100)
    html = f"""<!doctype html><html lang="de"><title>Another front end</title>
        <mana-balance base-url="{service.stack.base_url}"></mana-balance>
        <mana-sync-settings base-url="{service.stack.base_url}"></mana-sync-settings>
        <script type="module">
            const getToken = () => "{service.stack.token(user)}";
            const elements = document.querySelectorAll("mana-balance, mana-sync-settings");
            for (const element of elements) element.getToken = getToken;
            await import("{service.stack.base_url}/static/mana-elements.js");
        </script>"""
    # What a test makes up counts as a page of the internet, which Chromium keeps away from this machine.
    page.context.grant_permissions(["local-network-access"])
    page.route(f"{BESIDE}/", lambda route: route.fulfill(content_type="text/html", body=html))

    page.goto(f"{BESIDE}/")
    expect(page.locator("mana-balance")).to_contain_text("100 Credits")
    page.get_by_role("button", name="Für 30 Credits aktivieren").click()
    page.get_by_role("dialog").get_by_role("button", name="aktivieren").click()

    expect(page.get_by_role("heading", name="Aktiv")).to_be_visible()
    expect(page.locator("mana-balance")).to_contain_text("70 Credits")
