"""What opening a page may cost, and that it holds still: budgets as an auditor of pages would set them.

Weights and requests are those of docs/performance.md. A page is opened over a slow link, so that it is seen before its
scripts run, as it is on a phone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from tests.browser.conftest import Site, source
from tests.browser.room import Room, hit, join, stage
from tests.browser.test_embed import Elsewhere, element, elsewhere, running, script
from tests.checkout import ROOT
from tests.documents import block

__all__ = ["elsewhere", "running"]  # fixtures

SLOW_LINK: Final = {
    "offline": False,
    "latency": 150,  # ms, as Lighthouse has it for a phone
    "downloadThroughput": 1.6 * 1024 * 1024 / 8,
    "uploadThroughput": 750 * 1024 / 8,
}
MOST_SHIFT: Final = 0.01
"""Of what a page shifts in all; a tenth of what Lighthouse still calls good."""
MOST_BLOCKING: Final = 15_000
"""Bytes of the scripts that a page waits for before it is seen: htmx, which says why in boards.html, and small ones."""
MORE: Final = 1.1
"""A page may weigh a tenth more than is written down, and ask for one file more."""
DEVICES: Final[dict[str, dict[str, Any]]] = {
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
    "laptop": {"viewport": {"width": 1280, "height": 720}},
}
BOARD: Final = "/leaderboard/budget"


@pytest.fixture(params=list(DEVICES))
def browser_context_args(
    browser_context_args: dict[str, Any], request: pytest.FixtureRequest
) -> dict[str, Any]:
    """A phone, and a laptop."""
    return {**browser_context_args, **DEVICES[request.param]}


@dataclass
class Visit:
    """A window with nothing kept, behind a slow link, and what came over it."""

    site: Site
    page: Page
    elsewhere: Elsewhere
    weights: list[int] = field(default_factory=list)
    """Bytes of each answer: the head and, as it travelled, the body."""

    def go(self, path: str, live: str = "") -> None:
        """A page; with `live` once the element of that selector says that its link is."""
        self.page.goto(path if path.startswith("http") else self.site.url + path)
        if live:
            expect(self.page.locator(live)).to_have_text("Live")

    def settle(self) -> None:
        """Until everything has come, and nothing moves."""
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate("settled()")

    def shift(self) -> tuple[float, str]:
        """What has moved without being asked to, by Layout Instability, and a word on what it was."""
        self.page.evaluate("settled()")
        total, moved = self.page.evaluate("shifted()")
        return total, moved


@pytest.fixture
def visit(site: Site, context: BrowserContext, page: Page, elsewhere: Elsewhere) -> Visit:
    """A visitor who comes for the first time."""
    context.add_init_script(source("shifts.js"))
    visit = Visit(site, page, elsewhere)
    wire: CDPSession = context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.emulateNetworkConditions", SLOW_LINK)
    wire.on("Network.loadingFinished", lambda told: visit.weights.append(told["encodedDataLength"]))
    return visit


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A server of these tests alone, whose pages list nothing else: a board of twelve, of whom ten are seen."""
    site = Site().start()
    site.fill(BOARD, 12)
    yield site
    site.close()


# -- opening a page ----------------------------------------------------------------------------------------------------


def joined(visit: Visit) -> Room:
    """In the lobby of a room."""
    room = Room(visit.site, title="Friday final")
    join(visit.page, room, "Ada Lovelace")
    expect(visit.page.locator("#link")).to_have_text("Live")
    return room


def presented(visit: Visit) -> None:
    """A room's page for the big screen."""
    visit.go("/host")
    visit.page.get_by_label("Bots that play along").fill("8")
    visit.page.get_by_role("button", name="Open the room").click()
    expect(visit.page.locator("#names li")).to_have_count(8)
    expect(visit.page.locator("#link")).to_have_text("Live")


def embedded(visit: Visit) -> None:
    """The element in the page of another site, which keeps its place for it as docs/how-to/embed.md says."""
    style = block("css", "live-leaderboard").text
    text = "<p>What stands below the board.</p>" * 5
    head = '<meta name="viewport" content="width=device-width">'
    visit.go(
        visit.elsewhere.put(head + element(BOARD) + text + script(visit.site), style=style),
        "live-leaderboard .status",
    )


Opening = Callable[[Visit], object]


def goes(path: str, live: str = "") -> Opening:
    """An opening that is a page and nothing else."""
    return lambda visit: visit.go(path, live)


OPENINGS: Final[dict[str, Opening]] = {
    "/": goes("/"),
    "/l": goes("/l"),
    "/l/{channel}": goes(f"/l{BOARD}", "#link"),
    "/l/{channel}?around=…&me=1": goes(f"/l{BOARD}?around=p5&me=1", "#link"),
    "/play": goes("/play"),
    "/j/{code}, then /r/{code}": joined,
    "/host, then /r/{code}/present": presented,
    "/embed": goes("/embed", "live-leaderboard .status"),
    "/embed/{channel}": goes(f"/embed{BOARD}", "live-leaderboard .status"),
    "the element in another page": embedded,
    "/console": goes("/console"),
    "/lab": goes("/lab"),
    "/check": goes("/check"),
    "/docs": goes("/docs"),
    "/docs/guide": goes("/docs/guide"),
}


UNSIZED: Final = """() => [...document.querySelectorAll("img, iframe, video")]
  .filter((each) => !each.getAttribute("width") || !each.getAttribute("height")).map((each) => each.outerHTML)"""
BLOCKING: Final = """() => performance.getEntriesByType("resource")
  .filter((each) => each.initiatorType === "script" && each.renderBlockingStatus === "blocking")
  .map((each) => [each.name, each.encodedBodySize])"""


def written() -> dict[str, tuple[float, int]]:
    """By page: kilobytes and requests, as docs/performance.md has them."""
    text = (ROOT / "docs" / "performance.md").read_text("utf-8")
    rows = re.findall(r"^\| `?(.+?)`? \| ([\d.]+) kB \| (\d+) \|$", text, re.MULTILINE)
    return {name.replace("`", ""): (float(weight), int(count)) for name, weight, count in rows}


@pytest.mark.parametrize("name", OPENINGS)
def test_a_page_opens_within_its_budget_and_holds_still(visit: Visit, name: str) -> None:
    OPENINGS[name](visit)
    visit.settle()
    weight, count = sum(visit.weights) / 1000, len(visit.weights)
    print(f"\n| `{name}` | {weight:.0f} kB | {count} |")
    shift, moved = visit.shift()
    assert shift < MOST_SHIFT, moved
    assert visit.page.evaluate(UNSIZED) == []
    blocking = visit.page.evaluate(BLOCKING)
    assert sum(size for _, size in blocking) < MOST_BLOCKING, blocking
    most, files = written()[name]
    assert weight < most * MORE
    assert weight > most / MORE - 1, "lighter than is written down: write it anew"
    assert count <= files + 1


# -- and what comes then -----------------------------------------------------------------------------------------------


def some_time(site: Site, seen: Callable[[str], None]) -> Iterator[None]:
    """Rows enter, overtake each other and leave; each change is seen before the next."""
    for turn in range(8):
        name = f"Newcomer {turn}"
        site.publish(
            BOARD,
            {"player": f"new{turn}", "name": name, "score": 1300 + turn},
            {"player": f"p{turn + 1}", "score": 1200 + turn},
        )
        seen(name)
        yield
        site.publish(BOARD, {"op": "remove", "player": f"new{turn}"})
        yield


@pytest.mark.parametrize(
    "name",
    [
        "/l/{channel}",
        "/l/{channel}?around=…&me=1",
        "/embed/{channel}",
        "the element in another page",
    ],
)
def test_a_page_holds_still_while_its_board_changes(visit: Visit, name: str) -> None:
    OPENINGS[name](visit)

    def seen(player: str) -> None:
        expect(visit.page.locator("tbody .name", has_text=player)).to_be_visible()

    for _ in some_time(visit.site, seen):
        visit.page.evaluate("settled()")
    shift, moved = visit.shift()
    assert shift < MOST_SHIFT, moved


def test_the_first_score_of_a_board_pushes_nothing_away(visit: Visit, channel: str) -> None:
    visit.go(f"/l{channel}", "#link")
    visit.site.publish(channel, {"player": "ann", "name": "Ann", "score": 1})
    expect(visit.page.locator("tbody .name")).to_have_text("Ann")
    visit.site.publish(channel, {"op": "remove", "player": "ann"})
    expect(visit.page.locator("#empty")).to_be_visible()
    shift, moved = visit.shift()
    assert shift < MOST_SHIFT, moved


def test_a_page_holds_still_where_a_round_is_over(visit: Visit, channel: str) -> None:
    visit.site.fill(channel)
    visit.site.publish(channel, {"op": "close"})
    visit.go(f"/l{channel}", "#link")
    expect(visit.page.locator("#round")).to_contain_text("Round over")
    shift, moved = visit.shift()
    assert shift < MOST_SHIFT, moved


def test_a_page_holds_still_when_a_round_opens_and_ends(visit: Visit, channel: str) -> None:
    visit.site.fill(channel)
    visit.go(f"/l{channel}", "#link")
    told = visit.page.locator("#round")
    for event, seen in (
        ({"op": "open", "for_ms": 600_000}, "Round 1"),
        ({"op": "freeze"}, "Standings frozen"),
        ({"op": "unfreeze"}, "Round 1"),
        ({"op": "close"}, "Round over"),
    ):
        visit.site.publish(channel, event)
        expect(told).to_contain_text(seen)
        visit.page.evaluate("settled()")
    shift, moved = visit.shift()
    assert shift < MOST_SHIFT, moved


def test_nothing_jumps_on_the_way_from_the_game_to_the_podium(visit: Visit) -> None:
    room = joined(visit)
    for number in range(8):
        room.host(op="enter", player=f"p{number}", name=f"Player {number}")
    room.host(op="open", for_ms=60_000)
    stage(visit.page, "play")
    for _ in range(3):
        hit(visit.page)
    expect(visit.page.locator("#near tr.own .score")).to_have_text("24")
    visit.page.evaluate("settled()")
    room.host(op="close")
    stage(visit.page, "over")
    expect(visit.page.locator("#podium li")).to_have_count(3)
    shift, moved = visit.shift()
    assert shift < MOST_SHIFT, moved


@pytest.mark.parametrize("browser_context_args", ["phone"], indirect=True)
def test_nothing_jumps_on_the_way_from_the_lobby_into_the_game(visit: Visit) -> None:
    room = joined(visit)
    for number in range(8):
        room.host(op="enter", player=f"p{number}", name=f"Player {number}")
    expect(visit.page.locator("#names li")).to_have_count(9)
    room.host(op="open", in_ms=500, for_ms=30_000)
    stage(visit.page, "count")
    stage(visit.page, "play")
    shift, moved = visit.shift()
    assert shift < MOST_SHIFT, moved
