"""The small modules beside the link and the board: movement, words, announcements."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from leaderboard import templating
from tests.browser.conftest import Site

Run = Callable[..., Any]

# The cases of tests/test_standing.py: both languages say the same.
CASES = json.loads((Path(__file__).parents[1] / "standings.json").read_text("utf-8"))


@pytest.fixture
def run(site: Site, page: Page) -> Run:
    """Evaluate a function in a page that can import the modules."""
    page.goto(site.url)
    return page.evaluate


MOVEMENT = """
const { Movement } = await import("/static/js/movement.js");
const movement = new Movement();
const rows = (...players) => players.map((player, index) => ({ player, position: index + 1 }));
"""


def test_movement_compares_with_five_seconds_ago(run: Run) -> None:
    found = run(
        f"""async () => {{ {MOVEMENT}
          movement.note(0, rows("a", "b", "c"));
          movement.note(2000, rows("c", "a", "b"));
          movement.note(4000, rows("a", "c", "b"));
          const c = [4000, 5000, 7000, 9000, 60_000].map((now) => movement.of("c", 2, now));
          return {{ c, stranger: movement.of("x", 1, 4000) }};
        }}"""
    )
    # From third at 0 s and first at 2 s; at 9 s it has been second for five seconds.
    assert found == {"c": [1, 1, -1, 0, 0], "stranger": 0}


def test_movement_compares_who_was_not_in_sight_since_it_was(run: Run) -> None:
    found = run(
        f"""async () => {{ {MOVEMENT}
          movement.note(0, rows("a"));
          movement.note(1000, rows("a", "b"));
          const entered = movement.of("b", 2, 1000);
          movement.note(2000, rows("b", "a"));
          return [entered, movement.of("b", 1, 2000), movement.of("b", 1, 6900), movement.of("b", 1, 7000)];
        }}"""
    )
    assert found == [0, 1, 1, 0]


def test_movement_keeps_the_last_frame_before_a_silence(run: Run) -> None:
    assert (
        run(
            f"""async () => {{ {MOVEMENT}
          movement.note(0, rows("a", "b"));
          movement.note(100, rows("b", "a"));
          return movement.of("b", 1, 5200);
        }}"""
        )
        == 0
    )


def test_movement_remembers_little_and_forgets_another_life(run: Run) -> None:
    found = run(
        f"""async () => {{ {MOVEMENT}
          for (let time = 0; time < 60_000; time += 16) movement.note(time, rows("a", "b"));
          movement.note(60_000, rows("b", "a"));
          const before = movement.of("b", 1, 60_000);
          movement.forget();
          return [before, movement.of("b", 1, 60_000)];
        }}"""
    )
    assert found == [1, 0]


STANDING = """async ({ order, frames, now = 0, found }) => {
  const { Standings } = await import("/static/js/standing.js");
  const { Words } = await import("/static/js/strings.js");
  const words = new Words("en");
  const standings = new Standings(order);
  const names = ["rank", "position", "player", "score", "percentile"];
  const entries = (rows) => rows?.map((row) => Object.fromEntries(row.map((value, index) => [names[index], value])));
  for (const { at = 0, total, reset, round: number = 1, ...lists } of frames) {
    const { rows, around, of } = lists;
    const round = { number };
    standings.see({ total, reset, round, rows: entries(rows), around: entries(around), of: entries(of) }, 1000 * at);
  }
  return Object.fromEntries(Object.keys(found).map((player) => {
    const standing = standings.of(player, 1000 * now);
    return [player, standing ? {
      above: standing.above && standing.above.player,
      gap: standing.gap,
      to_pass: standing.toPass,
      tied: standing.tied,
      ahead: standing.ahead,
      moved: standing.moved,
      reason: words.reason(standing),
      passing: words.passing(standing),
      sentence: words.sentence(standing),
    } : null];
  }));
}"""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["proves"])
def test_a_row_tells_how_it_stands(run: Run, case: dict[str, Any]) -> None:
    told = run(STANDING, case)
    for player, expected in case["found"].items():
        found = told[player]
        if found is not None and expected is not None:
            found = {name: found[name] for name in expected}
        assert found == expected, player


def test_the_server_rounds_numbers_as_a_browser_does(run: Run) -> None:
    values = [
        0.0005,
        0.0015,
        2.0625,
        2.0635,
        -0.0005,
        -2.5,
        1.0005,
        1e15,
        12.3456,
        8.345 / 1000,
        0.1 + 0.2,
        99.9995,
    ]
    found = run(
        """async (values) => {
          const { Words } = await import("/static/js/strings.js");
          const words = new Words("en");
          return values.map((value) => words.number(value));
        }""",
        values,
    )
    assert found == [templating.number(value) for value in values]


def test_a_connection_that_is_closed_on_purpose_is_explained_in_words(run: Run) -> None:
    removed, other = run(
        """async () => {
          const { Words } = await import("/static/js/strings.js");
          const { LinkError } = await import("/static/js/link.js");
          const words = new Words("en");
          return [words.why(new LinkError("ConnectionClosed")), words.why(new LinkError("BoardFull", "It is full."))];
        }"""
    )
    assert removed.startswith("The server has closed this connection")
    assert other == "It is full."


@pytest.mark.parametrize(
    ("locale", "number", "signed", "ordinals"),
    [
        ("en", "1,313.5", "+25", "1st 2nd 3rd 11th 22nd 113th"),
        ("de", "1.313,5", "+25", "1st 2nd 3rd 11th 22nd 113th"),
        ("xx", "1,313.5", "+25", "1st 2nd 3rd 11th 22nd 113th"),
    ],
)
def test_words_are_english_and_numbers_are_the_readers(
    run: Run, locale: str, number: str, signed: str, ordinals: str
) -> None:
    found = run(
        """async (locale) => {
          const { Words } = await import("/static/js/strings.js");
          const words = new Words(locale);
          const ordinals = [1, 2, 3, 11, 22, 113].map((rank) => words.ordinal(rank)).join(" ");
          const clocks = [24_000, 61_001, -5].map((ms) => words.clock(ms));
          return [words.number(1313.5), words.signed(25), ordinals, ...clocks];
        }""",
        locale,
    )
    assert found == [number, signed, ordinals, "0:24", "1:02", "0:00"]


@pytest.mark.parametrize(
    "name",
    [
        "Hedy Lamarr",
        "ken",
        "王小明",
        "鈴木 陽菜",
        "김 민준",
        "محمد الخوارزمي",
        "👩‍👩‍👧 Family",
        "🇨🇭 Swiss",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f Bobby",
        "மணி",
        "1️⃣ 2️⃣",
        "❤️‍🔥🔥",
        "👍🏽",
        "é́clair",
        "<b>",
        "ß",
        "1 2",
        "",
    ],
)
def test_faces_are_the_same_from_server_and_script(run: Run, name: str) -> None:
    found = run(
        """async (name) => {
          const { hue, initials } = await import("/static/js/board.js");
          return [hue(name), initials(name)];
        }""",
        name,
    )
    assert found == [templating.hue(name), templating.initials(name)]


def test_at_most_one_announcement_in_five_seconds_and_the_last_wins(run: Run, page: Page) -> None:
    page.clock.install(time=0)
    page.clock.pause_at(1000)  # or the time that a slow machine takes counts too
    found = run(
        """async () => {
          const { Announcer } = await import("/static/js/announcer.js");
          const element = document.createElement("p");
          window.element = element;
          const announcer = new Announcer(element);
          for (const message of ["one", "two", "three"]) announcer.say(message);
          return element.textContent;
        }"""
    )
    assert found == "one"
    page.clock.fast_forward(4900)
    assert page.evaluate("element.textContent") == "one"
    page.clock.fast_forward(200)
    assert page.evaluate("element.textContent") == "three"
    page.clock.fast_forward(6000)
    assert page.evaluate("element.textContent") == "three"
