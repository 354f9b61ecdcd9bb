"""People on a board by itself: how their host finds them, what it takes back, and who plays."""

from __future__ import annotations

import json

import pytest

from leaderboard.board import Board
from leaderboard.events import (
    Ban,
    Clear,
    Close,
    Hide,
    Props,
    Remove,
    Score,
    Show,
    Undo,
)
from leaderboard.settings import Namespace
from tests.boards import NOW, board_of, seen, told


def listed(board: Board, prefix: str = "") -> list[tuple[str, str | None, str]]:
    """Players as their host finds them: id, name, and what was decided of them."""
    return [
        (
            each.player,
            each.name,
            "banned"
            if each.banned
            else "hidden"
            if each.hidden
            else f"rank {each.row.rank}"
            if each.row
            else "",
        )
        for each in board.people(prefix, 100)
    ]


def test_people_are_listed_as_they_came_whatever_was_decided_of_them() -> None:
    board = board_of("ann", "bob", "cid")
    board.apply([Score("cid", 9.0), Hide("ann"), Hide("bob"), Show("bob")], NOW)
    assert listed(board) == [
        ("ann", "Ann", "hidden"),
        ("bob", "Bob", "rank 2"),
        ("cid", "Cid", "rank 1"),
    ]


def test_who_is_hidden_or_banned_is_found_by_name_also_where_it_is_not_on_the_board() -> None:
    board = board_of("p1", "p2", "p3")
    board.apply([Score("p2", 1.0, name="Bob"), Score("p3", 1.0, name="BOBBY")], NOW)
    board.apply([Hide("p3"), Ban("p2"), Clear(), Ban("never seen")], NOW)
    board.apply([Score("p1", 1.0, name="Bo")], NOW)
    assert listed(board, "bo") == [
        ("p1", "Bo", "rank 1"),
        ("p2", "Bob", "banned"),
        ("p3", "BOBBY", "hidden"),
    ]
    assert listed(board, "NEVER") == [("never seen", None, "banned")]
    assert listed(board, "x") == []
    assert [each.player for each in board.people("", 2)] == ["p1", "never seen"]


def test_a_search_looks_at_the_first_ten_thousand_entries() -> None:
    board = Board(Namespace(), epoch="e")
    board.apply([Score(f"p{n}", 1.0) for n in range(10_000)], NOW)
    board.apply([Score("late", 1.0), Ban("later")], NOW)
    assert listed(board, "late") == [("later", None, "banned")]
    board.apply([Remove("p7")], NOW)
    assert [player for player, *_ in listed(board, "late")] == ["late", "later"]


def test_ten_thousand_players_may_be_hidden_and_as_many_banned_and_no_more() -> None:
    board = Board(Namespace(), epoch="e")
    for decide in (Hide, Ban):
        board.apply([decide(f"p{n}") for n in range(10_000)], NOW)
        assert told(board, decide("one more"), decide("p1")) == ["LimitExceeded", "no effect"]
    assert told(board, Show("p1"), Hide("one more")) == ["done", "done"]


def test_the_last_ten_removals_can_be_taken_back() -> None:
    board = board_of(*(f"p{n}" for n in range(12)))
    for n in range(12):
        board.apply([Remove(f"p{n}")], NOW)
    assert told(board, *[Undo()] * 11) == ["done"] * 10 + ["NothingToUndo"]
    assert seen(board) == [f"p{n}" for n in range(2, 12)], "each where it stood"


def test_who_came_back_by_itself_is_not_put_back() -> None:
    board = board_of("ann", "bob")
    board.apply([Remove("bob"), Remove("ann"), Score("ann", 7.0)], NOW)
    assert told(board, Undo()) == ["NothingToUndo"]
    assert board.score("ann") == 7
    assert told(board, Undo(), Undo()) == ["done", "NothingToUndo"], "and those before it still are"
    assert seen(board) == ["ann", "bob"]


def test_a_round_takes_its_removals_with_it_but_not_its_bans() -> None:
    board = board_of("ann", "bob")
    board.apply([Remove("ann"), Ban("bob"), Clear()], NOW)
    assert told(board, Undo(), Score("bob", 1.0)) == ["NothingToUndo", "Banned"]


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), (1, 1.0)])
def test_props_that_are_not_the_same_json_are_a_change(one: object, other: object) -> None:
    board = Board(Namespace(), epoch="e")
    board.apply([Props({"public": {"on": one}, "x": 1})], NOW)
    assert told(board, Props({"x": 1, "public": {"on": one}})) == ["no effect"]
    assert told(board, Props({"public": {"on": other}, "x": 1})) == ["done"]
    assert bytes(board.public_props) == json.dumps({"on": other}).replace(" ", "").encode()


# -- who plays ---------------------------------------------------------------------------------------------------------


def test_who_was_active_in_the_last_minute_plays() -> None:
    board = board_of("ann", "bob")
    assert board.playing(NOW + 55) == 2, "activity is known to five seconds"
    board.apply([Score("ann", -9.0)], NOW + 55)
    assert board.playing(NOW + 60) == 1, "a score without effect is activity"
    assert board.playing(NOW + 115) == 0
    board.apply([Score("bob", 1.0), Score("ann", 1.0), Remove("bob"), Close()], NOW + 200)
    board.apply([Score("bob", 1.0)], NOW + 200)
    assert board.playing(NOW + 200) == 1, "neither who was removed nor who was refused"
    board.apply([Clear()], NOW + 201)
    assert board.playing(NOW + 201) == 0


def test_a_board_that_nobody_reads_remembers_no_more_than_a_minute() -> None:
    board = board_of("ann")
    for seconds in range(0, 3600, 5):
        board.apply([Score(f"p{seconds}", 1.0), Score("ann", 1.0)], NOW + seconds)
        board._check()
    assert board.playing(NOW + 3600 - 1) == 1 + 60 / 5
