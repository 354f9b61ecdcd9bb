"""The live table: what stands where, and that no name can do anything to a terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console, ConsoleDimensions

from leaderboard.client import Round, Row, Snapshot, State
from leaderboard.terminal import BoardTable, Line, clean, line, number, rows_that_fit

SIZE = ConsoleDimensions(100, 20)


def row(position: int, player: str, score: float, **members: Any) -> Row:
    return Row(
        **{"rank": position, "position": position, "player": player, "score": score, **members}
    )


def snapshot(*rows: Row, around: tuple[Row, ...] = (), **members: Any) -> Snapshot:
    return Snapshot(
        **{
            "channel": "/leaderboard/arcade",
            "epoch": "e",
            "version": 1,
            "round": Round(number=1, state="open", frozen=False),
            "total": len(rows),
            "watching": 2,
            "rows": rows,
            "around": around,
            **members,
        }
    )


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(lines: list[Line]) -> list[str]:
    """Lines as a terminal of narrow characters shows them."""
    texts = []
    for cells in lines:
        text = ""
        for column, cell in cells:
            text = text.ljust(column)[:column] + cell.plain
        texts.append(text.strip())
    return texts


def table(around: str | None = None, clock: Clock | None = None) -> BoardTable:
    return BoardTable("/leaderboard/arcade", around, clock or Clock())


def test_a_screen_has_title_state_rows_and_footer_and_is_as_high_as_the_terminal() -> None:
    board = table()
    board.see(snapshot(row(1, "ann", 1234567, name="Ann"), row(2, "bob", 0.5)))
    lines = shown(board.screen(State.LIVE, SIZE))
    assert len(lines) == SIZE.height
    assert lines[0].startswith("/leaderboard/arcade")
    assert lines[0].endswith("● Live")
    assert lines[2].split() == ["Rank", "Player", "Score", "Gap"]
    assert lines[3].split() == ["1", "Ann", "1,234,567"]
    assert lines[4].split() == ["2", "bob", "0.5", "1,234,5…"]
    assert lines[-1].startswith("2 players · 2 watching")


def test_a_board_that_the_server_cannot_reach_is_not_said_to_be_live() -> None:
    board = table()
    board.see(snapshot(row(1, "ann", 5), stale=True))
    lines = shown(board.screen(State.LIVE, SIZE))
    assert lines[0].endswith("○ Reconnecting")
    assert lines[3].split() == ["1", "ann", "5"]
    board.see(snapshot(row(1, "ann", 5)))
    assert shown(board.screen(State.LIVE, SIZE))[0].endswith("● Live")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, ""),
        (
            {"round": Round(number=3, state="soon", frozen=False), "starts_in_ms": 2100},
            "round 3 begins in 0:02",
        ),
        (
            {"round": Round(number=3, state="open", frozen=False), "ends_in_ms": 84_000},
            "round 3 ends in 1:23",
        ),
        (
            {"round": Round(number=3, state="open", frozen=False), "ends_in_ms": 300},
            "round 3 ends in 0:00",
        ),
        ({"round": Round(number=1, state="closed", frozen=False)}, "round 1 is closed"),
        ({"round": Round(number=2, state="open", frozen=False)}, "round 2 is open"),
        ({"round": Round(number=1, state="open", frozen=True)}, "frozen"),
        (
            {"round": Round(number=1, state="closed", frozen=True, hidden=4)},
            "round 1 is closed · 4 to be revealed",
        ),
    ],
)
def test_the_footer_tells_of_the_round_as_time_goes_by(members: dict[str, Any], words: str) -> None:
    clock = Clock()
    board = table(clock=clock)
    board.see(snapshot(row(1, "ann", 7), playing=1, **members))
    clock.now += 1.0
    footer = shown(board.screen(State.LIVE, SIZE))[-1]
    expected = " · ".join(filter(None, (words, "1 player", "2 watching", "1 playing")))
    assert footer.removesuffix("Ctrl-C ends").rstrip() == expected


@pytest.mark.parametrize(
    ("width", "footer"),
    [
        (100, "round 2 ends in 0:24 · 57 players · 103 watching · 41 playing"),
        (60, "round 2 ends in 0:24 · 57 players · 103 watching"),
        (40, "round 2 ends in 0:24 · 57 players"),
        (15, "round 2 ends…"),
    ],
)
def test_who_is_there_comes_before_how_to_end_it_and_nothing_is_cut_in_two(
    width: int, footer: str
) -> None:
    board = table()
    members: dict[str, Any] = {"ends_in_ms": 24_000, "total": 57, "watching": 103, "playing": 41}
    members["round"] = Round(number=2, state="open", frozen=False)
    board.see(snapshot(row(1, "ann", 7), **members))
    assert shown(board.screen(State.LIVE, ConsoleDimensions(width, 20)))[-1] == footer


def test_scores_end_in_one_column_however_wide_the_names() -> None:
    board = table()
    board.see(
        snapshot(
            row(1, "a", 9), row(2, "b", 12345, name="李" * 64), row(3, "c", -1, name="आरव गुप्ता")
        )
    )
    ends = {
        column + text.cell_len
        for cells in board.screen(State.LIVE, SIZE)[3:6]
        for column, text in cells[3:4]
    }
    assert len(ends) == 1
    player = board.screen(State.LIVE, SIZE)[4][2]
    assert player[1].plain.endswith("…")
    assert player[0] + player[1].cell_len < board.screen(State.LIVE, SIZE)[4][3][0]


def test_arrows_show_who_has_moved_and_go_after_five_seconds() -> None:
    clock = Clock()
    board = table(clock=clock)
    board.see(snapshot(row(1, "ann", 2), row(2, "bob", 1)))
    clock.now += 1
    board.see(snapshot(row(1, "bob", 3), row(2, "ann", 2)))
    assert [text.split()[1] for text in shown(board.screen(State.LIVE, SIZE))[3:5]] == ["▲1", "▼1"]
    clock.now += 5
    assert [text.split()[1] for text in shown(board.screen(State.LIVE, SIZE))[3:5]] == [
        "bob",
        "ann",
    ]


def test_another_life_of_the_board_begins_without_arrows() -> None:
    board = table()
    board.see(snapshot(row(1, "ann", 2), row(2, "bob", 1)))
    board.see(snapshot(row(1, "bob", 1), row(2, "ann", 0), reset=True))
    assert [text.split()[1] for text in shown(board.screen(State.LIVE, SIZE))[3:5]] == [
        "bob",
        "ann",
    ]


def test_who_is_around_a_player_follows_the_top_behind_a_gap() -> None:
    board = table(around="zoe")
    near = (row(39, "yan", 12), row(40, "zoe", 11), row(41, "zac", 10))
    board.see(snapshot(row(1, "ann", 99), row(2, "bob", 98), around=near, total=60))
    lines = shown(board.screen(State.LIVE, SIZE))[3:9]
    assert [text.split()[:2] for text in lines] == [
        ["1", "ann"], ["2", "bob"], ["⋯"], ["39", "yan"], ["40", "zoe"], ["41", "zac"],
    ]  # fmt: skip


def test_a_player_in_the_top_is_shown_once() -> None:
    board = table(around="bob")
    rows = [row(1, "ann", 3), row(2, "bob", 2), row(3, "cat", 1)]
    board.see(snapshot(*rows[:2], around=tuple(rows), total=3))
    lines = shown(board.screen(State.LIVE, SIZE))[3:7]
    assert [text.split()[1:2] for text in lines] == [["ann"], ["bob"], ["cat"], []]


NEAR = (
    row(15, "yan", 30, percentile=0.7),
    row(16, "zoe", 18, name="Zoë\x1b[2J", percentile=0.66),
    row(17, "tim", 18, rank=16, percentile=0.66),
)


@pytest.mark.parametrize(
    ("around", "me", "place"),
    [
        ("zoe", False, "Zoë[2J is 16th of 60 · 12 points to 15th · ahead of 66%"),
        ("zoe", True, "You are 16th of 60 · 12 points to 15th · ahead of 66%"),
        ("yan", True, "You are 15th of 60 · ahead of 70%"),
        ("tim", True, "You are 16th of 60 · same score, reached later · 1 more point to pass"),
        ("who\x1b", False, "who is not on this board yet"),
        ("who", True, "You are not on this board yet"),
        (None, False, ""),
    ],
)
def test_the_place_of_a_player_is_told(around: str | None, me: bool, place: str) -> None:
    board = BoardTable("/leaderboard/arcade", around, Clock(), me=me)
    assert shown(board.screen(State.LIVE, SIZE))[1] == ""
    board.see(snapshot(around=NEAR, total=60))
    assert shown(board.screen(State.LIVE, SIZE))[1] == place
    assert shown(board.lasting(SIZE))[1] == place


def test_a_place_that_is_still_veiled_is_not_said_to_be_none() -> None:
    board = BoardTable("/leaderboard/arcade", "ann", Clock(), me=True)
    reveal = Round(number=1, state="closed", frozen=True, hidden=2)
    board.see(snapshot(row(3, "bob", 1), round=reveal, total=3))
    assert shown(board.screen(State.LIVE, SIZE))[1] == "You are not revealed yet"
    board.see(snapshot(row(1, "eve", 3), row(2, "cat", 2), row(3, "bob", 1), round=reveal, total=3))
    assert shown(board.screen(State.LIVE, SIZE))[1] == "You are not on this board yet", (
        "to its host"
    )


@pytest.mark.parametrize(
    ("width", "place", "gap"),
    [
        (60, "You are 16th of 60 · 12 points to 15th · ahead of 66%", "12"),
        (50, "You are 16th of 60 · 12 points to 15th", "12"),
        (30, "You are 16th of 60", "18"),
        (15, "You are 16th…", "18"),
    ],
)
def test_what_does_not_fit_is_left_out(width: int, place: str, gap: str) -> None:
    board = BoardTable("/leaderboard/arcade", "zoe", Clock(), me=True)
    board.see(snapshot(around=NEAR, total=60))
    lines = shown(board.screen(State.LIVE, ConsoleDimensions(width, 20)))
    assert lines[1] == place
    assert lines[4].split()[-1] == gap


def test_a_row_tells_the_gap_to_the_one_above_or_that_it_came_later() -> None:
    board = table()
    rows = [row(1, "ann", 20), row(2, "bob", 8), row(3, "cat", 8, rank=2), row(5, "eve", 1)]
    board.see(snapshot(*rows))
    lines = shown(board.screen(State.LIVE, SIZE))[3:7]
    assert [text.split()[-2:] for text in lines] == [
        ["ann", "20"],
        ["8", "12"],
        ["8", "="],
        ["eve", "1"],
    ]


@pytest.mark.parametrize("size", [(20, 6), (40, 8), (3, 2), (200, 60)])
def test_any_window_is_filled_and_nothing_stands_outside(size: tuple[int, int]) -> None:
    dimensions = ConsoleDimensions(*size)
    board = table(around="p7")
    rows = [row(n, f"p{n}", 1000 - n) for n in range(1, 101)]
    board.see(snapshot(*rows, around=tuple(rows[4:9])))
    lines = board.screen(State.LIVE, dimensions)
    assert len(lines) == max(dimensions.height, 6)
    if dimensions.width >= 40:
        for cells in lines:
            for column, text in cells:
                assert column >= 0
                assert column + text.cell_len < dimensions.width


def test_a_lost_server_is_told_and_the_rows_stay() -> None:
    board = table()
    board.see(snapshot(row(1, "ann", 2)))
    lines = shown(board.screen(State.OFFLINE, SIZE))
    assert "Offline, last known " in lines[0]
    assert lines[3].split() == ["1", "ann", "2"]


def test_a_board_without_scores_says_so() -> None:
    board = table()
    assert "No scores yet." not in shown(board.screen(State.LIVE, SIZE))
    board.see(snapshot())
    assert "No scores yet." in shown(board.screen(State.LIVE, SIZE))


HOSTILE = "\x1b[2J\x07[bold red]Eve[/] \x9b31m\u202e\r\n\x1b]0;title\x07"


def test_no_name_is_a_control_sequence_or_markup() -> None:
    board = table(around="x")
    board.see(snapshot(row(1, "x", 1, name=HOSTILE), row(2, HOSTILE, 0)))
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    for cells in board.screen(State.LIVE, SIZE):
        for _, text in cells:
            console.print(text)
    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[bold red]Eve[/]" in written
    assert "\x1b[2J" not in written
    assert not set(written) & set("\x07\x9b\u202e\r")


def test_a_line_is_one_line_whatever_the_names() -> None:
    class Board:
        channel = "/leaderboard/*"

    text = line(snapshot(row(1, "x", 1234, name=HOSTILE)), Board())  # type: ignore[arg-type]
    assert text.isprintable()
    assert text.endswith(f"/leaderboard/arcade  1 player  1. {clean(HOSTILE)} 1,234")


def test_numbers_are_written_for_people() -> None:
    assert [number(score) for score in (0, -5, 1234567, 0.5, 1234.25, 0.1 + 0.2)] == [
        "0", "-5", "1,234,567", "0.5", "1,234.25", "0.3",
    ]  # fmt: skip


def test_as_many_rows_are_asked_for_as_fit() -> None:
    console = Console(width=80, height=25, file=io.StringIO())
    assert rows_that_fit(console, None, 2) == 20
    assert rows_that_fit(console, "ann", 2) == 14
    assert rows_that_fit(Console(width=80, height=4), None, 2) == 3
    assert rows_that_fit(Console(width=80, height=400), None, 2) == 100
