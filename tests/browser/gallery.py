"""Pictures of every page, for people to look at, with live data in them; and those of the README.

    python -m tests.browser.gallery                  all, to build/screenshots
    python -m tests.browser.gallery room             those whose name has "room" in it
    python -m tests.browser.gallery --readme         docs/*.png anew

A new page is one more line of SCENES: a name, and what leads there from an empty window.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.browser.conftest import ADMIN, CHROMIUM, PHONE, Site
from tests.browser.room import Room, hit, join, stage
from tests.checkout import ROOT
from tests.needs import needs

OUT = ROOT / "build" / "screenshots"
DOCS = ROOT / "docs"
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SIZES = {"phone": (390, 844), "laptop": (1280, 720), "projector": (1920, 1080)}
DEVICES = ((True, ["phone"]), (False, ["laptop", "projector"]))
"""Whether it is touched, and its sizes."""
HEAVIEST = 150
"""Kilobytes of a picture of the README."""
DEMO = "/leaderboard/summer-cup"
PLAYERS = ("Hedy Lamarr", "Edsger Dijkstra", "Grace Hopper", "Ken Thompson", "Radia Perlman", "Alan Turing",
           "Katherine Johnson", "Zoë Nguyễn", "王佳怡", "محمد الخوارزمي", "Fatou Kaya", "👩‍🚀 Sally")  # fmt: skip


def crowded(site: Site, **wanted: Any) -> Room:
    """A room with all of PLAYERS in it."""
    room = Room(site, **{"title": "Friday final", **wanted})
    for number, name in enumerate(PLAYERS):
        room.host(op="enter", player=f"p{number}", name=name)
    return room


def score(room: Room) -> None:
    """All of PLAYERS have points."""
    rows = ({"player": f"p{number}", "score": 240 - 17 * number} for number in range(len(PLAYERS)))
    room.site.publish(room.made["channel"], *rows)


@dataclass
class Stage:
    """A window, a server with something going on, and what of it a scene has made."""

    site: Site
    page: Page
    made: list[Room] = field(default_factory=list)

    def go(self, path: str, live: str = "") -> None:
        """A page; with `live` once the element of that selector says that its link is."""
        self.page.goto(self.site.url + path)
        if live:
            expect(self.page.locator(live)).to_have_text("Live")

    def enter(self) -> Room:
        """A new room with a crowd in it, one's own lobby before one."""
        room = crowded(self.site)
        join(self.page, room, "Ada Lovelace")
        return room

    def play(self, hits: int) -> Room:
        """A round that everybody has points in."""
        room = self.enter()
        room.host(op="open", for_ms=30_000)
        stage(self.page, "play")
        score(room)
        for _ in range(hits):
            hit(self.page)
            self.page.wait_for_timeout(200)
        return room

    def settle(self) -> None:
        """Let what moves come to rest."""
        self.page.wait_for_timeout(400)


# -- the scenes --------------------------------------------------------------------------------------------------------


Scene = Callable[[Stage], None]


def goes(path: str, live: str = "") -> Scene:
    """A scene that is a page and nothing else."""
    return lambda at: at.go(path, live)


def follow(at: Stage) -> None:
    at.go(f"/l{DEMO}")
    at.page.get_by_role("button", name="Follow").click()


def code_form(at: Stage) -> None:
    at.go("/j?code=ZZZZ")


def name_form(at: Stage) -> None:
    at.go(f"/j/{crowded(at.site).code}")


def lobby(at: Stage) -> None:
    at.enter()


def invitation(at: Stage) -> None:
    """The lobby of who has opened a room for friends, by an address that they can open too."""
    at.page.goto(f"{at.site.url.replace('127.0.0.1', PHONE)}/play")
    at.page.get_by_role("button", name="Open a room").click()
    at.page.get_by_role("button", name="Join").click()
    expect(at.page.locator("#invite img")).to_be_visible()


def seat_code(at: Stage) -> None:
    at.enter()
    at.page.get_by_text("Go on with another device").click()
    expect(at.page.locator("#seat-code")).to_be_visible()
    at.page.locator("#seat-code").scroll_into_view_if_needed()


def countdown(at: Stage) -> None:
    at.enter().host(op="open", in_ms=60_000, for_ms=30_000)
    stage(at.page, "count")


def playing(at: Stage) -> None:
    at.play(6)


def podium(at: Stage) -> None:
    room = at.play(4)
    at.settle()
    room.host(op="close")
    stage(at.page, "over")
    at.page.wait_for_timeout(2600)  # third, second, first


def hosted(at: Stage, bots: int = 24) -> str:
    """A room on the big screen, with bots in it; its code."""
    at.go("/host")
    at.page.get_by_label("Title").fill("Friday final")
    at.page.get_by_label("Bots that play along").fill(str(bots))
    at.page.get_by_role("button", name="Open the room").click()
    expect(at.page.locator("#names li")).to_have_count(bots)
    return at.page.locator("main").get_attribute("data-code") or ""


def gathering(at: Stage) -> None:
    hosted(at)


def on_stage(at: Stage) -> None:
    hosted(at)
    at.page.keyboard.press("s")
    stage(at.page, "play")
    expect(at.page.locator("#board .score").nth(10)).to_have_text(re.compile(r"\d\d"))


def decided(at: Stage) -> None:
    on_stage(at)
    at.page.keyboard.press("s")
    expect(at.page.locator("#podium li")).to_have_count(3)
    at.page.wait_for_timeout(3600)  # third, second, first


def remote(at: Stage) -> None:
    at.go(f"/r/{hosted(at, 4)}/remote", "#link")


def links(at: Stage) -> None:
    at.go(f"/r/{hosted(at, 4)}/links")
    for role in ("scorekeeper", "presenter"):
        at.page.get_by_label("Role").select_option(role)
        at.page.get_by_role("button", name="Make the link").click()
        expect(at.page.locator("#fresh-title")).to_contain_text(role.capitalize())


def credential(at: Stage, role: str = "game-server", path: str = "/credential") -> None:
    made = httpx.post(
        f"{at.site.url}/api/links",
        json={"role": role, "channel": DEMO, "rate": 10},
        headers={"x-api-key": ADMIN},
    )
    at.go(f"{path}#token={made.json()['token']}", "#link")


def scoring(at: Stage) -> None:
    credential(at, "scorekeeper", f"/l{DEMO}")


def results(at: Stage) -> None:
    podium(at)
    at.page.get_by_role("link", name="Full table").click()
    expect(at.page.locator("tr.own")).to_be_visible()


def console(at: Stage, path: str = "/console") -> None:
    at.go(path)
    page = at.page
    expect(page.locator("html[data-started]")).to_be_attached()
    page.locator("#credential").fill(ADMIN)
    for channel in ("#channel", "#target"):
        page.locator(channel).fill("/leaderboard/console")
    page.locator("#connect-button").click()
    expect(page.locator("#state")).to_have_text("Live")
    page.locator("#subscribe button").click()
    expect(page.locator("#frames .type", has_text="subscribe_success")).to_be_attached()
    page.locator("#publish button").first.click()
    expect(page.locator("#frames .type", has_text="publish_success")).to_be_attached()
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")


def faults(at: Stage) -> None:
    console(at)
    at.page.locator("#fault-panel > summary").click()
    at.page.locator("#flood").click()
    expect(at.page.locator("#fault-note")).to_contain_text("Of the flood")


def lab(at: Stage) -> None:
    console(at, "/lab/3")


def check(at: Stage) -> None:
    at.go("/check")
    expect(at.page.locator("#others .verdict")).not_to_have_text("Waiting")
    at.settle()


SCENES: dict[str, Scene] = {
    "home": goes("/"),
    "boards": goes("/l"),
    "board": goes(f"/l{DEMO}", "#link"),
    "board-mine": goes(f"/l{DEMO}?around=p31&me=1", "#link"),
    "board-follow": follow,
    "board-empty": goes("/l/leaderboard/tomorrow", "#link"),
    "board-relay": goes("/l/default/chat"),
    "docs": goes("/docs"),
    "guide": goes("/docs/guide"),
    "guide-page": goes("/docs/guide/how-to/embed"),
    "error": goes("/nothing-here"),
    "play": goes("/play"),
    "code": goes("/j"),
    "code-unknown": code_form,
    "join": name_form,
    "room-lobby": lobby,
    "room-invite": invitation,
    "room-seat": seat_code,
    "room-count": countdown,
    "room-play": playing,
    "room-over": podium,
    "room-results": results,
    "host": goes("/host"),
    "stage-lobby": gathering,
    "stage-play": on_stage,
    "stage-podium": decided,
    "stage-remote": remote,
    "links": links,
    "credential": credential,
    "board-scoring": scoring,
    "embed": goes(f"/embed?channel={DEMO}"),
    "embed-overlay": goes(f"/embed?channel={DEMO}&preview=overlay&limit=5"),
    "frame": goes(f"/embed{DEMO}", "live-leaderboard .status"),
    "overlay": goes(f"/overlay{DEMO}?limit=5", "live-leaderboard .status"),
    "console-first": goes("/console"),
    "console": console,
    "console-faults": faults,
    "lab": lab,
    "check": check,
}
"""Every page, at each point that looks different."""


# -- taking them -------------------------------------------------------------------------------------------------------


@dataclass
class Crowd:
    """A board on which something goes on for as long as pictures are taken."""

    site: Site
    players: int = 40
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Crowd:
        self.site.fill(DEMO, self.players)
        names = (
            {"player": f"p{n + 1}", "name": name, "score": 1500 - 61 * n}
            for n, name in enumerate(PLAYERS)
        )
        self.site.publish(DEMO, *names)
        for channel in ("/leaderboard/arcade", "/leaderboard/night-run"):
            self.site.fill(channel, 7)
        command = [sys.executable, "-m", "leaderboard", "simulate", "/leaderboard/pinball"]
        self._process = subprocess.Popen(
            [*command, "--url", self.site.url, "--key", ADMIN, "--rate", "20", "--seconds", "3600"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return self

    def climb(self) -> None:
        """Somebody overtakes somebody, so that a picture has arrows and amounts in it."""
        board = httpx.get(f"{self.site.url}/api/boards{DEMO}?top=12").json()["rows"]
        for index in (2, 5, 9):
            above, row = board[index - 1], board[index]
            gain = above["score"] - row["score"] + 4
            self.site.publish(DEMO, {"player": row["player"], "score": row["score"] + gain})

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


def take(browser: Browser, site: Site, crowd: Crowd, wanted: list[str]) -> int:
    """The pictures of the scenes whose name has one of the words; how many."""
    OUT.mkdir(parents=True, exist_ok=True)
    taken = 0
    for name, scene in SCENES.items():
        if wanted and not any(word in name for word in wanted):
            continue
        for touch, sizes in DEVICES:
            context = browser.new_context(
                viewport=_viewport(sizes[0]), has_touch=touch, is_mobile=touch
            )
            at = Stage(site, context.new_page())
            scene(at)
            for size, scheme in itertools.product(sizes, SCHEMES):
                # Another size in between: what only changes its colours is not always painted anew as a whole.
                for width in (SIZES[size][0] - 1, SIZES[size][0]):
                    at.page.emulate_media(color_scheme=scheme)
                    at.page.set_viewport_size({"width": width, "height": SIZES[size][1]})
                if name.startswith("board"):
                    crowd.climb()
                at.settle()
                at.page.screenshot(path=OUT / f"{name}-{size}-{scheme}.png")
                taken += 1
            context.close()
        print(name, flush=True)
    return taken


def _viewport(size: str) -> ViewportSize:
    width, height = SIZES[size]
    return {"width": width, "height": height}


# -- the pictures of the README ----------------------------------------------------------------------------------------


def shot(
    browser: Browser, scheme: Scheme, width: int, height: int, touch: bool = False
) -> tuple[Page, Callable[[], str]]:
    """A window, and what makes an address of how it looks."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
        has_touch=touch,
        is_mobile=touch,
        bypass_csp=True,  # documents are put into windows here
    )
    page = context.new_page()

    def look() -> str:
        png = base64.b64encode(page.screenshot()).decode()
        context.close()
        return f"data:image/png;base64,{png}"

    return page, look


def lay_out(
    browser: Browser, path: Path, width: int, height: int, pictures: list[tuple[str, int]]
) -> None:
    """Pictures side by side, each so wide, with rounded corners."""
    page = browser.new_page(viewport={"width": width, "height": height})
    images = "".join(f'<img src="{url}" width="{wide}">' for url, wide in pictures)
    page.set_content(
        "<style>body{margin:0;padding:16px;display:flex;gap:16px;justify-content:center;align-items:start;"
        "background:#e8e9ef}img{border-radius:10px;box-shadow:0 0 0 1px #d5d7e0}</style>" + images
    )
    page.evaluate("Promise.all([...document.images].map((each) => each.decode()))")
    page.screenshot(path=path)
    page.close()
    tell(path)


def tell(path: Path) -> None:
    """What it weighs: each page that shows it costs its readers as much."""
    weight = path.stat().st_size / 1000
    print(path.relative_to(ROOT), f"{weight:.0f} kB")
    if weight > HEAVIEST:
        sys.exit(f"{path.name} is heavier than {HEAVIEST} kB")


def readme(browser: Browser, site: Site, crowd: Crowd) -> None:
    """docs/board.png, docs/play.png, docs/stage.png, docs/embed.png: what the README shows."""
    boards = []
    for scheme in SCHEMES:
        page, look = shot(browser, scheme, 720, 690)
        Stage(site, page).go(f"/l{DEMO}", "#link")
        crowd.climb()
        page.wait_for_timeout(400)
        boards.append((look(), 500))
    lay_out(browser, DOCS / "board.png", 1048, 512, boards)

    games = []
    scenes: list[tuple[Scene, Scheme]] = [
        (lobby, "light"), (playing, "light"), (playing, "dark"), (podium, "light")
    ]  # fmt: skip
    for scene, scheme in scenes:
        page, look = shot(browser, scheme, 390, 780, touch=True)
        scene(Stage(site, page))
        games.append((look(), 273))
    lay_out(browser, DOCS / "play.png", 1200, 578, games)

    page, _ = shot(browser, "light", 1120, 630)
    on_stage(Stage(site, page))
    expect(page.locator("#clock")).to_have_text("0:18", timeout=20_000)  # by then they are apart
    page.screenshot(path=DOCS / "stage.png")
    tell(DOCS / "stage.png")
    page.context.close()

    page, look = shot(browser, "light", 1200, 424)
    board = f'channel="{DEMO}" label="Summer cup" key="pk_viewer"'
    page.goto(f"{site.url}/embed{DEMO}")  # an origin that may load the element
    page.set_content(EMBEDDING.format(url=site.url, board=board))
    for status in page.locator("live-leaderboard .status").all():
        expect(status).to_have_text("Live")
    crowd.climb()
    page.wait_for_timeout(400)
    lay_out(browser, DOCS / "embed.png", 1200, 456, [(look(), 1168)])


EMBEDDING = """<!doctype html><meta charset="utf-8"><style>
  body {{ margin: 0; display: grid; grid-template-columns: 1fr 1fr 1fr; font: 16px system-ui; background: #f5f4ef }}
  section {{ padding: 20px; block-size: 384px; overflow: hidden }}
  section + section {{ background: #0d0f14; color-scheme: dark }}
  section + section + section {{ background: linear-gradient(#2c3366, #8a4a58 40%, #d2683c 64%, #191a36 64%) }}
  p {{ margin: 0 0 12px }}
  live-leaderboard {{ --lb-row-height: 44px }}
</style><body>
<section><p>Tonight’s players, live from the hall:</p>
  <live-leaderboard {board} limit="6" highlight="p5"></live-leaderboard></section>
<section><live-leaderboard {board} limit="7" theme="dark"></live-leaderboard></section>
<section><live-leaderboard {board} limit="5" theme="overlay"></live-leaderboard></section>
<script type="module" src="{url}/widget.js"></script>
"""


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="of the names of scenes")
    parser.add_argument("--readme", action="store_true", help="the pictures of the README instead")
    asked = parser.parse_args()
    with (
        closing(Site(host="0.0.0.0", limits={"joins_per_second": 0})) as site,
        Crowd(site.start()) as crowd,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=str(needs("chromium")), args=CHROMIUM)
        if asked.readme:
            readme(browser, site, crowd)
        else:
            count = take(browser, site, crowd, asked.words)
            print(f"{count} pictures in {OUT}")
        browser.close()


if __name__ == "__main__":
    main()
