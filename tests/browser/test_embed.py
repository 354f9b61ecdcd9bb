"""Boards in pages of another site, which is served from an origin of its own; and the configurator."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, BrowserContext, FloatRect, Locator, Page, Route, expect

from tests.browser.conftest import PATIENCE, VIEWER, Site, Watch

HOSTILE = "<img src=x onerror=alert(1)>"
HOSTILE_CSS = """
* { color: red !important; font: italic 40px/3 fantasy !important; text-transform: uppercase !important;
    letter-spacing: 9px !important; box-sizing: content-box !important; margin: 9px !important; }
table, tr, td, th, span, button, bdi { display: inline !important; border: 5px dashed red !important; }
html { font-size: 5px !important; }
"""


class Elsewhere:
    """Another site: it serves the documents that a test puts there, each under a policy of its own."""

    def __init__(self) -> None:
        self.documents: dict[str, tuple[str, dict[str, str]]] = {}
        documents = self.documents

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text, headers = documents.get(self.path, ("", {}))
                body = text.encode()
                self.send_response(200)
                for name, value in {"content-type": "text/html; charset=utf-8", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def put(self, body: str, *, path: str = "/", policy: str = "", style: str = "") -> str:
        """The address of a page with this body."""
        self.documents["/style.css"] = (style, {"content-type": "text/css"})
        document = (
            "<!doctype html><html lang=en><meta charset=utf-8><title>Elsewhere</title><link rel=icon href=data:,>"
            f"<link rel=stylesheet href=/style.css>{body}"
        )
        headers = {"content-security-policy": policy} if policy else {}
        self.documents[path] = (document, headers)
        return self.url + path


@pytest.fixture(scope="session")
def running() -> Iterator[Elsewhere]:
    """The other site, for all tests."""
    elsewhere = Elsewhere()
    threading.Thread(target=elsewhere.server.serve_forever, daemon=True).start()
    yield elsewhere
    elsewhere.server.shutdown()
    elsewhere.server.server_close()


@pytest.fixture
def elsewhere(running: Elsewhere) -> Elsewhere:
    """The other site, empty."""
    running.documents.clear()
    return running


def script(site: Site) -> str:
    """What loads the element."""
    return f'<script type="module" src="{site.url}/widget.js"></script>'


def element(channel: str, more: str = "") -> str:
    """The element, as the snippet has it."""
    return (
        f'<live-leaderboard channel="{channel}" key="{VIEWER}" {more}>'
        '<a href="/board">The board</a></live-leaderboard>'
    )


def strict(site: Site) -> str:
    """The strictest policy under which the element promises to work."""
    return (
        f"default-src 'none'; script-src {site.url}; connect-src {site.url.replace('http', 'ws')};"
        " style-src 'self'; img-src data:; base-uri 'none'; trusted-types 'none';"
        " require-trusted-types-for 'script'"
    )


def names(board: Locator) -> Locator:
    """The names on a board."""
    return board.locator("tbody .name")


def style(found: Locator, name: str) -> str:
    """A computed style."""
    return str(found.evaluate(f"(element) => getComputedStyle(element)[{name!r}]"))


# -- the element -------------------------------------------------------------------------------------------------------


def test_a_strict_and_hostile_page_shows_the_board_as_it_is(
    site: Site, elsewhere: Elsewhere, page: Page, channel: str
) -> None:
    site.fill(channel, 3)
    site.publish(channel, {"player": "x", "name": HOSTILE, "score": 1})
    body = element(channel) + script(site)
    page.goto(elsewhere.put(body, policy=strict(site), style=HOSTILE_CSS))
    board = page.locator("live-leaderboard")
    expect(board.locator(".status")).to_have_text("Live")
    expect(names(board)).to_have_text(
        ["Edsger Dijkstra 1", "Grace Hopper 2", "Ken Thompson 3", HOSTILE]
    )
    assert board.locator("img").count() == 0
    name, cell = names(board).first, board.locator("tbody .score").first
    assert style(name, "fontSize") == "16px"
    assert style(name, "fontStyle") == "normal"
    assert style(name, "textTransform") == "none"
    assert style(name, "letterSpacing") == "normal"
    assert style(name, "color") == "rgb(0, 0, 0)"
    assert style(cell, "borderTopStyle") == "none"
    row = board.locator("tbody tr").first.bounding_box()
    assert row is not None
    assert row["height"] == 44


def test_the_pages_tokens_and_parts_set_the_look(
    site: Site, elsewhere: Elsewhere, page: Page, channel: str
) -> None:
    site.fill(channel, 3)
    look = """
      live-leaderboard { --lb-bg: rgb(1, 2, 3); --lb-ink: rgb(4, 5, 6); --lb-muted: rgb(7, 8, 9);
        --lb-line: rgb(10, 11, 12); --lb-accent: rgb(13, 14, 15); --lb-radius: 5px;
        --lb-font: monospace; --lb-row-height: 60px; }
      live-leaderboard::part(box) { margin: 7px; }
      live-leaderboard::part(header) { height: 99px; }
      live-leaderboard::part(status) { opacity: 0.9; }
      live-leaderboard::part(row) { padding-left: 33px; }
      live-leaderboard::part(rank) { color: rgb(16, 17, 18); }
      live-leaderboard::part(name) { font-style: italic; }
      live-leaderboard::part(score) { text-decoration: underline; }
    """
    page.goto(elsewhere.put(element(channel, "highlight=p2") + script(site), style=look))
    board = page.locator("live-leaderboard")
    expect(names(board)).to_have_count(3)
    box, row, own = (board.locator(each) for each in (".box", "tbody tr", ".own"))
    assert style(box, "backgroundColor") == style(row.first, "backgroundColor") == "rgb(1, 2, 3)"
    assert style(box, "color") == "rgb(4, 5, 6)"
    assert style(board.locator(".status"), "color") == "rgb(7, 8, 9)"
    assert style(row.first, "borderTopColor") == "rgb(10, 11, 12)"
    assert own.evaluate("(row) => getComputedStyle(row, '::before').backgroundColor") == (
        "rgb(13, 14, 15)"
    )
    assert style(box, "borderTopLeftRadius") == "5px"
    assert style(names(board).first, "fontFamily") == "monospace"
    assert style(row.first, "height") == "60px"
    assert style(box, "marginTop") == "7px"
    assert style(board.locator(".header"), "height") == "99px"
    assert style(board.locator(".status"), "opacity") == "0.9"
    assert style(row.first, "paddingLeft") == "33px"
    assert style(board.locator("tbody .rank").first, "color") == "rgb(16, 17, 18)"
    assert style(names(board).first, "fontStyle") == "italic"
    assert style(board.locator("tbody .score").first, "textDecorationLine") == "underline"


def test_four_boards_of_a_page_share_one_socket(
    site: Site, elsewhere: Elsewhere, page: Page, watch: Watch, channel: str
) -> None:
    channels = [f"{channel[:45]}-{number}" for number in range(4)]
    for number, each in enumerate(channels):
        site.fill(each, number + 1)
    body = "".join(element(each) for each in channels)
    # The address once more, as pages put together from parts have it: a module of its own that finds the element there.
    again = f'<script type="module" src="{site.url}/widget.js?again"></script>'
    page.goto(elsewhere.put(body + script(site) + again))
    boards = page.locator("live-leaderboard")
    for number in range(4):
        expect(names(boards.nth(number))).to_have_count(number + 1)
    site.publish(channels[2], {"player": "new", "name": "Newcomer", "score": 5000})
    expect(names(boards.nth(2)).first).to_have_text("Newcomer")
    assert len(watch.sockets) == 1
    with watch.sockets[0].expect_event("close"):  # and none is left behind
        page.evaluate("document.querySelectorAll('live-leaderboard').forEach((it) => it.remove())")


def test_a_board_that_is_moved_about_the_page_goes_on(
    site: Site, elsewhere: Elsewhere, page: Page, watch: Watch, channel: str
) -> None:
    site.fill(channel, 3)
    page.goto(elsewhere.put(f"<main></main>{element(channel)}{script(site)}"))
    board = page.locator("live-leaderboard")
    expect(names(board)).to_have_count(3)
    page.evaluate(
        """() => {
          const board = document.querySelector("live-leaderboard");
          window.row = board.shadowRoot.querySelector("tbody tr");
          document.querySelector("main").append(board);
        }"""
    )
    site.publish(channel, {"player": "p1", "score": 5000})
    expect(board.locator("tbody .score").first).to_have_text("5,000")
    assert page.evaluate("window.row.isConnected")
    assert len(watch.sockets) == 1


def test_attributes_may_change_and_the_link_stays(
    site: Site, elsewhere: Elsewhere, page: Page, watch: Watch, channel: str
) -> None:
    site.fill(channel, 12)
    page.goto(elsewhere.put(element(channel, "lang=de limit=5") + script(site)))
    board = page.locator("live-leaderboard")
    expect(names(board)).to_have_count(5)
    expect(board.locator("tbody .score").first).to_have_text("1.000")
    page.evaluate(
        "window.table = document.querySelector('live-leaderboard').shadowRoot.querySelector('table')"
    )

    def put(name: str, value: str) -> None:
        board.evaluate(f"(board) => board.setAttribute({name!r}, {value!r})")

    put("theme", "dark")
    expect(board.locator(".box")).to_have_css("background-color", "rgb(18, 18, 18)")
    assert page.evaluate("window.table.isConnected")  # colours need no new rows
    put("limit", "2")
    expect(names(board)).to_have_count(2)
    put("highlight", "p9")  # who is further down stands below
    expect(board.locator("tbody .rank")).to_have_text(["1", "2", "9"])
    expect(board.locator("tbody .own .name")).to_have_text("Ada Lovelace 9")
    put("label", "Grand final")
    expect(board.locator(".label")).to_have_text("Grand final")
    put("lang", "no such language!")
    expect(board.locator("tbody .score").first).to_have_text("1,000")
    for wrong, count in (("0", 10), ("-3", 1), ("many", 10)):
        put("highlight", "")
        put("limit", wrong)
        expect(names(board)).to_have_count(count)
    assert len(watch.sockets) == 1


def test_the_page_hears_of_each_update(
    site: Site, elsewhere: Elsewhere, page: Page, channel: str
) -> None:
    site.fill(channel, 2)
    listening = f"""
      window.heard = [];
      for (const type of ["leaderboard:update", "lb:update", "lb:state", "lb:round"]) {{
        document.body.addEventListener(type, ({{ target, composed, detail }}) =>
          heard.push([type, target.id, composed, detail.snapshot?.rows.length ?? detail.state]));
      }}
      import("{site.url}/widget.js");
    """
    elsewhere.documents["/listen.js"] = (listening, {"content-type": "text/javascript"})
    body = f'<script type="module" src="/listen.js"></script>{element(channel, "id=a")}'
    page.goto(elsewhere.put(body))
    page.wait_for_function("() => window.heard?.length >= 4")
    heard = page.evaluate("window.heard")
    assert heard[0] == ["lb:state", "a", False, "live"]
    assert sorted(heard[1:4]) == [
        ["lb:round", "a", False, 2],
        ["lb:update", "a", False, 2],
        ["leaderboard:update", "a", True, 2],
    ]


def test_a_board_that_has_not_begun_waits_and_fills(
    site: Site, elsewhere: Elsewhere, page: Page, channel: str
) -> None:
    page.goto(elsewhere.put(element(channel) + script(site)))
    board = page.locator("live-leaderboard")
    expect(board.get_by_text("Waiting for the first score")).to_be_visible()
    expect(board.get_by_role("link", name="The board")).to_be_hidden()
    site.publish(channel, {"player": "ann", "name": "Ann", "score": 120})
    expect(names(board)).to_have_text(["Ann"])
    expect(board.get_by_text("Waiting for the first score")).to_be_hidden()


def test_rows_stay_while_the_server_is_away(
    own_site: Site, elsewhere: Elsewhere, page: Page, watch: Watch, channel: str
) -> None:
    watch.expected = "WebSocket connection"
    own_site.fill(channel, 3)
    page.clock.install()
    page.goto(elsewhere.put(element(channel) + script(own_site)))
    board = page.locator("live-leaderboard")
    expect(names(board)).to_have_count(3)
    assert board.get_attribute("stale") is None
    own_site.stop()
    expect(board).to_have_attribute("stale", "")
    expect(board.locator(".status")).to_have_text("Reconnecting")
    page.clock.fast_forward(10_000)
    expect(board.locator(".status")).to_have_text(re.compile("Offline, last known .+"))
    expect(names(board)).to_have_count(3)
    assert float(style(board.locator("tbody"), "opacity")) < 1
    own_site.start()
    page.clock.fast_forward(PATIENCE)
    expect(board.locator(".status")).to_have_text("Live", timeout=35_000)
    expect(board).not_to_have_attribute("stale", "")


def test_what_cannot_be_shown_leaves_the_pages_own_link(
    site: Site, elsewhere: Elsewhere, page: Page, watch: Watch, channel: str
) -> None:
    watch.expected = "<live-leaderboard>"
    wrong = element(channel).replace(VIEWER, "pk_no_such_key")
    page.goto(elsewhere.put(wrong + element("/nope/x") + element("a_b") + script(site)))
    for number in range(3):
        board = page.locator("live-leaderboard").nth(number)
        expect(board.locator(".status")).to_have_text("Access refused")
        expect(board.get_by_role("link", name="The board")).to_be_visible()
        expect(board.locator("table")).to_be_hidden()


def test_a_server_that_does_not_answer_leaves_the_pages_own_link(
    site: Site, elsewhere: Elsewhere, page: Page, watch: Watch, channel: str
) -> None:
    watch.expected = "WebSocket connection"
    nobody = "server=http://127.0.0.1:1"
    page.goto(elsewhere.put(element(channel, nobody) + script(site)))
    board = page.locator("live-leaderboard")
    expect(board.locator(".bones")).to_be_visible()
    expect(board.get_by_role("link", name="The board")).to_be_visible()
    expect(board.locator(".bones")).to_be_hidden()


def test_a_token_opens_what_the_public_may_not_see(
    elsewhere: Elsewhere, page: Page, channel: str
) -> None:
    site = Site(
        viewer_key="",
        secret="s" * 32,
        api_keys=[{"key": "da2-admin-key-of-the-tests", "role": "admin"}],
    )
    try:
        site.start()
        site.fill(channel, 3)
        token = site.token(channel)
        page.goto(elsewhere.put(element(channel).replace(VIEWER, token) + script(site)))
        expect(names(page.locator("live-leaderboard"))).to_have_count(3)
    finally:
        site.close()


def test_updates_can_be_paused(site: Site, elsewhere: Elsewhere, page: Page, channel: str) -> None:
    site.fill(channel, 3)
    page.goto(elsewhere.put(element(channel) + script(site)))
    board = page.locator("live-leaderboard")
    expect(names(board)).to_have_count(3)
    pause = board.get_by_role("button", name="Pause updates")
    size = pause.bounding_box()
    assert size is not None
    assert min(size["width"], size["height"]) >= 44
    pause.focus()
    page.keyboard.press("Enter")
    expect(board.locator(".status")).to_have_text("Paused")
    with page.expect_event("console", lambda message: message.text == "updated"):
        board.evaluate(
            "(board) => board.addEventListener('lb:update', () => console.log('updated'))"
        )
        site.publish(channel, {"player": "p3", "score": 5000})
    assert names(board).all_inner_texts()[0] == "Edsger Dijkstra 1"
    page.keyboard.press("Enter")
    expect(names(board).first).to_have_text("Ken Thompson 3")


def test_a_reader_of_tables_finds_one(
    site: Site, elsewhere: Elsewhere, page: Page, channel: str
) -> None:
    site.publish(
        channel,
        {"player": "ken", "name": "Ken", "score": 25417},
        {"player": "ann", "name": "Ann", "score": 25400},
    )
    page.goto(elsewhere.put(element(channel, 'label="Summer cup"') + script(site)))
    expect(
        page.locator("live-leaderboard").get_by_role("table", name="Summer cup")
    ).to_match_aria_snapshot(
        """
        - table "Summer cup":
          - rowgroup:
            - row:
              - columnheader "Rank"
              - columnheader "Movement"
              - columnheader "Player"
              - columnheader "Change"
              - columnheader "Score"
              - columnheader "Gap to the row above"
          - rowgroup:
            - row:
              - cell "1"
              - cell
              - rowheader "Ken"
              - cell
              - cell "25,417"
              - cell
            - row:
              - cell "2"
              - cell
              - rowheader "Ann"
              - cell
              - cell "25,400"
              - cell "17 points to 1st"
        """
    )


@pytest.mark.parametrize("width", [160, 200, 260, 320, 1200])
def test_a_board_fits_where_it_is_put(
    site: Site, elsewhere: Elsewhere, page: Page, channel: str, width: int
) -> None:
    site.publish(
        channel,
        {"player": "w", "name": "W" * 64, "score": 1234567},
        {"player": "ar", "name": "محمد الخوارزمي", "score": 12},
    )
    for direction in ("ltr", "rtl"):
        room = f'<div dir="{direction}" id="room">{element(channel)}</div>'
        page.goto(elsewhere.put(room + script(site), style=f"#room {{ width: {width}px }}"))
        board = page.locator("live-leaderboard")
        expect(names(board)).to_have_count(2)
        box = _box(board)
        assert box["width"] == width
        for part in board.locator("tbody tr:first-child :is(.rank, .name, .score)").all():
            inner = _box(part)
            assert inner["x"] >= box["x"]
            assert inner["x"] + inner["width"] <= box["x"] + box["width"]
        rank, score = (_box(board.locator(f"tbody .{each}").first) for each in ("rank", "score"))
        assert (rank["x"] < score["x"]) == (direction == "ltr")


def _box(found: Locator) -> FloatRect:
    box = found.bounding_box()
    assert box is not None
    return box


# -- frames ------------------------------------------------------------------------------------------------------------


def pixels(context: BrowserContext, png: bytes, *points: tuple[float, float]) -> list[list[int]]:
    """Red, green, blue and alpha of some points of a picture."""
    page = context.new_page()
    found = page.evaluate(
        """async ({ url, points }) => {
          const image = new Image();
          image.src = url;
          await image.decode();
          const canvas = new OffscreenCanvas(image.width, image.height);
          const drawing = canvas.getContext("2d");
          drawing.drawImage(image, 0, 0);
          return points.map(([x, y]) => [...drawing.getImageData(x, y, 1, 1).data]);
        }""",
        {
            "url": f"data:image/png;base64,{base64.b64encode(png).decode()}",
            "points": [[round(x), round(y)] for x, y in points],
        },
    )
    page.close()
    return list(found)


def test_a_sandboxed_frame_shows_the_board(
    site: Site, elsewhere: Elsewhere, page: Page, channel: str
) -> None:
    """The snippet as the configurator gives it, in a page that allows frames of this site and no script at all."""
    site.fill(channel, 5)
    page.goto(f"{site.url}/embed?channel={channel}&limit=3&theme=dark")
    snippet = page.locator("#frame").inner_text()
    page.goto(
        elsewhere.put(
            snippet,
            policy=f"default-src 'none'; frame-src {site.url}; img-src data:; style-src 'self'",
        )
    )
    board = page.frame_locator("iframe").locator("live-leaderboard")
    expect(board.locator(".status")).to_have_text("Live")
    expect(names(board)).to_have_count(3)
    frame = page.frames[1]
    assert frame.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0
    assert frame.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("host", ["light", "dark", "undeclared"])
@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_the_page_is_seen_through_a_clear_frame(
    site: Site,
    elsewhere: Elsewhere,
    browser: Browser,
    channel: str,
    scheme: str,
    host: str,
    theme: str,
) -> None:
    """Whatever the page, the reader's system and the frame are: the corners that are rounded off show the page."""
    site.fill(channel, 3)
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{site.url}/embed?channel={channel}&limit=3&theme={theme}&bg=transparent")
    snippet = page.locator("#frame").inner_text()
    declared = "" if host == "undeclared" else f"color-scheme: {host};"
    look = f"html {{ {declared} background: rgb(200, 100, 50) }} iframe {{ border: 0 }}"
    page.goto(elsewhere.put(snippet, style=look))
    board = page.frame_locator("iframe").locator("live-leaderboard")
    expect(names(board)).to_have_count(3)
    box = _box(page.locator("iframe"))
    # A frame that is laid out may not be painted yet: until then its place shows the page.
    deadline = time.monotonic() + 10
    while True:
        corner, inside = pixels(
            context,
            page.screenshot(),
            (box["x"] + 1, box["y"] + 1),
            (box["x"] + 240, box["y"] + 40),
        )
        if inside != corner or time.monotonic() > deadline:
            break
    assert corner == [200, 100, 50, 255]
    assert inside in ([255, 255, 255, 255], [18, 18, 18, 255])
    if theme != "auto":
        assert inside[0] == {"light": 255, "dark": 18}[theme]
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_full_frame_is_filled(site: Site, browser: Browser, channel: str, scheme: str) -> None:
    site.fill(channel, 3)
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_viewport_size({"width": 480, "height": 400})
    page.goto(f"{site.url}/embed{channel}")
    expect(page.locator("live-leaderboard .status")).to_have_text("Live")
    corner, bottom = pixels(context, page.screenshot(), (0, 0), (479, 399))
    assert corner == bottom == ([255, 255, 255, 255] if scheme == "light" else [18, 18, 18, 255])
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_overlay_is_clear(site: Site, browser: Browser, channel: str, scheme: str) -> None:
    site.fill(channel, 5)
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(f"{site.url}/overlay{channel}?limit=3&scale=2&align=right")
    board = page.locator("live-leaderboard")
    expect(board.locator("tbody tr")).to_have_count(3)
    expect(board).to_have_attribute("theme", "overlay")
    expect(board.locator(".pause")).to_be_hidden()
    assert style(names(board).first, "fontSize") == "48px"
    row = _box(board.locator("tbody tr").first)
    assert row["x"] + row["width"] == 1920 - 48 - 1  # a border that nobody sees
    png = page.screenshot(omit_background=True)
    corners = [(0, 0), (1919, 0), (0, 1079), (1919, 1079), (400, 500)]
    plate = (row["x"] + row["width"] - 4, row["y"] + row["height"] / 2)
    *clear, covered = pixels(context, png, *corners, plate)
    assert clear == [[0, 0, 0, 0]] * 5
    assert 0 < covered[3] < 255  # the picture shines through the plates too
    context.close()


def test_an_overlay_without_header_says_when_it_is_not_live(
    own_site: Site, page: Page, watch: Watch, channel: str
) -> None:
    watch.expected = "WebSocket connection"
    own_site.fill(channel, 3)
    page.goto(f"{own_site.url}/overlay{channel}?hide=header")
    board = page.locator("live-leaderboard")
    expect(names(board)).to_have_count(3)
    expect(board.locator("[part=header]")).to_be_hidden()
    own_site.stop()
    expect(board.locator(".status")).to_be_visible()
    expect(board.locator(".status")).to_have_text("Reconnecting")
    expect(names(board)).to_have_count(3)


def test_a_key_behind_the_hash_is_used_and_sent_to_no_server(
    elsewhere: Elsewhere, page: Page, channel: str
) -> None:
    key = "pk_only_for_this_blog"
    keys = [
        {"key": "da2-admin-key-of-the-tests", "role": "admin"},
        {"key": key, "role": "viewer", "channels": [channel]},
    ]
    site = Site(viewer_key="", api_keys=keys)
    try:
        site.start()
        site.fill(channel, 3)
        page.goto(elsewhere.put(f'<iframe src="{site.url}/embed{channel}#key={key}"></iframe>'))
        expect(names(page.frame_locator("iframe").locator("live-leaderboard"))).to_have_count(3)
    finally:
        site.close()
    assert key not in site.said


def test_a_frame_takes_the_servers_rows_over(site: Site, page: Page, channel: str) -> None:
    site.fill(channel, 5)
    held: list[Route] = []
    page.route("**/widget.js", lambda route: held.append(route))
    page.goto(f"{site.url}/embed{channel}?limit=3", wait_until="commit")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3)
    page.wait_for_function(
        "Array.from(document.querySelectorAll('link[rel=stylesheet]')).every(each => each.sheet)"
    )
    before = _box(rows.first)
    page.evaluate("window.row = document.querySelector('tbody tr')")
    held[0].continue_()
    expect(page.locator("live-leaderboard .status")).to_have_text("Live")
    assert page.evaluate("window.row.getRootNode() instanceof ShadowRoot")
    assert _box(rows.first) == before  # nothing jumps


def test_a_frame_is_readable_without_javascript(site: Site, browser: Browser, channel: str) -> None:
    site.fill(channel, 5)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for kind in ("embed", "overlay"):
        page.goto(f"{site.url}/{kind}{channel}")
        expect(page.get_by_role("table").get_by_role("row")).to_have_count(6)
        expect(page.get_by_text("Edsger Dijkstra 1")).to_be_visible()
    context.close()


# -- the configurator --------------------------------------------------------------------------------------------------


def test_the_preview_and_the_snippets_follow_the_form(
    site: Site, page: Page, watch: Watch, channel: str
) -> None:
    site.fill(channel, 8)
    page.goto(f"{site.url}/embed")
    page.evaluate("window.same = true")
    page.get_by_label("Channel").fill(channel)
    board = page.locator(".preview live-leaderboard")
    expect(names(board)).to_have_count(8)
    page.get_by_label("Rows").fill("3")
    expect(names(board)).to_have_count(3)
    expect(page.locator("#element")).to_contain_text('limit="3"')
    page.get_by_label("Title").fill('The "Cup"')
    expect(board.locator(".label")).to_have_text('The "Cup"')
    page.get_by_label("Colours").select_option("dark")
    expect(board).to_have_attribute("theme", "dark")
    assert len(watch.sockets) == 1
    page.locator("[name=preview][value=frame]").check()
    framed = page.frame_locator(".preview iframe").locator("live-leaderboard")
    expect(names(framed)).to_have_count(3)
    page.locator("[name=preview][value=overlay]").check()
    expect(page.frame_locator(".preview iframe").locator("[theme=overlay] .name")).to_have_count(3)
    page.get_by_label("Channel").fill("a_b")
    expect(page.get_by_role("alert")).to_contain_text("is not a channel")
    assert page.evaluate("window.same")


@pytest.mark.parametrize("clipboard", ["granted", "missing"])
def test_a_snippet_can_be_copied(
    site: Site, browser: Browser, channel: str, clipboard: str
) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    if clipboard == "missing":  # as on a plain http:// address of the LAN
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.goto(f"{site.url}/embed?channel={channel}")
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    title = page.get_by_label("Title")
    title.fill("")
    title.focus()
    page.keyboard.press("Control+v")
    snippet = page.locator("#element").inner_text()
    assert snippet.startswith("<script")
    expect(title).to_have_value(re.sub(r"\s+", " ", snippet)[:100])
    context.close()


def test_the_form_works_without_javascript(site: Site, browser: Browser, channel: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/embed")
    page.get_by_label("Channel").fill(channel)
    page.get_by_label("Rows").fill("7")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#element")).to_contain_text(f'channel="{channel}" limit="7"')
    expect(page.get_by_label("Rows")).to_have_value("7")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_in_a_page_with_boards(
    site: Site, elsewhere: Elsewhere, browser: Browser, axe: str, channel: str, scheme: str
) -> None:
    site.fill(channel, 5)
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    boards = (
        element(channel, "highlight=p3")
        + element(channel, "theme=dark")
        + element("/leaderboard/none-yet")
    )
    body = f"<main><h1>Elsewhere</h1>{boards}</main>{script(site)}"
    page.goto(elsewhere.put(body, style="html { color-scheme: light dark }"))
    expect(names(page.locator("live-leaderboard").nth(1))).to_have_count(5)
    page.evaluate(axe)
    found = page.evaluate("axe.run().then((result) => result.violations)")
    assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in found] == []
    context.close()
