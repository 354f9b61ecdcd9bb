"""The game in the browser: from the start page to the podium, alone and against each other, by keyboard and touch."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.codes import codes_in
from tests.browser.conftest import ADMIN, PHONE, Site, Watch
from tests.browser.proxy import Proxy
from tests.browser.room import LONG, Room, hit, join, stage


def test_two_players_meet_in_a_room_and_play_to_the_podium(
    site: Site, page: Page, browser: Browser, watch: Watch
) -> None:
    room = Room(site, title="Final", round_ms=8000)
    join(page, room, "Ann")
    other = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    second = other.new_page()
    join(second, room, "<b>Bob</b>")
    for each in (page, second):
        expect(each.locator("#here")).to_have_text("2 players are here")
        expect(each.locator("#names li")).to_have_text(["Ann", "<b>Bob</b>"])
    room.host(op="open", in_ms=1500, for_ms=8000)
    for each in (page, second):
        stage(each, "count")
    stage(page, "play")
    stage(second, "play")
    for _ in range(4):
        hit(page)
        hit(second, "touch")
    hit(page, "mouse")
    expect(page.locator("#near tbody tr.own .name")).to_have_text("Ann")
    for each in (page, second):
        stage(each, "over")
    rows = room.rows()
    assert rows["Ann"] > rows["<b>Bob</b>"] > 0
    for each in (page, second):
        expect(each.locator("#podium .name")).to_have_text(["Ann", "<b>Bob</b>"])
    expect(page.locator("#own-place")).to_contain_text("You are 1st of 2")
    expect(second.locator("#own-place")).to_contain_text("You are 2nd of 2")
    assert len(watch.sockets) == 1

    page.get_by_role("link", name="Full table").click()
    expect(page.locator(".podium .name")).to_have_text(["Ann", "<b>Bob</b>"])
    # The next round begins with the same players at nothing.
    room.host(op="clear", players=True)
    stage(second, "lobby")
    assert set(room.rows().values()) == {0}
    other.close()


def test_a_lone_visitor_plays_against_bots_by_keyboard_alone(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/play")
    page.get_by_role("button", name="Play against bots").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/r/\w{4}$"))
    stage(page, "play")
    for by in ("keys", "pad", "keys", "pad"):
        hit(page, by)
    score = int(page.locator("#score").inner_text())
    assert score >= 7
    expect(page.locator("#place")).to_have_text(re.compile(r"^\d / 9$"))
    name = page.locator("#near tr.own .name").inner_text()
    # Some bot has points by now: all of them play by the same rules.
    expect(page.locator("#near tbody tr")).not_to_have_count(0)

    # A reload keeps name, score, and where the lights are.
    confirmed = page.locator("#near tr.own .score")
    expect(confirmed).to_have_text(str(int(page.locator("#score").inner_text())))
    score = int(confirmed.inner_text())
    page.reload()
    stage(page, "play")
    expect(page.locator("#score")).to_have_text(str(score))
    expect(page.locator("#near tr.own .name")).to_have_text(name)
    hit(page)
    expect(confirmed).not_to_have_text(str(score))


def test_friends_get_in_by_the_code_on_the_phone_of_who_opened_the_room(
    site: Site, browser: Browser
) -> None:
    """A second device needs no word of explanation: it scans what the first one shows."""
    reached = site.url.replace("127.0.0.1", PHONE)  # by an address that is not this machine's own
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(reached)
    page.get_by_role("link", name="Play", exact=True).last.tap()
    page.get_by_role("button", name="Open a room").tap()
    page.wait_for_url(re.compile(r"/j/\w{4}$"))
    page.get_by_role("button", name="Join").tap()
    stage(page, "lobby")
    code = page.get_by_alt_text("QR code: join room")
    expect(code).to_be_in_viewport(ratio=1)
    page.wait_for_function("document.querySelector('#invite img').complete")
    (link,) = codes_in(context, page.screenshot())
    assert link.startswith(f"{reached}/j/")
    friend = browser.new_context()
    other = friend.new_page()
    other.goto(link)
    other.get_by_role("button", name="Join").click()
    stage(other, "lobby")
    expect(other.get_by_alt_text("QR code: join room")).to_be_hidden()
    page.get_by_role("button", name="Start the round").tap()
    for each in (page, other):
        stage(each, "play")
    expect(code).to_be_hidden()
    friend.close()
    context.close()


def test_who_opens_a_room_where_no_phone_can_get_is_told_so(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/play")
    page.get_by_role("button", name="Open a room").click()
    page.get_by_role("button", name="Join").click()
    stage(page, "lobby")
    expect(page.locator("#invite")).to_contain_text("No phone can get here")
    assert page.locator("#invite img").count() == 0


def test_a_reader_of_the_screen_hears_of_place_time_and_end(site: Site, page: Page) -> None:
    page.add_init_script(
        """window.said = [];
        addEventListener("DOMContentLoaded", () => {
          const status = document.getElementById("status");
          if (status) new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true });
        });"""
    )
    room = Room(site, round_ms=20_000)
    join(page, room, "Ann")
    room.host(op="enter", player="bob", name="Bob")
    room.host(op="open", for_ms=20_000)
    stage(page, "play")
    site.publish(room.made["channel"], {"player": "bob", "score": 50})
    stage(page, "over")
    place = "You are 2nd of 2 · 50 points to 1st"
    expect(page.get_by_role("status")).to_have_text(f"Round over. {place}", timeout=LONG)
    said = page.evaluate("said")
    assert said == ["Go!", place, "Ten seconds left.", f"Round over. {place}"]


def test_a_reader_of_the_screen_hears_of_the_link(site: Site, page: Page, watch: Watch) -> None:
    watch.expected = "WebSocket connection|ERR_"
    room = Room(site, round_ms=60_000)
    with Proxy(int(site.url.rpartition(":")[2])) as network:
        page.goto(f"{network.url.replace('127.0.0.1', PHONE)}/j/{room.code}")
        page.get_by_label("You are").fill("Ann")
        page.get_by_role("button", name="Join").click()
        stage(page, "lobby")
        said = page.get_by_role("status")
        page.context.set_offline(True)
        network.cut()
        expect(said).to_contain_text("The connection is lost", timeout=LONG)
        page.context.set_offline(False)
        expect(said).to_contain_text("live again", timeout=LONG)


@pytest.mark.parametrize("colours", ["forced", "more contrast"])
def test_the_lit_tile_is_found_by_who_needs_more_contrast(
    site: Site, page: Page, colours: str
) -> None:
    if colours == "forced":
        page.emulate_media(forced_colors="active")
    else:
        page.emulate_media(contrast="more")
    room = Room(site, round_ms=60_000)
    join(page, room, "Ann")
    room.host(op="open", for_ms=60_000)
    page.wait_for_selector(".tile-nine.lit", timeout=LONG)
    lit, dot, dark, border, other = page.evaluate(
        """() => {
          const [lit, dark] = [".tile-nine.lit", ".tile-nine:not(.lit)"].map((each) => document.querySelector(each));
          const { backgroundColor, borderTopWidth } = getComputedStyle(lit);
          const other = getComputedStyle(dark);
          return [backgroundColor, getComputedStyle(lit, "::after").backgroundColor, other.backgroundColor,
            borderTopWidth, other.borderTopWidth];
        }"""
    )
    assert lit not in (dot, dark)
    if colours == "more contrast":
        assert border != other


def test_a_code_without_a_room_says_so_and_leads_on(site: Site, page: Page, watch: Watch) -> None:
    watch.expected = "404"
    for path in ("/j/ZZZZ", "/r/ZZZZ", "/r/ZZZZ/results", "/j?code=zz zz"):
        answer = page.goto(site.url + path)
        assert answer is not None
        assert answer.status == 404
        expect(page.locator("#missing")).to_contain_text("There is no room")
        expect(page.get_by_role("link", name="Start a room of your own")).to_be_visible()
    room = Room(site)
    page.get_by_label("Room code").fill(f" {room.code.lower()}")
    page.get_by_role("button", name="Join").click()
    page.wait_for_url(f"{site.url}/j/{room.code}")


def test_a_name_is_refused_with_the_reason_and_another_suggested(
    site: Site, page: Page, watch: Watch
) -> None:
    watch.expected = "422"
    room = Room(site)
    page.goto(f"{site.url}/j/{room.code}")
    page.get_by_label("You are").fill("x" * 30)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("alert")).to_contain_text("at most 20 letters")
    for left in ("2 left", "1 left", "No more"):
        page.locator("#roll").click()
        expect(page.locator("#roll")).to_contain_text(left)
    expect(page.locator("#roll")).to_be_disabled()
    expect(page.get_by_label("You are")).to_have_value(re.compile(r"^\w+ \w+$"))


def test_a_press_before_the_script_has_come_is_kept(site: Site, page: Page) -> None:
    held: list[Route] = []
    for name in ("play", "join"):
        page.route(f"**/page-{name}.js", lambda route: held.append(route))
    page.goto(f"{site.url}/play", wait_until="commit")
    page.get_by_role("button", name="Play against bots").click()
    expect(page.locator("#solo")).to_have_attribute("aria-busy", "true")
    held.pop().continue_()
    page.wait_for_url(re.compile(r"/r/\w{4}$"), wait_until="commit")
    room = Room(site)
    page.goto(f"{site.url}/j/{room.code}", wait_until="commit")
    page.get_by_label("You are").fill("Ann")
    page.keyboard.press("Enter")
    expect(page.locator("#join .primary")).to_have_attribute("aria-busy", "true")
    held.pop().continue_()
    stage(page, "lobby")
    assert set(room.rows()) == {"Ann"}


def test_a_full_room_says_so_before_a_name_is_asked_for(
    site: Site, page: Page, browser: Browser
) -> None:
    room = Room(site, max_players=1)
    join(page, room, "Ann")
    other = browser.new_context()
    second = other.new_page()
    second.goto(f"{site.url}/j/{room.code}")
    expect(second.locator("#full")).to_have_text("This room is full: no more than 1 may play.")
    expect(second.get_by_label("You are")).to_have_count(0)
    second.get_by_role("link", name="See how it stands").click()
    expect(second.locator("tbody .name")).to_have_text(["Ann"])
    page.goto(f"{site.url}/j/{room.code}")  # who has a seat goes on
    stage(page, "lobby")
    room.host(op="ban", player=room.player("Ann"))
    second.goto(f"{site.url}/j/{room.code}")
    expect(second.get_by_label("You are")).to_be_visible()
    other.close()


def test_a_seat_that_is_known_no_more_is_a_new_one_and_the_name_is_kept(
    site: Site, page: Page
) -> None:
    room = Room(site)
    join(page, room, "Ann")
    page.evaluate(
        """(code) => {
          const seat = JSON.parse(localStorage[`seat:${code}`]);
          localStorage[`seat:${code}`] = JSON.stringify({ ...seat, token: `${seat.token}x` });
        }""",
        room.code,
    )
    page.reload()
    expect(page.locator("#refusal")).to_have_text(
        "Your old place here is gone: you have joined as a new player."
    )
    expect(page.locator(".you")).to_have_text("Ann 2")
    assert set(room.rows()) == {"Ann", "Ann 2"}


def test_where_hosts_alone_open_rooms_no_page_promises_another(page: Page, watch: Watch) -> None:
    watch.expected = "404"
    with closing(Site(rooms="host")) as strict:
        strict.start()
        for path in ("/", "/play", "/j", "/j/ZZZZ"):
            page.goto(strict.url + path)
            expect(page.locator("main")).not_to_contain_text(
                re.compile("against (eight )?bots|alone|of your own", re.IGNORECASE)
            )
            expect(page.get_by_role("link", name="Host a room")).to_be_visible()
        page.get_by_role("link", name="Host a room").click()
        page.get_by_label("Key of a host").fill(ADMIN)
        page.get_by_role("button", name="Open the room").click()
        page.wait_for_url(re.compile(r"/r/\w{4}/present$"))


def test_who_is_taken_out_is_told(site: Site, page: Page, watch: Watch) -> None:
    watch.expected = "403"
    room = Room(site)
    join(page, room, "Ann")
    player = page.evaluate("(code) => JSON.parse(localStorage[`seat:${code}`]).player", room.code)
    room.host(op="ban", player=player)
    page.reload()
    expect(page.locator("#refusal")).to_have_text("The host has taken you out of this room.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_the_game_fits_and_has_no_barrier(
    site: Site, browser: Browser, axe: str, scheme: Any
) -> None:
    context: BrowserContext = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    room = Room(site, round_ms=60_000, title="A room with a rather long title for a phone")

    def look(where: str) -> None:
        for width in (320, 390, 768, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 700})
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (where, width)
        page.evaluate(axe)
        found = page.evaluate("axe.run()")
        assert [(each["id"], where) for each in found["violations"]] == []

    for path in ("/play", "/j", f"/j/{room.code}", f"/r/{room.code}/results"):
        page.goto(site.url + path)
        look(path)
    page.goto(f"{site.url.replace('127.0.0.1', PHONE)}/play")
    page.get_by_role("button", name="Open a room").click()
    page.get_by_role("button", name="Join").click()
    expect(page.locator("#invite img")).to_be_visible()
    look("the lobby of friends")
    join(page, room, "W" * 20)
    look("lobby")
    room.host(op="open", for_ms=60_000)
    stage(page, "play")
    hit(page)
    page.set_viewport_size({"width": 320, "height": 568})
    sizes = page.locator(".tile-nine").evaluate_all(
        "tiles => tiles.map((each) => each.getBoundingClientRect()).map((r) => [r.width, r.height, r.bottom])"
    )
    assert all(width >= 44 and height >= 44 and bottom <= 568 for width, height, bottom in sizes)
    look("round")
    room.host(op="close")
    stage(page, "over")
    look("podium")
    page.goto(f"{site.url}/r/{room.code}/results")
    look("results")
    context.close()
