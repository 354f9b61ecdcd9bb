"""Players without a score yet: they enter a board before it opens, and stay when the next round begins."""

from __future__ import annotations

from typing import Any

import pytest

from leaderboard.board import Applied, Board
from leaderboard.errors import Banned, BoardFull, Frozen, InvalidEvent, Refusal
from leaderboard.events import (
    Ban,
    Clear,
    Close,
    Enter,
    Event,
    Freeze,
    Hide,
    Open,
    Remove,
    Score,
    decode_board_event,
)
from leaderboard.ranking import View
from leaderboard.settings import Namespace
from tests.conftest import HOST, SCOREKEEPER, Server

ROOM = "/game/entering"


def room(**rules: Any) -> Board:
    board = Board(Namespace(mode="sum", **rules), epoch="e")
    applied(board, Close())
    return board


def applied(board: Board, *events: Event, capacity: float = 1e9) -> list[bool | Refusal]:
    """Whether each changed anything, or why it was refused; what stands must fit together after it."""
    outcomes = board.apply(events, 0.0, capacity)
    board._check()
    return [each.changed if isinstance(each, Applied) else each for each in outcomes]


def rows(board: Board, **view: Any) -> list[tuple[str, str | None, float]]:
    found = board.view(View(top=9, **view)).rows or []
    return [(row.player, row.name, row.score) for row in found]


def test_players_enter_a_closed_board_in_the_order_in_which_they_come() -> None:
    board = room()
    assert applied(board, Enter("zoe", "Zoe"), Enter("ann")) == [True, True]
    assert rows(board) == [("zoe", "Zoe", 0), ("ann", None, 0)]


def test_who_has_a_row_is_renamed_and_keeps_the_score_and_the_place() -> None:
    board = room()
    applied(board, Open(), Score("ann", 7.0, name="Ann"), Score("bob", 7.0))
    assert applied(board, Enter("ann", "Anna"), Enter("ann", "Anna"), Enter("ann")) == [
        True,
        False,
        False,
    ]
    assert rows(board) == [("ann", "Anna", 7), ("bob", None, 7)]


def test_what_is_known_of_a_player_is_kept_as_canonical_json() -> None:
    board = room()
    assert applied(board, Enter("b", meta={"z": 1, "bot": True})) == [True]
    assert applied(board, Enter("b", meta={"bot": True, "z": 1})) == [False]
    entry = (board.view(View(top=1)).rows or [])[0]
    assert entry.meta is not None
    assert bytes(entry.meta) == b'{"bot":true,"z":1}'


def test_nobody_enters_who_may_not() -> None:
    board = room(max_entries=1)
    applied(board, Ban("eve"))
    [banned, entered, full] = applied(board, Enter("eve"), Enter("ann"), Enter("bob"))
    assert isinstance(banned, Banned)
    assert (entered, type(full)) == (True, BoardFull)
    [elsewhere] = applied(Board(Namespace(), epoch="e"), Enter("ann"))
    assert isinstance(elsewhere, InvalidEvent)


def test_the_next_round_begins_with_the_same_players_at_nothing() -> None:
    board = room()
    applied(board, Enter("ann", "Ann"), Enter("bob"), Enter("cid"), Hide("cid"))
    applied(board, Open(), Score("bob", 9.0), Score("cid", 5.0), Close())
    assert applied(board, Clear(players=True)) == [True]
    assert rows(board) == [("ann", "Ann", 0), ("bob", None, 0)]  # and cid is still hidden
    assert rows(board, round=1) == [("bob", None, 9), ("ann", "Ann", 0)]
    assert applied(board, Open(), Score("cid", 1.0)) == [True, True]
    assert board.score("cid") == 1


def test_the_same_players_once_more_must_have_room() -> None:
    board = room()
    applied(board, Enter("ann"), Enter("bob"))
    [full] = applied(board, Clear(players=True), capacity=3)
    assert isinstance(full, BoardFull)
    assert board.round.number == 1
    assert applied(board, Clear(players=True), capacity=4) == [True]
    # beyond the tenth the oldest round makes room for the next
    for _ in range(20):
        assert applied(board, Clear(players=True), capacity=22) == [True]
    assert board.size == 22


def test_a_frozen_board_shows_those_who_enter_when_it_is_not_any_more() -> None:
    board = room()
    applied(board, Enter("ann"), Freeze(), Enter("bob"))
    assert rows(board) == [("ann", None, 0)]
    assert rows(board, live=True) == [("ann", None, 0), ("bob", None, 0)]
    [frozen] = applied(board, Clear(players=True))
    assert isinstance(frozen, Frozen)


def test_who_entered_can_be_removed() -> None:
    board = room()
    assert applied(board, Enter("ann"), Remove("ann")) == [True, True]
    assert rows(board) == []


def test_the_wire_has_both_words() -> None:
    entered = decode_board_event('{"op":"enter","id":"ann","name":" Ann ","meta":{"bot":true}}')
    assert entered == Enter("ann", "Ann", {"bot": True})
    assert decode_board_event('{"op":"clear","players":true}') == Clear(players=True)
    for text in (
        '{"op":"enter"}',
        '{"op":"enter","player":"ann","name":" "}',
        '{"op":"enter","player":"ann","meta":{"text":"%s"}}' % ("x" * 1024),
        '{"op":"clear","players":1}',
    ):
        with pytest.raises(InvalidEvent):
            decode_board_event(text)


async def test_a_host_alone_lets_players_enter(server: Server) -> None:
    host, scorekeeper = await server.client(HOST), await server.client(SCOREKEEPER)
    entering = {"op": "enter", "player": "ann", "name": "Ann"}
    refused = await scorekeeper.publish(ROOM, entering)
    assert [error["errorType"] for error in refused["errors"]] == ["NotAllowed"]
    await host.publish(ROOM, {"op": "close"}, entering)
    http = await server.http(HOST)
    board = (await http.get(f"/api/boards{ROOM}")).json()
    assert [(row["name"], row["score"]) for row in board["rows"]] == [("Ann", 0)]
    cleared = await http.post(f"/api/boards{ROOM}", json={"op": "clear", "players": True})
    assert cleared.status_code == 200
    board = (await http.get(f"/api/boards{ROOM}")).json()
    assert (board["round"]["number"], board["total"]) == (2, 1)
