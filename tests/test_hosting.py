"""What a host does to a board, by example; `test_rounds_model` leaves nothing of it to examples alone."""

from __future__ import annotations

from typing import Any

from leaderboard.board import Board
from leaderboard.errors import Refusal
from leaderboard.events import (
    Ban,
    Event,
    Freeze,
    Hide,
    Remove,
    Score,
    Unban,
    Undo,
    Unfreeze,
)
from leaderboard.ranking import View
from leaderboard.settings import Namespace

NOW = 1_700_000_000.0


def board_of(*players: str, **rules: Any) -> Board:
    """These players, the best first."""
    board = Board(Namespace.model_validate(rules), epoch="e")
    for place, player in enumerate(players):
        board.apply([Score(player, float(-place), name=player.title())], NOW)
    return board


def told(board: Board, *events: Event, **options: Any) -> list[str]:
    """What became of the events of one publish: `done`, `no effect` or the name of a refusal."""
    return [
        type(outcome).__name__
        if isinstance(outcome, Refusal)
        else "done"
        if outcome.changed
        else "no effect"
        for outcome in board.apply(events, NOW, **options)
    ]


def seen(board: Board, **view: Any) -> list[str]:
    """The players that a view shows."""
    rows = board.view(View(top=100, **view)).rows or []
    return [row.player for row in rows]


# -- removals and bans are taken back ----------------------------------------------------------------------------------


def test_undo_takes_back_the_ban_of_a_player_who_was_not_there() -> None:
    board = board_of("ann", "bob")
    board.apply([Remove("ann"), Ban("cid")], NOW)
    assert told(board, Undo()) == ["done"]
    assert seen(board) == ["bob"], "who was removed before stays away"
    assert told(board, Score("cid", 1.0)) == ["done"]


def test_a_player_who_was_removed_and_then_banned_comes_back_by_two_undos() -> None:
    board = board_of("ann", "bob")
    board.apply([Remove("ann"), Ban("ann")], NOW)
    assert told(board, Undo()) == ["done"]
    assert seen(board) == ["bob"]
    assert told(board, Undo()) == ["done"]
    assert seen(board) == ["ann", "bob"]
    assert told(board, Score("ann", 9.0)) == ["done"]
    board._check()


def test_a_ban_that_was_lifted_by_hand_is_nothing_to_undo() -> None:
    board = board_of("ann")
    assert told(board, Ban("bob"), Unban("bob"), Undo()) == ["done", "done", "NothingToUndo"]


# -- a frozen copy -----------------------------------------------------------------------------------------------------


def test_the_version_that_everybody_sees_never_goes_back() -> None:
    board = board_of("ann", "bob", "cid", "dee", "eve")
    board.apply([Freeze()], NOW)
    board.apply([Remove("ann"), Remove("bob"), Remove("cid"), Hide("dee"), Ban("eve")], NOW)
    frozen, _ = board.shown
    assert frozen == board.version, "what was taken out is taken out for everybody, now"
    board.apply([Unfreeze()], NOW)
    assert board.shown[0] > frozen
