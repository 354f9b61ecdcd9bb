"""The connectivity test: what works is said to, what does not is named, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Site, Watch
from tests.browser.proxy import Proxy


def step(page: Page, title: str) -> Locator:
    return page.get_by_role("listitem").filter(
        has=page.get_by_role("heading", name=title, exact=True)
    )


def verdict(page: Page, title: str) -> Locator:
    return step(page, title).locator(".verdict")


def port(site: Site) -> int:
    return int(site.url.rpartition(":")[2])


def start(page: Page, url: str) -> None:
    """The page, its checks under way, on a clock that stands unless the test moves it: this machine may be slow."""
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.goto(f"{url}/check")


def pass_the_minute(page: Page) -> None:
    expect(step(page, "A quiet minute")).to_contain_text("Open and quiet for 0 of 60")
    page.clock.run_for(59_000)
    expect(step(page, "A quiet minute")).to_contain_text("Open and quiet for 59 of 60")
    page.clock.run_for(2000)


@contextmanager
def running(**settings: Any) -> Iterator[Site]:
    """A server for one test."""
    with closing(Site(**settings)) as site:
        yield site.start()


def test_where_all_is_well_it_says_so(site: Site, page: Page) -> None:
    # Two origins of this machine, as a page from 127.0.0.1 and the address in the LAN are.
    with running(public_url=site.url) as public:
        start(page, public.url)
        pass_the_minute(page)
        expect(page.locator("#summary")).to_have_text("All of it works here.")
    for title in ("The page", "The socket", "The echo", "A quiet minute", "The address for others"):
        expect(verdict(page, title)).to_have_text("Works")
    expect(step(page, "The echo")).to_contain_text("the slowest of ten took")
    expect(step(page, "The address for others")).to_contain_text("Open http://127.0.0.1:")


def test_a_server_for_this_machine_alone_is_said_to_be_one(site: Site, page: Page) -> None:
    start(page, site.url)
    expect(verdict(page, "The address for others")).to_have_text("Look here")
    expect(step(page, "The address for others")).to_contain_text("--host 0.0.0.0")
    pass_the_minute(page)
    expect(page.locator("#summary")).to_have_text("It works here. One thing is worth a look.")


def test_an_address_that_does_not_answer_is_named(page: Page, watch: Watch) -> None:
    watch.expected = "ERR_CONNECTION_REFUSED|ERR_UNSAFE_PORT"
    with running(public_url="http://127.0.0.1:9") as lost:
        start(page, lost.url)
        others = step(page, "The address for others")
        expect(others.locator(".verdict")).to_have_text("Does not work")
        expect(others).to_contain_text("http://127.0.0.1:9 is the address that others get")
        expect(others).to_contain_text("firewall")


def test_a_page_from_the_address_for_others_has_reached_it(page: Page) -> None:
    with Proxy() as proxy, running(public_url=proxy.url) as named:
        proxy.target = port(named)
        start(page, proxy.url)
        others = step(page, "The address for others")
        expect(others.locator(".verdict")).to_have_text("Works")
        expect(others).to_contain_text(f"This page came from {proxy.url}")


def test_a_proxy_that_stops_websockets_is_found_out(site: Site, page: Page, watch: Watch) -> None:
    watch.expected = "WebSocket connection"
    with Proxy(port(site), upgrades=False) as proxy:
        start(page, proxy.url)
        expect(verdict(page, "The page")).to_have_text("Works")
        expect(verdict(page, "The socket")).to_have_text("Does not work")
        expect(step(page, "The socket")).to_contain_text("Upgrade and Connection")
        expect(verdict(page, "The echo")).to_have_text("Left out")
        expect(verdict(page, "A quiet minute")).to_have_text("Left out")
        expect(page.locator("#summary")).to_have_text("One thing does not work here.")


def test_a_network_that_ends_quiet_connections_is_found_out(site: Site, page: Page) -> None:
    with Proxy(port(site)) as proxy:
        start(page, proxy.url)
        expect(step(page, "A quiet minute")).to_contain_text("Open and quiet")
        page.clock.run_for(30_000)
        proxy.cut()
        expect(verdict(page, "A quiet minute")).to_have_text("Does not work")
        expect(step(page, "A quiet minute")).to_contain_text("with the code 1,006")
        expect(step(page, "A quiet minute")).to_contain_text("proxy_read_timeout")


def test_a_restart_during_the_minute_is_told_apart(own_site: Site, page: Page) -> None:
    start(page, own_site.url)
    expect(step(page, "A quiet minute")).to_contain_text("Open and quiet")
    own_site.stop()
    expect(step(page, "A quiet minute")).to_contain_text("The server has been restarted")
    own_site.start()
    page.get_by_role("button", name="Check again").click()
    expect(step(page, "A quiet minute")).to_contain_text("Open and quiet")
    expect(verdict(page, "The socket")).to_have_text("Works")


def test_without_public_viewing_the_upgrade_alone_is_tested(page: Page) -> None:
    with running(viewer_key="") as private:
        start(page, private.url)
        expect(verdict(page, "The socket")).to_have_text("Works")
        expect(verdict(page, "A quiet minute")).to_have_text("Left out")
        expect(step(page, "A quiet minute")).to_contain_text("Public viewing is off")


def test_a_full_server_is_said_to_be_full(page: Page) -> None:
    with running(limits={"connections": 1}) as full:
        other = page.context.new_page()
        other.goto(f"{full.url}/l/leaderboard/full")
        expect(other.locator("#link")).to_have_text("Live")
        start(page, full.url)
        expect(verdict(page, "The socket")).to_have_text("Does not work")
        expect(step(page, "The socket")).to_contain_text("This server is full")


def test_the_result_can_be_copied_as_text(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    context.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined });"
    )
    page = context.new_page()
    start(page, site.url)
    pass_the_minute(page)
    expect(page.locator("#summary")).to_contain_text("works")
    page.get_by_role("button", name="Copy the result").click()
    expect(page.locator("#copy-note")).to_have_text("Copied.")
    page.evaluate(
        """() => {
          const area = document.body.appendChild(document.createElement("textarea"));
          area.id = "paste";
          area.focus();
        }"""
    )
    page.keyboard.press("Control+V")
    pasted = page.locator("#paste").input_value()
    assert "It works here. One thing is worth a look." in pasted
    assert "Works: The socket. A WebSocket opens" in pasted
    assert "Look here: The address for others." in pasted
    assert site.url in pasted
    context.close()


def test_errors_of_its_scripts_are_seen_on_the_page(site: Site, page: Page, watch: Watch) -> None:
    watch.expected = "made by the test|404"
    page.goto(f"{site.url}/check")
    expect(page.get_by_role("alert")).to_be_hidden()
    page.evaluate("Promise.reject(new Error('made by the test, too')); undefined")
    expect(page.get_by_role("alert")).to_contain_text("made by the test, too")
    page.route("**/checks.js", lambda route: route.fulfill(status=404, body=""))
    page.goto(f"{site.url}/check")
    expect(page.get_by_role("alert")).to_contain_text("/static/js/page-check.js")


def test_without_a_script_it_says_that_it_needs_one(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/check")
    expect(page.locator("noscript .trouble")).to_be_visible()
    expect(page.get_by_role("button", name="Check again")).to_be_hidden()
    context.close()
