"""A player's seat: on another device, after a restart; what is heard; what a LAN’s plain http lacks."""

from __future__ import annotations

import re
import signal

from playwright.sync_api import Browser, Page, expect

from tests.browser.codes import codes_in
from tests.browser.conftest import PATIENCE, PHONE, Site, Watch
from tests.browser.room import Room, hit, join, stage


def plain(site: Site) -> str:
    """The site under a name that browsers do not trust, as an address in a LAN is."""
    return site.url.replace("127.0.0.1", PHONE)


def test_a_seat_goes_to_another_device_by_a_code_and_its_token_into_no_address(
    own_site: Site, page: Page, browser: Browser, watch: Watch
) -> None:
    room = Room(own_site, round_ms=60_000)
    page.goto(f"{plain(own_site)}/j/{room.code}")
    page.get_by_label("You are").fill("Ann")
    page.get_by_role("button", name="Join").click()
    stage(page, "lobby")
    page.get_by_text("Go on with another device").click()
    expect(page.get_by_alt_text("QR code of your seat")).to_be_visible()
    (link,) = codes_in(page.context, page.screenshot(full_page=True))
    assert link.startswith(f"{plain(own_site)}/r/{room.code}#seat=ey")

    room.host(op="open", for_ms=60_000)
    hit(page)
    score = page.locator("#near tr.own .score")
    expect(score).to_have_text("7")
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    asked: list[str] = []
    phone.on("request", lambda request: asked.append(request.url))
    second = phone.new_page()
    second.goto(link)
    stage(second, "play")
    assert second.url == f"{plain(own_site)}/r/{room.code}"
    expect(second.locator("#score")).to_have_text("7")
    expect(second.locator("#near tr.own .name")).to_have_text("Ann")
    hit(second, "touch")
    expect(score).not_to_have_text("7")  # both play for one row
    assert set(room.rows()) == {"Ann"}
    second.reload()
    expect(second.locator("#near tr.own .name")).to_have_text("Ann")
    phone.close()

    token = link.partition("#seat=")[2]
    own_site.stop()
    assert token not in own_site.said
    assert not any(token in url for url in [*asked, *watch.requests] if not url.startswith(link))


def test_a_server_for_this_machine_alone_says_so_instead_of_a_useless_code(
    site: Site, page: Page, watch: Watch
) -> None:
    watch.expected = "404"
    room = Room(site)
    join(page, room, "Ann")
    page.get_by_text("Go on with another device").click()
    expect(page.locator("#elsewhere p")).to_contain_text("started with --host 0.0.0.0")
    expect(page.locator("#seat-code")).to_be_hidden()


def test_all_pages_of_a_killed_server_come_back_and_a_room_is_said_to_be_gone(
    own_site: Site, page: Page, watch: Watch
) -> None:
    watch.expected = "WebSocket connection|404|ERR_CONNECTION|ERR_CONTENT_LENGTH"
    channel = "/leaderboard/restarted"
    page.context.clock.install()
    own_site.fill(channel, 3)
    room = Room(own_site, round_ms=60_000)
    join(page, room, "Ann")
    badges = []
    for path, badge in (("l", "#link"), ("embed", ".status"), ("overlay", ".status")):
        each = page.context.new_page()
        each.goto(f"{own_site.url}/{path}{channel}")
        each.evaluate("window.same = true")
        badges.append((each, each.locator(badge)))
        expect(each.locator(badge)).to_have_text("Live")
    room.host(op="open", for_ms=60_000)
    hit(page)
    own_site.stop(signal.SIGKILL)
    expect(page.locator("#link")).to_have_text("Reconnecting")
    expect(page.locator("#near tr.own .name")).to_have_text("Ann")
    own_site.start()
    own_site.publish(channel, {"player": "new", "name": "A new life", "score": 1})
    page.context.clock.fast_forward(PATIENCE)
    expect(page.locator("#refusal")).to_contain_text("A new board starts", timeout=35_000)
    expect(page.locator("#near")).to_be_hidden()
    for each, badge_of in badges:
        expect(badge_of).to_have_text("Live", timeout=35_000)
        expect(each.locator("tbody .name")).to_have_text(["A new life"])
        assert each.evaluate("window.same") is True
    expect(badges[0][0].locator("#news")).to_have_text("A new board has started.")
    page.get_by_role("link", name="Start another room").click()
    page.wait_for_url("**/play")
    page.wait_for_load_state()
    page.get_by_role("button", name="Play against bots").click()
    stage(page, "count")
    page.goto(f"{own_site.url}/r/{room.code}")
    expect(page.locator("#missing")).to_contain_text("There is no room")


TONES = """
window.tones = [];
const { start } = OscillatorNode.prototype;
OscillatorNode.prototype.start = function (...rest) {
  tones.push(this.frequency.value);
  return start.apply(this, rest);
};
window.contexts = 0;
window.AudioContext = class extends AudioContext { constructor() { super(); contexts += 1; } };
window.buzzes = [];
Navigator.prototype.vibrate = (pattern) => buzzes.push(pattern);
"""


def test_sound_and_vibration_are_off_until_switched_on_and_remembered(
    site: Site, browser: Browser
) -> None:
    phone = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    phone.add_init_script(TONES)
    page = phone.new_page()
    room = Room(site, round_ms=60_000)
    join(page, room, "Ann")
    sound, buzz = (page.get_by_role("switch", name=name) for name in ("Sound", "Vibration"))
    room.host(op="open", for_ms=60_000)
    for switch in (sound, buzz):
        expect(switch).to_have_attribute("aria-checked", "false")
    hit(page, "touch")
    assert page.evaluate("[tones.length, contexts, buzzes.length]") == [0, 0, 0]
    sound.tap()
    expect(sound).to_have_attribute("aria-checked", "true")
    assert page.evaluate("[tones.length, contexts, buzzes.length]") == [1, 1, 0]  # a sample
    while page.evaluate("tones.length") < 3:  # a hand may be too fast for a tap to count
        hit(page, "touch")
    low, middle, high = page.evaluate("tones")
    assert low < middle < high  # a combo is heard
    buzz.tap()
    page.reload()
    stage(page, "play")
    for switch in (sound, buzz):
        expect(switch).to_have_attribute("aria-checked", "true")
    page.evaluate("tones.length = buzzes.length = 0")
    hit(page, "touch")
    assert page.evaluate("[tones.length > 0, contexts, buzzes.length > 0]") == [True, 1, True]
    sound.tap()
    page.reload()
    expect(sound).to_have_attribute("aria-checked", "false")
    expect(buzz).to_have_attribute("aria-checked", "true")
    phone.close()


def test_ones_own_row_stays_in_sight_of_a_long_table(site: Site, page: Page, channel: str) -> None:
    site.fill(channel, 60)
    page.set_viewport_size({"width": 390, "height": 640})
    page.goto(f"{site.url}/l{channel}?top=60&around=p50&me=1")
    expect(page.locator("#link")).to_have_text("Live")
    own, place = page.locator("tr.own"), page.locator("#own-place")
    for scroll in (0, 1200, 5000):
        page.evaluate("(top) => scrollTo(0, top)", scroll)
        expect(own).to_be_in_viewport(ratio=0.98)
        # Seen is what nothing else covers.
        covered = own.evaluate(
            """(row) => { const { left, top, height } = row.getBoundingClientRect();
                 return !row.contains(document.elementFromPoint(left + 40, top + height / 2)); }"""
        )
        assert not covered
        expect(place).to_be_in_viewport(ratio=1)
    # The results of a room: the seat is known to the browser alone, and its place may be beyond the table's end.
    room = Room(site)
    join(page, room, "Ann")
    room.host(op="open", for_ms=30_000)
    site.publish(room.made["channel"], *({"player": f"p{n}", "score": 5} for n in range(105)))
    page.goto(f"{site.url}/r/{room.code}/results")
    expect(own.locator(".name")).to_have_text("Ann")
    expect(own.locator(".rank")).to_have_text("106")
    expect(own).to_be_in_viewport(ratio=0.98)  # its edges may fall between two pixels
    expect(page.locator("tbody tr")).to_have_count(101)


def test_the_game_needs_no_secure_context(site: Site, page: Page) -> None:
    page.goto(f"{plain(site)}/play")
    assert page.evaluate(
        "[isSecureContext, typeof navigator.clipboard, typeof navigator.wakeLock, typeof crypto.randomUUID]"
    ) == [False, "undefined", "undefined", "undefined"]
    page.get_by_role("button", name="Play against bots").click()
    page.wait_for_url(re.compile(r"/r/\w{4}$"))
    stage(page, "play")
    hit(page)
    expect(page.locator("#near tr.own .score")).to_have_text("7")
    page.goto(f"{plain(site)}/embed")
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.goto(f"{plain(site)}/console")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#state")).to_have_text("Live")
