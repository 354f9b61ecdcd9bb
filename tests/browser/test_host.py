"""The host in the browser: from the form to the podium, by the keys of a projector and from a phone."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.codes import codes_in
from tests.browser.conftest import PATIENCE, Site, Watch

LONG = 45_000
"""Milliseconds that anything of a short round may take on a busy machine."""
PUBLIC = "http://scores.example:8000"


@pytest.fixture(scope="module")
def public_site() -> Iterator[Site]:
    """A server that others can reach by an address of its own."""
    site = Site(public_url=PUBLIC)
    # A form is taken from the address that a page was loaded from, whatever links point to.
    yield site.start()
    site.close()


def open_room(page: Page, site: Site, bots: int = 0, seconds: int = 15) -> str:
    """Open a room by the form, which may offer no round as short as a test wants; the page is then its presenter's."""
    page.goto(f"{site.url}/host")
    page.get_by_label("Title").fill("Friday quiz")
    length = page.get_by_label("Length of a round")
    length.evaluate("(list, seconds) => list.add(new Option(seconds, seconds))", seconds)
    length.select_option(str(seconds))
    page.get_by_label("Bots that play along").fill(str(bots))
    page.get_by_role("button", name="Open the room").click()
    page.wait_for_url(re.compile(r"/r/\w{4}/present$"))
    expect(page.locator("#link")).to_have_text("Live")
    return page.locator("main").get_attribute("data-code") or ""


def stage(page: Page, name: str) -> None:
    expect(page.locator("main")).to_have_attribute("data-stage", name, timeout=LONG)


def join(page: Page, site: Site, code: str, name: str) -> None:
    page.goto(f"{site.url}/j/{code}")
    page.get_by_label("You are").fill(name)
    page.get_by_role("button", name="Join").click()
    stage(page, "lobby")


def hit(page: Page) -> None:
    """Press the lit tile."""
    page.wait_for_selector(".tile-nine.lit", timeout=LONG)
    page.evaluate(
        "() => document.querySelector('.tile-nine.lit')"
        "?.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true, cancelable: true }))"
    )


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """A phone, which has a store and cookies of its own."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def other(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.timeout(150)  # a whole round, on three pages at once, with others at work beside it
def test_a_host_leads_two_players_through_a_round_to_the_podium(
    site: Site, page: Page, phone: Page, other: Page, watch: Watch
) -> None:
    page.emulate_media(reduced_motion="reduce")
    code = open_room(page, site, seconds=8)
    expect(page.locator("#code")).to_have_text(code)
    join(phone, site, code, "Ann")
    join(other, site, code, "<b>Bob</b>")
    expect(page.locator("#players")).to_have_text("2 players", timeout=2000)
    expect(page.locator("#names bdi")).to_have_text(["Ann", "<b>Bob</b>"])

    page.keyboard.press("s")
    for each in (page, phone, other):
        stage(each, "count")
    expect(page.locator("#round-button")).to_have_text("Stop")
    # Both count together: what each shows is asked for in the same moment.
    shown = [int(each.locator("#count").inner_text()) for each in (page, phone)]
    assert abs(shown[0] - shown[1]) <= 1
    stage(page, "play")
    for _ in range(3):
        hit(phone)
    hit(other)
    expect(page.locator("#board tbody tr").first.locator(".name")).to_have_text("Ann")
    expect(page.locator("#clock")).to_have_text(re.compile(r"^0:\d\d$"))

    stage(page, "over")
    expect(page.locator("#podium .name")).to_have_text(["Ann", "<b>Bob</b>"])
    assert page.evaluate("document.getAnimations().length") == 0  # at once, for who asks for that
    expect(page.locator("#told")).to_have_text("Round over")
    expect(phone.locator("#podium .name")).to_have_text(["Ann", "<b>Bob</b>"])
    page.get_by_role("button", name="Podium").click()
    expect(page.locator("#podium")).to_be_hidden()
    expect(page.locator("#board")).to_be_visible()

    # The next round begins with the same players at nothing.
    page.get_by_role("button", name="Next round").click()
    for each in (page, phone):
        stage(each, "count")
    page.keyboard.press("s")
    expect(page.locator("#round-button")).to_have_text("Start")
    stage(page, "lobby")
    assert len(watch.sockets) == 1


def test_a_round_in_which_nobody_presses_ends_on_the_podium(
    site: Site, page: Page, phone: Page
) -> None:
    code = open_room(page, site)
    join(phone, site, code, "Ann")
    page.get_by_role("button", name="Start").click()
    stage(phone, "play")
    page.get_by_role("button", name="Stop").click()
    for each in (page, phone):
        stage(each, "over")
    expect(phone.locator("#podium .name")).to_have_text(["Ann"])


def test_the_projector_shows_everything_without_scrolling(
    public_site: Site, page: Page, tmp_path: Any
) -> None:
    page.emulate_media(reduced_motion="reduce")
    open_room(page, public_site, bots=12)
    page.keyboard.press("s")
    stage(page, "play")
    expect(page.locator("#board tbody tr")).to_have_count(10)
    for width, height in ((1920, 1080), (1280, 720)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = page.evaluate("""() => {
              const box = (selector) => document.querySelector(selector).getBoundingClientRect();
              const root = document.documentElement;
              return {
                scroll: [root.scrollWidth, root.scrollHeight],
                rows: [...document.querySelectorAll("#board tbody tr")].map((row) => row.getBoundingClientRect()),
                parts: ["#code", "#qr", "#clock", "#players", "#round-button", "#full"].map(box),
                panel: box(".panel").top,
                qr: box("#qr").width,
              };
            }""")
            assert found["scroll"] == [width, height]
            for row in found["rows"]:
                assert row["height"] / height == pytest.approx(0.072, abs=0.001)
                assert row["bottom"] <= found["panel"]
            for part in found["parts"]:
                assert part["top"] >= 0
                assert part["left"] >= 0
                assert part["bottom"] <= height
                assert part["right"] <= width
            assert found["qr"] / width > 0.2


def test_the_code_on_the_screen_is_read_by_a_camera(
    public_site: Site, page: Page, context: BrowserContext
) -> None:
    code = open_room(page, public_site)
    for scheme, width in (("light", 1920), ("dark", 1280), ("dark", 960)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": width * 9 // 16})
        assert codes_in(context, page.screenshot()) == [f"{PUBLIC}/j/{code}"]


def test_another_device_becomes_a_remote_by_the_code_in_the_dialog(
    public_site: Site, page: Page, phone: Page, context: BrowserContext
) -> None:
    code = open_room(page, public_site)
    page.get_by_role("button", name="Remote").click()
    expect(page.locator("#handover svg")).to_be_visible()
    page.set_viewport_size({"width": 1920, "height": 1080})
    (link,) = codes_in(context, page.locator("#handover").screenshot())
    assert link.startswith(f"{PUBLIC}/r/{code}/remote#eyJ")
    page.keyboard.press("Escape")
    expect(page.locator("#remote-dialog")).to_be_hidden()

    phone.goto(link.replace(PUBLIC, public_site.url))
    expect(phone.get_by_role("button", name="Start")).to_be_visible()
    assert "#" not in phone.url
    phone.get_by_role("button", name="Start").click()
    stage(page, "count")
    expect(phone.get_by_role("button", name="Stop")).to_be_visible()
    # A link that is not the host's says why.
    stranger = phone.context.browser.new_page()  # type: ignore[union-attr]
    stranger.goto(f"{public_site.url}/r/{code}/remote#eyJnothing")
    expect(stranger.locator("#refusal")).to_contain_text("This link is damaged")
    assert "#" not in stranger.url
    stranger.close()


def test_a_removed_player_sees_why_and_an_undo_is_one_button(
    site: Site, page: Page, phone: Page
) -> None:
    code = open_room(page, site)
    join(phone, site, code, "Ann")
    page.locator("#names .name", has_text="Ann").click()
    page.locator("#person-dialog").get_by_role("button", name="Remove").click()
    expect(phone.locator("#refusal")).to_have_text(re.compile("The host has taken you o"))
    expect(page.locator("#players")).to_have_text("0 players")
    expect(page.locator("#person-dialog")).to_be_hidden()
    page.get_by_role("button", name="Undo removal").click()
    expect(page.locator("#players")).to_have_text("1 player")


def test_hidden_names_are_hidden_on_every_screen(
    site: Site, page: Page, phone: Page, other: Page
) -> None:
    code = open_room(page, site)
    join(phone, site, code, "Ann Rude")
    join(other, site, code, "Bob")
    expect(page.locator("#names bdi")).to_have_text(["Ann Rude", "Bob"])
    page.keyboard.press("n")
    expect(page.locator("#names-button")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("body")).not_to_contain_text("Rude")
    expect(other.locator("#names")).not_to_contain_text("Rude")
    # Who is meant is told on the own phone.
    shown = page.locator("#names bdi").first.inner_text()
    expect(phone.locator("#shown-as")).to_contain_text(shown)
    page.keyboard.press("n")
    expect(page.locator("#names bdi")).to_have_text(["Ann Rude", "Bob"])


def test_sliders_steer_the_bots_and_follow_another_device(site: Site, page: Page) -> None:
    code = open_room(page, site)
    page.locator("[name=bots]").fill("7")
    expect(page.locator("#players")).to_have_text("0 players · 7 bots")
    expect(page.locator("#names li")).to_have_count(7)
    expect(page.locator("#names li").first).to_contain_text("🤖")
    remote = page.context.new_page()
    remote.goto(f"{site.url}/r/{code}/remote")
    expect(remote.locator("[name=bots]")).to_have_value("7")
    remote.locator("[name=bots]").fill("4")
    page.locator("#full").focus()
    expect(page.locator("[name=bots]")).to_have_value("4")
    expect(page.locator("#players")).to_have_text("0 players · 4 bots")


def test_a_reset_asks_once_and_escape_leaves_it(site: Site, page: Page) -> None:
    open_room(page, site, bots=2)
    page.get_by_role("button", name="Reset …").click()
    expect(page.locator("#reset-dialog")).to_be_visible()
    page.keyboard.press("s")  # a dialog has the keys
    page.keyboard.press("Escape")
    expect(page.locator("#reset-dialog")).to_be_hidden()
    stage(page, "lobby")
    page.keyboard.press("s")
    stage(page, "play")
    page.get_by_role("button", name="Reset …").click()
    page.locator("#reset-button").click()
    stage(page, "lobby")
    expect(page.locator("#reset-dialog")).to_be_hidden()


def test_a_frozen_ending_is_revealed_place_by_place(site: Site, page: Page, phone: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    code = open_room(page, site, bots=2)
    join(phone, site, code, "Ann")
    page.keyboard.press("s")
    stage(page, "play")
    page.get_by_role("button", name="Freeze").click()
    expect(page.locator("#told")).to_have_text("Standings frozen")
    page.get_by_role("button", name="Stop").click()
    stage(page, "over")
    stage(phone, "over")
    expect(phone.locator("#own-place")).to_have_text("Standings frozen")
    for each in (page, phone):
        expect(each.locator("#podium")).to_be_hidden()
    expect(phone.locator("#near")).to_be_hidden()
    page.get_by_role("button", name="Reveal one").click()
    expect(page.locator("#told")).to_have_text("2 still to be revealed")
    expect(phone.locator("#own-place")).to_have_text("2 still to be revealed")
    page.get_by_role("button", name="Reveal all").click()
    expect(phone.locator("#podium li")).to_have_count(3, timeout=LONG)
    expect(phone.locator("#podium")).to_be_visible()
    expect(phone.locator("#own-place")).to_contain_text("of 3")
    expect(page.locator("#podium li")).to_have_count(3, timeout=LONG)
    expect(page.locator("#podium")).to_be_visible()


def test_a_room_that_is_gone_is_said_to_be_and_has_a_way_on(
    own_site: Site, page: Page, watch: Watch
) -> None:
    watch.expected = "WebSocket connection|ERR_CONNECTION|ERR_CONTENT_LENGTH|Failed to fetch|40[14]"
    page.context.clock.install()
    code = open_room(page, own_site, bots=2)
    expect(page.locator("#here")).to_have_text("2 bots are here")
    remote = page.context.new_page()
    remote.goto(f"{own_site.url}/r/{code}/remote")
    expect(remote.locator("#link")).to_have_text("Live")
    own_site.stop(signal.SIGKILL)
    own_site.start()
    page.context.clock.fast_forward(PATIENCE)
    for each in (page, remote):
        expect(each.locator("#told")).to_have_text("Room closed", timeout=35_000)
        expect(each.locator("#gone")).to_contain_text("This room has ended")
        for part in ("#round-button", "#refusal"):
            expect(each.locator(part)).to_be_hidden()
    for part in ("#code", "#here"):
        expect(page.locator(part)).to_be_hidden()
    page.get_by_role("link", name="Start another room").click()
    page.wait_for_url("**/host")


def test_what_was_refused_is_told_beside_the_controls(site: Site, page: Page, watch: Watch) -> None:
    watch.expected = "status of 40"
    open_room(page, site)
    page.get_by_role("button", name="Undo removal").click()
    expect(page.locator("#refusal")).not_to_be_empty()
    page.context.clear_cookies()
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#refusal")).to_contain_text("Only the host")
    stage(page, "lobby")


def test_everything_can_be_done_from_the_keyboard(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/host")
    page.get_by_label("Title").focus()
    page.keyboard.type("Keys")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/present$"))
    expect(page.locator("#link")).to_have_text("Live")
    seen = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        focus = page.evaluate("""() => {
          const { activeElement: e } = document;
          const control = e.matches("a, button, input");
          return control ? [e.textContent.trim() || e.name, getComputedStyle(e).outlineStyle] : null;
        }""")
        if focus:
            seen.add(focus[0])
            assert focus[1] != "none", focus
    assert seen >= {"Start", "Reset …", "Freeze", "Hide names", "bots", "rate", "Remote …"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_of_the_host_has_a_fault_that_axe_knows(
    site: Site, page: Page, axe: str, scheme: Any, watch: Watch, browser: Browser
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    def check() -> None:
        page.evaluate(axe)
        found = page.evaluate("() => axe.run().then((result) => result.violations)")
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []

    page.goto(f"{site.url}/host")
    check()
    code = open_room(page, site, bots=12)
    expect(page.locator("#names li")).to_have_count(12)
    check()
    page.keyboard.press("s")
    stage(page, "play")
    check()
    page.get_by_role("button", name="Reset …").click()
    check()
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    stage(page, "over")
    check()
    page.goto(f"{site.url}/r/{code}/remote")
    expect(page.locator("#people li")).to_have_count(12)
    check()
    page.goto(f"{site.url}/r/{code}/links")
    page.get_by_role("button", name="Make the link").click()
    expect(page.locator("#fresh-title")).to_be_visible()
    check()
    watch.expected = "status of 403"
    page.context.clear_cookies()
    page.goto(f"{site.url}/r/{code}/present")
    check()


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_no_page_of_the_host_scrolls_sideways(site: Site, page: Page, width: int) -> None:
    code = open_room(page, site, bots=3)
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/host", *(f"/r/{code}/{each}" for each in ("present", "remote", "links"))):
        page.goto(f"{site.url}{path}")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, path


def test_without_a_script_the_remote_still_controls(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/host")
    page.get_by_role("button", name="Open the room").click()
    page.goto(page.url.replace("present", "remote"))
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    context.close()
