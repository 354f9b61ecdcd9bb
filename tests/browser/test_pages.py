"""What every page owes everybody: it is readable, fits, talks to no stranger, and can be used without seeing it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Site, Watch

PAGES = (
    "/",
    "/l",
    "/docs",
    "/docs/guide",
    "/docs/guide/how-to/embed",
    "/docs/guide/conformance",
    "/play",
    "/j",
    "/host",
    "/console",
    "/check",
    "/-/",
    "/credential",
    "/lab",
    "/lab/8",
    "/embed",
    "/embed?channel=/leaderboard/pages&preview=overlay",
    "/embed/leaderboard/pages",
    "/overlay/leaderboard/pages",
    "/l/leaderboard/pages",
    "/l/leaderboard/nobody-yet",
    "/l/default/relay",
)
WIDTHS = (320, 390, 768, 1280, 1920)


@pytest.fixture(scope="module", autouse=True)
def board(site: Site) -> None:
    """A board with what strains a page: long, foreign, hostile and tied."""
    site.publish(
        "/leaderboard/pages",
        {
            "player": "long",
            "name": "W" * 64,
            "score": 9007199254740991,
        },
        {"player": "rtl", "name": "محمد الخوارزمي", "score": 1200},
        {"player": "family", "name": "👩‍👩‍👧 Family", "score": 1200},
        {"player": "hostile", "name": "<img src=x onerror=alert(1)>", "score": 1100.25},
        {"player": "w" * 128, "score": -5},
    )


def test_a_board_is_readable_without_javascript(site: Site, browser: Browser, channel: str) -> None:
    site.fill(channel)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/l{channel}")
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(11)
    expect(rows.nth(1)).to_have_text(re.compile("1.*Edsger Dijkstra 1.*1,000", re.DOTALL))
    expect(page.locator("noscript .link")).to_be_visible()
    assert page.locator("noscript meta[http-equiv=refresh]").count() == 1
    expect(page.get_by_role("button", name="Pause updates")).to_be_hidden()
    context.close()


@pytest.mark.parametrize("path", [*PAGES, "/l/leaderboard/pages?top=2&around=hostile", "/missing"])
def test_nothing_overflows(site: Site, page: Page, watch: Watch, path: str) -> None:
    watch.expected = "404" if path == "/missing" else watch.expected
    page.goto(site.url + path)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        excess = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert excess <= 0, f"{excess} px at {width}"


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_ten_rows_fit_a_projector(
    site: Site, page: Page, channel: str, size: tuple[int, int]
) -> None:
    site.fill(channel)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{site.url}/l{channel}")
    assert page.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0
    expect(page.locator("tbody tr").last).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, "/l/leaderboard/pages?top=2&around=hostile", "/missing"])
def test_axe_finds_no_fault(site: Site, browser: Browser, axe: str, path: str, scheme: str) -> None:
    # A row that is fading in has too little contrast for its 160 ms: reduced motion shows the page at rest.
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(site.url + path)
    if "/l/leaderboard" in path:
        expect(page.locator("#link")).to_have_text("Live")
    page.evaluate(axe)
    found = page.evaluate("axe.run().then((result) => result.violations)")
    assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in found] == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_to_follow_a_player_fits_and_has_no_fault(
    site: Site, browser: Browser, axe: str, scheme: str
) -> None:
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{site.url}/l/leaderboard/pages?around=hostile&me=1")
    page.get_by_role("button", name="Follow").click()
    form = page.locator("#follow")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 568})
        expect(form).to_be_in_viewport(ratio=1)
    for control in form.locator(".button, .tick, #who").all():
        box = control.bounding_box()
        assert box is not None
        assert box["height"] >= 44
    page.evaluate(axe)
    found = page.evaluate("axe.run().then((result) => result.violations)")
    assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in found] == []
    page.keyboard.press("Escape")
    expect(form).to_be_hidden()
    context.close()


@pytest.mark.parametrize("path", PAGES)
def test_every_control_can_be_hit_and_its_focus_seen(site: Site, page: Page, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(site.url + path)
    page.keyboard.press("Tab")  # from here on the focus is the keyboard's
    found = page.evaluate(
        """() => [document, ...[...document.querySelectorAll("*")].map((each) => each.shadowRoot)]
          .flatMap((root) => [...(root?.querySelectorAll("button, .button, nav a") ?? [])])
          .filter((control) => control.checkVisibility({ visibilityProperty: true }) && !control.disabled)
          .map((control) => {
            control.focus();
            const { outlineStyle } = getComputedStyle(control);
            const inText = control.closest(".contents") !== null; // a list of links in text
            return [control.outerHTML, control.getBoundingClientRect().height, inText, outlineStyle];
          })"""
    )
    assert found or path.startswith(("/embed/", "/overlay/"))  # whose element may not be there yet
    for html, height, in_text, outline in found:
        assert height >= 44 or in_text, html
        assert outline != "none", html


def test_the_first_stop_of_the_keyboard_skips_the_bar(site: Site, page: Page) -> None:
    page.goto(site.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_the_list_of_boards_shows_a_new_one_without_a_reload(
    own_site: Site, page: Page, channel: str
) -> None:
    page.goto(f"{own_site.url}/l")
    page.evaluate("window.same = true")
    own_site.publish(channel, {"player": "ann", "name": "Ann", "score": 120})
    tile = page.get_by_role("listitem").filter(has_text=channel)
    expect(tile).to_contain_text("Ann")
    expect(tile).to_contain_text("120")
    assert page.evaluate("window.same") is True
    tile.get_by_role("link").click()
    expect(page).to_have_url(f"{own_site.url}/l{channel}")


def test_the_sample_of_the_home_page_moves_and_can_be_paused(site: Site, page: Page) -> None:
    page.goto(site.url)
    before = page.locator("#sample tbody").inner_text()
    page.wait_for_function(
        "(before) => document.querySelector('#sample tbody').innerText !== before", arg=before
    )
    page.get_by_role("button", name="Pause").click()
    scores = page.locator("#sample .score").all_inner_texts()
    page.wait_for_timeout(2000)  # the sample's crowd scores at least once in 1.4 s
    assert page.locator("#sample .score").all_inner_texts() == scores


def test_a_theme_overrides_the_system(site: Site, page: Page) -> None:
    page.emulate_media(color_scheme="light")
    background = "getComputedStyle(document.documentElement).backgroundColor"
    page.goto(f"{site.url}/l/leaderboard/pages")
    light = page.evaluate(background)
    page.goto(f"{site.url}/l/leaderboard/pages?theme=dark")
    assert page.evaluate(background) != light


def test_pages_ask_nobody_else_even_with_the_policy_off(
    site: Site, browser: Browser, channel: str
) -> None:
    # With the policy on, a foreign request dies before anybody could see it being made.
    site.fill(channel)
    context: BrowserContext = browser.new_context(bypass_csp=True)
    hosts = set()
    context.on(
        "request", lambda request: hosts.add(re.sub(r"^(\w+://[^/]*).*", r"\1", request.url))
    )
    tabs = []
    for path in (*PAGES, f"/l{channel}"):
        tabs.append(context.new_page())
        tabs[-1].goto(site.url + path)
    for tab in tabs:  # all have had their time by now, but for the last
        tab.wait_for_load_state("networkidle")
    context.close()
    assert hosts == {site.url}
