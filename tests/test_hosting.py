"""What a host does to a board, by example; `test_rounds_model` leaves nothing of it to examples alone."""

from __future__ import annotations

import pytest

from leaderboard.board import Board
from leaderboard.errors import Refusal
from leaderboard.events import (
    Ban,
    Clear,
    Freeze,
    Hide,
    Remove,
    Reveal,
    Score,
    Show,
    Unban,
    Undo,
    Unfreeze,
)
from leaderboard.ranking import View
from leaderboard.settings import Namespace
from tests.boards import NOW, board_of, seen, told

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


def revealing(*players: str, steps: int = 1) -> Board:
    """A board of three places at the top, frozen and revealed by so many steps."""
    board = board_of(*players, top=3)
    board.apply([Freeze(), Reveal(steps=steps)], NOW)
    return board


@pytest.mark.parametrize("take", [Remove, Ban])
def test_a_place_that_was_not_revealed_is_not_revealed_by_taking_it_out_and_back(
    take: type[Remove] | type[Ban],
) -> None:
    board = revealing("ann", "bob", "cid", "dee")
    assert seen(board) == ["cid", "dee"]
    board.apply([take("bob")], NOW)
    board.apply([Undo()], NOW)
    assert (seen(board), board.veiled) == (["cid", "dee"], 2)
    board.apply([take("cid")], NOW)
    board.apply([Undo()], NOW)
    assert (seen(board), board.veiled) == (["cid", "dee"], 2), "nor is it hidden again"


def test_a_step_passes_by_who_was_taken_out() -> None:
    board = revealing("ann", "bob", "cid", "dee")
    board.apply([Remove("bob"), Reveal(), Undo()], NOW)
    assert not board.frozen, "ann was the last"
    board = revealing("ann", "bob", "cid", "dee", "eve", steps=1)
    board.apply([Remove("ann"), Reveal()], NOW)
    assert not board.frozen


def test_a_reveal_ends_with_the_last_place_also_where_that_was_taken_out() -> None:
    board = revealing("ann", "bob", "cid", steps=2)
    board.apply([Ban("ann")], NOW)
    assert not board.frozen
    assert board.shown == (board.version, 2)
    board = revealing("ann", "bob", "cid")
    board.apply([Reveal(every_ms=1000), Remove("ann")], NOW)
    assert not board.frozen
    assert not board.settle(NOW + 60), "and with it the clock's part"


def test_a_row_goes_back_only_to_the_copy_from_which_it_was_taken() -> None:
    board = board_of("ann", "bob", "cid", top=2)
    board.apply([Freeze()], NOW)
    board.apply([Remove("ann"), Unfreeze(), Freeze()], NOW)
    board.apply([Undo()], NOW)
    assert seen(board) == ["bob", "cid"], "as it was when it was frozen"
    assert seen(board, live=True) == ["ann", "bob", "cid"]
    board._check()


def test_who_is_hidden_by_mistake_stands_where_it_stood_also_on_a_frozen_board() -> None:
    board = board_of("ann", "bob", "cid")
    board.apply([Freeze()], NOW)
    board.apply([Hide("bob")], NOW)
    assert (seen(board), board.shown[1]) == (["ann", "cid"], 2)
    board.apply([Score("bob", 9.0), Show("bob")], NOW)
    assert (seen(board), board.shown[1]) == (["ann", "bob", "cid"], 3)
    assert seen(board, live=True) == ["bob", "ann", "cid"]


def test_a_row_that_goes_back_is_hidden_as_its_player_is_by_then() -> None:
    board = board_of("ann", "bob")
    board.apply([Freeze(), Hide("ann"), Remove("ann"), Show("ann"), Undo()], NOW)
    assert seen(board) == ["ann", "bob"]
    board.apply([Remove("ann"), Hide("ann"), Undo()], NOW)
    assert seen(board) == ["bob"]
    board._check()


def test_who_was_hidden_when_it_froze_is_not_on_the_copy() -> None:
    board = board_of("ann", "bob")
    board.apply([Hide("bob"), Freeze(), Show("bob")], NOW)
    assert seen(board) == ["ann"]
    board.apply([Unfreeze()], NOW)
    assert seen(board) == ["ann", "bob"]


# -- ceilings ----------------------------------------------------------------------------------------------------------


def test_room_is_what_is_left_after_the_events_before_it() -> None:
    board = board_of("ann", "bob")
    assert told(board, Freeze(), Score("cid", 1.0), capacity=4) == ["done", "BoardFull"]
    board = board_of("ann", "bob")
    newcomers = [Score("cid", 1.0), Score("dee", 1.0)]
    assert told(board, Clear(), *newcomers, capacity=3) == ["done", "done", "BoardFull"]
    assert board.size == 3


def test_undo_needs_room_for_the_row_of_a_frozen_copy_too() -> None:
    board = board_of("ann", "bob")
    board.apply([Freeze(), Remove("ann")], NOW)
    assert told(board, Undo(), capacity=3) == ["BoardFull"]
    assert told(board, Undo(), capacity=4) == ["done"]
    assert board.size == 4


def test_no_room_for_a_copy_is_one_error_for_freezing_and_revealing() -> None:
    board = board_of("ann", "bob")
    assert told(board, Freeze(), capacity=3) == ["BoardFull"]
    assert told(board, Freeze(), Score("cid", 1.0), Reveal(), capacity=5) == [
        "done",
        "done",
        "BoardFull",
    ]
    assert told(board, Reveal(), capacity=6) == ["done"], "the new copy takes the old one's place"


def test_a_board_of_20_000_can_be_frozen_and_one_of_20_001_cannot() -> None:
    board = Board(Namespace(), epoch="e")
    board.apply([Score(f"p{n}", float(n)) for n in range(20_000)], NOW)
    assert told(board, Freeze()) == ["done"]
    assert told(board, Score("one more", 1.0), Reveal()) == ["done", "BoardTooLarge"]
    [outcome] = board.apply([Reveal()], NOW)
    assert isinstance(outcome, Refusal)
    assert "unfrozen" in outcome.message, "it says what can still be done"
    assert told(board, Unfreeze(), Freeze()) == ["done", "BoardTooLarge"]
    assert told(board, Hide("one more"), Freeze()) == ["done", "done"], "only places are copied"


# -- past rounds -------------------------------------------------------------------------------------------------------


def test_who_is_hidden_is_hidden_in_past_rounds_too() -> None:
    board = board_of("ann", "bob")
    board.apply([Clear()], NOW)
    before = board.view(View(top=10, round=1))
    board.apply([Hide("ann")], NOW)
    after = board.view(View(top=10, round=1))
    assert seen(board, round=1) == ["bob"]
    assert (after.total, after.version) == (1, before.version + 1), "caches can tell"
    board.apply([Show("ann")], NOW)
    assert seen(board, round=1) == ["ann", "bob"]


def test_ten_rounds_are_kept_and_of_each_the_first_thousand_rows() -> None:
    board = Board(Namespace(), epoch="e")
    for number in range(1, 13):
        for player in range(1002):
            board.apply([Score(f"p{player}", float(player + number))], NOW)
        board.apply([Clear()], NOW)
    assert board.round.number == 13
    assert [number for number in range(1, 15) if board.keeps(number)] == [*range(3, 14)]
    assert board.size == 10 * 1000
    window = board.view(View(top=2, offset=999, around="p1001", of=("p2", "p1"), round=3))
    assert (window.total, window.version) == (1002, 3 * 1003)
    assert window.rows is not None
    assert [(row.player, row.position, row.score) for row in window.rows] == [("p2", 1000, 5)]
    assert window.of is not None
    assert [(row.player, row.percentile) for row in window.of] == [("p2", 0.0019)]
