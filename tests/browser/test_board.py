"""The page of a board, live: what it shows, how it moves, what it survives."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.browser.conftest import PATIENCE, Site, Watch

PLAYERS = "[...document.querySelectorAll('tbody tr')].map((row) => row.dataset.player)"


def open_board(page: Page, site: Site, channel: str, query: str = "") -> None:
    """The page of a board, once its link is live."""
    page.goto(f"{site.url}/l{channel}{query}")
    expect(page.locator("#link")).to_have_text("Live")


def open_still(page: Page, site: Site, channel: str, query: str = "") -> None:
    """The page of a board without its own script, for snapshots of the test's making."""
    page.route(
        "**/page-board.js", lambda route: route.fulfill(content_type="text/javascript", body="")
    )
    page.goto(f"{site.url}/l{channel}{query}")


def test_ten_publishes_reorder_the_rows_without_a_reload(
    site: Site, page: Page, watch: Watch, channel: str
) -> None:
    site.fill(channel)
    open_board(page, site, channel)
    page.evaluate("window.same = true")
    for number in range(1, 11):  # the last shall be first, one by one
        site.publish(channel, {"player": f"p{number}", "score": 2000 + number})
    page.wait_for_function(f"() => {PLAYERS}[0] === 'p10'")
    assert page.evaluate(PLAYERS) == [f"p{number}" for number in range(10, 0, -1)]
    expect(page.locator("tbody .rank")).to_have_text([str(rank) for rank in range(1, 11)])
    expect(page.locator("tbody .score").first).to_have_text("2,010")
    assert page.evaluate("window.same") is True
    assert len(watch.sockets) == 1


def test_scripts_make_the_same_rows_as_the_server(site: Site, page: Page, channel: str) -> None:
    site.publish(
        channel,
        {"player": "a", "name": "Ada Lovelace", "score": 1200.5},
        {"player": "b", "name": '<b>Bold</b> & "quoted"', "score": 1200.5},
        {"player": "c", "name": "محمد الخوارزمي", "score": -3},
        {"player": "d", "name": "👩‍👩‍👧 Family", "score": -70000},
        {"player": "e e", "score": -80000},
    )
    query = "?top=2&around=d"
    open_still(page, site, channel, query)
    found = page.evaluate(
        """async (path) => {
          const { Board } = await import("/static/js/board.js");
          const plain = (node) => node.nodeType === Node.TEXT_NODE ? node.data : {
            tag: node.localName,
            attributes: Object.fromEntries([...node.attributes].map(({ name, value }) => [name, value])),
            children: [...node.childNodes].map(plain),
          };
          const rows = (table) => [...table.tBodies[0].rows].map(plain);
          const table = document.createElement("table");
          table.createTBody(); // without rows to adopt
          document.body.append(table);
          const snapshot = await (await fetch(path)).json();
          await new Promise((onDraw) => new Board(table, { own: "d", onDraw }).draw(snapshot));
          return { server: rows(document.querySelector("table")), script: rows(table) };
        }""",
        f"/api/boards{channel}{query}",
    )
    assert len(found["server"]) == 5
    assert found["script"] == found["server"]


def test_a_hostile_name_is_text(site: Site, page: Page, channel: str) -> None:
    name = "<img src=x onerror=alert(1)>"
    asked: list[str] = []

    def on_dialog(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", on_dialog)
    site.publish(channel, {"player": "first", "name": name, "score": 10})
    open_board(page, site, channel)
    expect(page.locator("tbody .name")).to_have_text([name])
    site.publish(channel, {"player": "second", "name": name, "score": 20})
    expect(page.locator("tbody .name")).to_have_text([name, name])
    page.goto(f"{site.url}/l")
    expect(page.get_by_text(name).first).to_be_visible()
    assert page.locator("main img[src=x]").count() == 0
    assert asked == []


def test_equal_scores_share_a_rank_and_say_why(site: Site, page: Page, channel: str) -> None:
    site.publish(channel, *({"player": player, "score": 50} for player in ("ann", "bob")))
    site.publish(channel, {"player": "eve", "score": 40})
    open_board(page, site, channel)
    expect(page.locator("tbody .rank")).to_have_text(["1", "1", "3"])
    why = page.locator("tbody .gap .spoken")
    expect(why).to_have_text(["same score, reached later", "10 points to 1st"])
    site.publish(channel, {"player": "eve", "score": 50})
    expect(page.locator("tbody .rank")).to_have_text(["1", "1", "1"])
    expect(why).to_have_text(["same score, reached later"] * 2)


def test_the_gap_to_the_row_above_is_a_column_where_there_is_room_and_always_read_aloud(
    site: Site, page: Page, channel: str
) -> None:
    site.publish(channel, {"player": "ann", "score": 0.3}, {"player": "bob", "score": 0.1})
    open_board(page, site, channel)
    gap = page.locator("tr[data-player=bob] .gap")
    for width, shown in ((1280, True), (390, False)):
        page.set_viewport_size({"width": width, "height": 800})
        box = gap.bounding_box()
        assert box is not None
        assert (box["width"] > 40) == shown
        expect(page.get_by_role("cell", name="0.2 points to 1st")).to_have_count(1)
    site.publish(channel, {"player": "bob", "score": 12}, {"player": "ann", "score": 20})
    expect(gap).to_have_attribute("title", "8 points to 1st · 9 more points to pass")
    site.publish(channel, {"player": "bob", "score": 30})
    expect(gap).to_have_text("")
    assert gap.get_attribute("title") is None


def test_a_board_that_does_not_exist_waits_for_its_first_score(
    site: Site, page: Page, channel: str
) -> None:
    open_board(page, site, channel)
    expect(page.get_by_role("heading", name="Waiting for the first score")).to_be_visible()
    expect(page.get_by_role("table")).to_be_hidden()
    site.publish(channel, {"player": "ann", "name": "Ann", "score": 120})
    expect(page.get_by_role("row", name="1 Ann 120")).to_be_visible()
    expect(page.get_by_text("Waiting for the first score")).to_be_hidden()
    expect(page.locator("#total")).to_have_text("1")


def test_changes_are_shown_as_arrows_and_amounts_and_go_away(
    site: Site, page: Page, channel: str
) -> None:
    site.fill(channel, 3)
    page.clock.install()
    open_board(page, site, channel)
    site.publish(channel, {"player": "p3", "score": 1234})
    climber = page.locator("tr[data-player=p3]")
    expect(climber.locator(".delta")).to_have_text("+254")
    expect(climber.locator(".move .spoken")).to_have_text("up 2")
    expect(page.locator("tr[data-player=p1] .move .spoken")).to_have_text("down 1")
    expect(climber.locator(".delta")).to_have_text("")
    # Compared with five seconds ago: later, with no snapshot in between, nothing has moved any more.
    page.clock.fast_forward(2000)
    expect(climber.locator(".move .spoken")).to_have_text("up 2")
    page.clock.fast_forward(4000)
    expect(page.locator(".move[data-way]")).to_have_count(0)


def test_a_named_player_is_shown_wherever_it_stands(site: Site, page: Page, channel: str) -> None:
    site.fill(channel, 30)
    open_board(page, site, channel, "?around=p20")
    own = page.locator("tr.own")
    expect(own).to_have_attribute("data-player", "p20")
    assert page.evaluate(PLAYERS)[-5:] == ["p18", "p19", "p20", "p21", "p22"]
    expect(page.locator("tr.apart")).to_have_attribute("data-player", "p18")
    place = page.locator("#own-place")
    expect(place).to_have_text(
        "\u2068Hedy Lamarr 20\u2069 is 20th of 30 · 10 points to 19th · ahead of 33%"
    )
    site.publish(channel, {"player": "p20", "score": 5000})
    expect(place).to_have_text("\u2068Hedy Lamarr 20\u2069 is 1st of 30 · ahead of 96%")
    expect(page.get_by_role("status")).to_have_text(place.inner_text())
    assert page.evaluate(PLAYERS)[0] == "p20"
    assert len(page.evaluate(PLAYERS)) == 10


def test_the_own_place_is_in_sight_wherever_the_page_is_scrolled_to(
    site: Site, page: Page, channel: str
) -> None:
    site.fill(channel, 30)
    page.set_viewport_size({"width": 390, "height": 640})
    open_board(page, site, channel, "?around=p20&me=1&top=30")
    place = page.get_by_text("You are 20th of 30 · 10 points to 19th · ahead of 33%")
    expect(place).to_be_in_viewport(ratio=1)
    page.mouse.wheel(0, 400)
    page.wait_for_function("() => scrollY >= 400")
    expect(place).to_be_in_viewport(ratio=1)


def test_the_server_says_the_same_of_a_place_as_the_script(
    site: Site, page: Page, channel: str
) -> None:
    site.publish(channel, {"player": "ann", "name": "Ann", "score": 50.0625})
    site.publish(channel, *({"player": player, "score": 50} for player in ("bob", "eve")))
    for query in (
        "?around=bob",
        "?around=eve&me=1",
        "?around=ann",
        "?around=zoe",
        "?around=zoe&me=1",
    ):
        open_still(page, site, channel, query)
        served = page.locator("#own-place").inner_text()
        page.unroute_all()
        open_board(page, site, channel, query)
        site.publish(channel, {"player": "eve", "score": 50, "name": query})  # so that it is drawn
        expect(page.locator("tr[data-player=eve] .name")).to_have_text(query)
        assert page.locator("#own-place").inner_text() == served


def test_a_place_that_is_still_veiled_is_not_said_to_be_none(
    site: Site, page: Page, channel: str
) -> None:
    site.fill(channel, 3)
    site.publish(channel, {"op": "freeze"})
    site.publish(channel, {"op": "reveal", "steps": 1})
    open_board(page, site, channel, "?around=p1&me=1")
    place = page.locator("#own-place")
    served = page.request.get(page.url).text()
    assert ">You are not revealed yet<" in served
    expect(place).to_have_text("You are not revealed yet")
    expect(page.locator("tbody .gap")).to_have_text([""])
    site.publish(channel, {"op": "reveal", "steps": 1})
    expect(page.locator("tbody .gap")).to_have_text(["", "1010 points to 2nd"])
    expect(place).to_have_text("You are not revealed yet")
    site.publish(channel, {"op": "reveal", "steps": 1})
    expect(place).to_have_text("You are 1st of 3 · ahead of 66%")


def test_a_visitor_picks_a_player_and_the_address_remembers(
    site: Site, page: Page, channel: str
) -> None:
    site.fill(channel, 30)
    open_board(page, site, channel, "?top=3&theme=dark")
    who = page.get_by_label("Whose place shall stay in sight?")
    expect(who).to_be_hidden()
    page.get_by_role("button", name="Follow").click()
    expect(who).to_be_focused()
    options = page.locator("#players option")
    assert options.evaluate_all("(all) => all.map(({ value, text }) => [value, text])") == [
        ["p1", "Edsger Dijkstra 1"], ["p2", "Grace Hopper 2"], ["p3", "Ken Thompson 3"],
    ]  # fmt: skip
    who.fill("p20")
    page.get_by_label("That is me").check()
    who.press("Enter")
    expect(page).to_have_url(f"{site.url}/l{channel}?around=p20&me=1&top=3&theme=dark")
    expect(page.locator("#own-place")).to_have_text(re.compile("^You are 20th of 30"))
    # Whoever is in sight can be called by name.
    page.get_by_role("button", name="Follow").click()
    expect(who).to_have_value("p20")
    who.fill("grace hopper 2 ")
    page.get_by_label("That is me").uncheck()
    page.locator("#follow").get_by_role("button", name="Follow").click()
    expect(page).to_have_url(f"{site.url}/l{channel}?around=p2&top=3&theme=dark")
    page.get_by_role("button", name="Follow").click()
    page.get_by_role("link", name="Follow nobody").click()
    expect(page).to_have_url(f"{site.url}/l{channel}?top=3&theme=dark")
    expect(page.locator("#own-place")).to_be_hidden()


def test_a_visitor_without_javascript_can_follow_a_player(
    site: Site, browser: Browser, channel: str
) -> None:
    site.fill(channel, 30)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/l{channel}")
    page.get_by_role("button", name="Follow").click()
    page.get_by_label("Whose place shall stay in sight?").fill("p20")
    page.locator("#follow").get_by_role("button", name="Follow").click()
    expect(page).to_have_url(f"{site.url}/l{channel}?around=p20")
    expect(page.locator("#own-place")).to_contain_text("is 20th of 30 · 10 points to 19th")
    context.close()


def test_the_round_is_told_counted_and_revealed(site: Site, page: Page, channel: str) -> None:
    site.fill(channel, 3)
    open_board(page, site, channel)
    told = page.locator("#round")
    expect(told).to_be_hidden()
    site.publish(channel, {"op": "open", "for_ms": 600_000})
    expect(told).to_have_text(re.compile(r"^\s*Round 1\s*(10:00|9:5\d)\s*$"))
    site.publish(channel, {"op": "freeze"}, {"player": "late", "score": 9999})
    expect(told).to_have_text(re.compile(r"Standings frozen · Round 1"))
    assert "late" not in page.evaluate(PLAYERS)
    site.publish(channel, {"op": "close"}, {"op": "reveal"})
    expect(told).to_contain_text("3 still to be revealed")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.reload()  # a screen that comes late shows the same
    expect(told).to_contain_text("3 still to be revealed")
    expect(page.locator("#empty")).to_be_hidden()
    site.publish(channel, {"op": "reveal", "steps": 3})
    expect(told).to_contain_text("Round over")
    page.wait_for_function(f"() => {PLAYERS}[0] === 'late'")


def test_another_round_begins_without_arrows_and_without_losses(
    site: Site, page: Page, channel: str
) -> None:
    site.publish(channel, {"player": "ann", "score": 50}, {"player": "bob", "score": 40})
    open_board(page, site, channel)
    next_round: list[dict[str, Any]] = [
        {"op": "clear"},
        {"player": "bob", "score": 9},
        {"player": "ann", "score": 5},
    ]
    site.publish(channel, *next_round)
    expect(page.locator("tbody .score")).to_have_text(["9", "5"])
    for part in (".delta", ".move"):  # at once: they would go by themselves
        assert page.locator(f"tbody {part}").all_text_contents() == ["", ""]
    site.publish(channel, {"player": "ann", "score": 12})
    expect(page.locator("tbody .delta").first).to_have_text("+7")
    expect(page.locator("tbody .move").first).to_contain_text("up 1")


def test_a_round_is_told_before_there_is_a_score(site: Site, page: Page, channel: str) -> None:
    open_board(page, site, channel)
    expect(page.locator("#facts")).to_be_hidden()
    site.publish(channel, {"op": "open", "in_ms": 600_000})
    expect(page.locator("#round")).to_have_text(re.compile(r"^\s*Starts in\s*(10:00|9:5\d)\s*$"))
    expect(page.locator("#empty")).to_be_visible()
    page.reload()
    expect(page.locator("#round")).to_be_visible()
    site.publish(channel, {"op": "close"})
    expect(page.locator("#facts")).to_be_hidden()


def test_the_round_is_told_without_javascript_as_scripts_tell_it(
    site: Site, browser: Browser, page: Page, channel: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    plain, told = context.new_page(), re.compile(r"\d+:\d\d$")
    site.fill(channel, 3)
    open_board(page, site, channel)
    plays: list[tuple[list[dict[str, Any]], str]] = [
        ([{"op": "open", "in_ms": 600_000}], "Starts in"),
        ([{"op": "open", "for_ms": 600_000}, {"op": "freeze"}], "Standings frozen · Round 1"),
        ([{"op": "reveal"}], "2 still to be revealed · Round 1"),
        ([{"op": "close"}], "2 still to be revealed"),
        ([{"op": "unfreeze"}], "Round over"),
    ]
    for events, words in plays:
        site.publish(channel, *events)
        expect(page.locator("#round")).to_contain_text(words)
        plain.goto(f"{site.url}/l{channel}")
        both = [told.sub("m:ss", each.locator("#round").inner_text()) for each in (page, plain)]
        assert both[0] == both[1]
    context.close()


def test_pause_freezes_the_drawing_and_not_the_link(site: Site, page: Page, channel: str) -> None:
    site.fill(channel)
    open_board(page, site, channel)
    pause = page.get_by_role("button", name="Pause updates")
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    page.evaluate(
        """() => {
          window.leaders = [];
          document.body.addEventListener("lb:update", (event) => leaders.push(event.detail.snapshot.rows[0].player));
        }"""
    )
    site.publish(channel, {"player": "p9", "score": 3000})
    page.wait_for_function("() => leaders.includes('p9')")
    assert page.evaluate(PLAYERS)[0] == "p1"
    pause.click()
    page.wait_for_function(f"() => {PLAYERS}[0] === 'p9'")
    expect(page.locator("tbody .score").first).to_have_text("3,000")


def test_the_reading_order_is_a_table(site: Site, page: Page, channel: str) -> None:
    site.fill(channel, 2)
    open_board(page, site, channel)
    expect(page.get_by_role("table")).to_match_aria_snapshot(
        """
        - table:
          - rowgroup:
            - row "Rank Movement Player Change Score Gap to the row above"
          - rowgroup:
            - row "1 Edsger Dijkstra 1 1,000":
              - cell "1"
              - rowheader "Edsger Dijkstra 1"
              - cell "1,000"
            - row "2 Grace Hopper 2 990 10 points to 1st"
        """
    )


def test_numbers_follow_the_readers_language(site: Site, browser: Browser, channel: str) -> None:
    site.fill(channel, 3)
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    open_board(page, site, channel)
    site.publish(channel, {"player": "p3", "score": 12345.5})
    expect(page.locator("tbody .score").first).to_have_text("12.345,5")
    context.close()


# -- motion ------------------------------------------------------------------------------------------------------------

# Looks at every frame for so many seconds. In 25 ms a slide covers a third of its way, so that no neighbour comes near
# 0.9 of a row; what a machine shows that skips frames says nothing.
PROBE = """(seconds) => new Promise((done) => {
  const body = document.querySelector("tbody");
  const height = body.rows[0].getBoundingClientRect().height;
  const found = { counts: new Set(), jumps: [], frames: 0, sliding: 0 };
  let before = new Map();
  let last = performance.now();
  const end = last + 1000 * seconds;
  requestAnimationFrame(function look(now) {
    const tops = new Map();
    for (const row of body.rows) tops.set(row.dataset.player, row.getBoundingClientRect().top);
    found.counts.add(tops.size);
    if (now - last < 25) {
      const steps = [...tops].map(([player, top]) => Math.abs(top - (before.get(player) ?? top)) / height);
      found.frames += 1;
      if (steps.some((step) => step > 0)) found.sliding += 1;
      found.jumps.push(...steps.filter((step) => step > 0.9));
    }
    before = tops;
    last = now;
    if (now < end) requestAnimationFrame(look);
    else done({ ...found, counts: [...found.counts] });
  });
})"""

# Neighbours swap, ten times a second, as the beat of a busy board brings them.
SWAP = """async (players) => {
  const { Board } = await import("/static/js/board.js");
  const board = new Board(document.querySelector("table"));
  let version = 1;
  window.swapping = setInterval(() => {
    const at = Math.floor(Math.random() * (players.length - 1));
    [players[at], players[at + 1]] = [players[at + 1], players[at]];
    version += 1;
    board.draw({
      type: "snapshot", channel: "", epoch: "probe", version, total: players.length,
      round: { number: 1, state: "open", frozen: false },
      rows: players.map((player, index) =>
        ({ player, name: player, rank: index + 1, position: index + 1, score: 1000 - index })),
    });
  }, 100);
}"""


@pytest.mark.parametrize("move_before", [True, False], ids=["moveBefore", "insertBefore"])
def test_rows_slide_and_none_is_ever_missing(
    site: Site, page: Page, channel: str, move_before: bool
) -> None:
    site.fill(channel)
    if not move_before:
        page.add_init_script("delete Element.prototype.moveBefore")
    open_still(page, site, channel)
    page.evaluate(SWAP, [f"p{number}" for number in range(1, 11)])
    found = page.evaluate(PROBE, 5)
    assert found["counts"] == [10]
    assert found["frames"] > 50
    assert found["sliding"] > found["frames"] / 2, "nothing slides"
    assert found["jumps"] == []


def test_who_rises_slides_over_who_falls(site: Site, page: Page, channel: str) -> None:
    site.fill(channel, 3)
    open_still(page, site, channel)
    seen = page.evaluate(
        """async () => {
          const { Board } = await import("/static/js/board.js");
          const table = document.querySelector("table");
          const drawn = new Promise((onDraw) => new Board(table, { onDraw }).draw({
            type: "snapshot", channel: "", epoch: "e", version: 1, total: 3,
            round: { number: 1, state: "open", frozen: false },
            rows: ["p3", "p1", "p2"].map((player, index) =>
              ({ player, name: player, rank: index + 1, position: index + 1, score: 2000 - index })),
          }));
          await drawn;
          const rows = [...table.tBodies[0].rows];
          for (const row of rows) {
            for (const slide of row.getAnimations()) {
              slide.pause();
              slide.currentTime = 40; // on its way
            }
          }
          const riser = rows[0].getBoundingClientRect();
          return rows.slice(1).map((row) => {
            const { top, bottom } = row.getBoundingClientRect();
            const y = (Math.max(top, riser.top) + Math.min(bottom, riser.bottom)) / 2;
            const over = top < riser.bottom && riser.top < bottom;
            return over ? document.elementFromPoint(riser.left + riser.width / 3, y).closest("tr").dataset.player : "";
          });
        }"""
    )
    assert "p3" in seen
    assert set(seen) <= {"p3", ""}


def test_reduced_motion_moves_at_once(site: Site, browser: Browser, channel: str) -> None:
    site.fill(channel)
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    open_still(page, site, channel)
    page.evaluate(SWAP, [f"p{number}" for number in range(1, 11)])
    moving = page.evaluate(
        """() => new Promise((done) => {
          const orders = new Set();
          const moving = [];
          requestAnimationFrame(function look() {
            const rows = [...document.querySelectorAll("tbody tr")];
            orders.add(rows.map((row) => row.dataset.player).join());
            moving.push(...rows.filter((row) => row.getAnimations({ subtree: true }).length));
            if (orders.size < 10) requestAnimationFrame(look);
            else done(moving.length);
          });
        })"""
    )
    assert moving == 0
    context.close()


def test_what_happened_in_a_hidden_tab_is_not_played_back(
    site: Site, page: Page, channel: str
) -> None:
    site.fill(channel)
    open_still(page, site, channel)
    moving = page.evaluate(
        """async () => {
          const { Board } = await import("/static/js/board.js");
          let hidden = false;
          Object.defineProperty(document, "hidden", { get: () => hidden });
          const show = (value) => {
            hidden = value;
            document.dispatchEvent(new Event("visibilitychange"));
          };
          let drawn = () => {};
          const table = document.querySelector("table");
          const board = new Board(table, { onDraw: () => drawn() });
          const players = [...table.tBodies[0].rows].map((row) => row.dataset.player);
          let version = 0;
          const reverse = async () => {
            const rows = players.reverse().map((player, index) =>
              ({ player, rank: index + 1, position: index + 1, score: 0 }));
            const round = { number: 1, state: "open", frozen: false };
            const done = new Promise((resolve) => (drawn = resolve));
            board.draw({ type: "snapshot", channel: "", epoch: "e", version: ++version, round, total: 10, rows });
            await done;
            return [...table.tBodies[0].rows].filter((row) => row.getAnimations().length).length;
          };
          show(true);
          show(false);
          return [await reverse(), await reverse()];
        }"""
    )
    assert moving == [0, 10]


# -- the link ----------------------------------------------------------------------------------------------------------


def test_the_page_comes_back_by_itself_when_the_server_does(
    own_site: Site, page: Page, watch: Watch, channel: str
) -> None:
    watch.expected = "WebSocket connection to"
    own_site.fill(channel)
    page.clock.install()
    open_board(page, own_site, channel)
    page.evaluate("window.same = true")
    own_site.stop()
    badge = page.locator("#link")
    expect(badge).to_have_text("Reconnecting")
    expect(page.locator("tbody tr")).to_have_count(10)
    page.clock.fast_forward(10_000)
    expect(badge).to_have_text(re.compile(r"Offline, last known \d"))
    own_site.start()
    own_site.publish(channel, {"player": "new", "name": "A new life", "score": 1})
    page.clock.fast_forward(PATIENCE)
    expect(badge).to_have_text("Live", timeout=35_000)
    expect(page.locator("tbody .name")).to_have_text(["A new life"])
    expect(page.locator(".move[data-way]")).to_have_count(0)
    assert page.evaluate("window.same") is True


def test_a_blip_is_not_worth_a_word(site: Site, page: Page, watch: Watch, channel: str) -> None:
    site.fill(channel)
    page.add_init_script(
        """
        const Native = WebSocket;
        window.opened = [];
        window.WebSocket = class extends Native {
          constructor(...rest) { super(...rest); opened.push(this); }
        };
        window.said = [];
        addEventListener("DOMContentLoaded", () =>
          new MutationObserver(() => said.push(document.getElementById("link").textContent))
            .observe(document.getElementById("link"), { childList: true }));
        """
    )
    open_board(page, site, channel)
    page.evaluate("said.length = 0; opened[0].close()")
    page.wait_for_function("() => opened.length === 2 && opened[1].readyState === 1")
    site.publish(channel, {"player": "p5", "score": 7000})
    expect(page.locator("tbody .score").first).to_have_text("7,000")
    assert page.evaluate("said") == []


def test_a_refused_key_is_said_and_not_tried_again(
    site: Site, page: Page, watch: Watch, channel: str
) -> None:
    site.fill(channel)
    # After the page is parsed and before its scripts run.
    page.add_init_script(
        """
        document.addEventListener("readystatechange",
          () => (document.querySelector("main").dataset.key = "pk_withdrawn"), { once: true });
        """
    )
    page.goto(f"{site.url}/l{channel}")
    expect(page.locator("#link")).to_have_text("Access refused")
    expect(page.locator("tbody tr")).to_have_count(10)
    page.wait_for_timeout(1500)  # a second attempt would come within 0.75 s
    assert len(watch.sockets) == 1
