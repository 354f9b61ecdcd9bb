"""A board by itself, of some players, and what became of what was done to it."""

from __future__ import annotations

from typing import Any

from leaderboard.board import Board
from leaderboard.errors import Refusal
from leaderboard.events import Event, Score
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
