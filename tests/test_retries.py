"""Retry windows: what was applied is known again, what was not is never taken for a repeat."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.retries import LAPSE, SENDERS, WIDTH, Retries, Seen

HIGH = 1000


def windows(*noted: int, capacity: int = 100) -> Retries:
    """The windows of a board on which ann's one sender had these applied, in this order."""
    retries = Retries(capacity)
    for n in noted:
        retries.note("ann", "a", n, now=0.0)
    return retries


@pytest.mark.parametrize(
    ("distance", "seen"),
    [
        (-1, Seen.NEW),
        (0, Seen.REPEAT),
        (1, Seen.NEW),
        (WIDTH - 1, Seen.NEW),
        (WIDTH, Seen.NEW),
        (WIDTH + 1, Seen.TOO_OLD),
        (HIGH - 1, Seen.TOO_OLD),
    ],
)
def test_a_window_reaches_32_below_its_highest(distance: int, seen: Seen) -> None:
    assert windows(HIGH).look_up("ann", "a", HIGH - distance, now=1.0) is seen


@pytest.mark.parametrize("distance", range(1, WIDTH + 1))
def test_each_n_in_reach_is_told_from_its_neighbours(distance: int) -> None:
    retries = windows(HIGH, HIGH - distance)
    known = {HIGH, HIGH - distance}
    for n in range(HIGH - WIDTH, HIGH + 1):
        expected = Seen.REPEAT if n in known else Seen.NEW
        assert retries.look_up("ann", "a", n, now=1.0) is expected


@pytest.mark.parametrize("step", [1, 2, WIDTH - 1, WIDTH, WIDTH + 1, 2**52])
def test_a_new_highest_keeps_what_stays_in_reach(step: int) -> None:
    retries = windows(HIGH, HIGH - 1, HIGH + step)
    for n, distance in ((HIGH, step), (HIGH - 1, step + 1)):
        expected = Seen.REPEAT if distance <= WIDTH else Seen.TOO_OLD
        assert retries.look_up("ann", "a", n, now=1.0) is expected


def test_the_first_n_may_be_any_and_marks_nothing_below_it() -> None:
    retries = windows(WIDTH)
    assert [retries.look_up("ann", "a", n, 1.0) for n in range(1, WIDTH)] == [Seen.NEW] * 31


def test_a_look_marks_nothing() -> None:
    retries = windows(5)
    assert retries.look_up("ann", "a", 4, now=1.0) is Seen.NEW
    assert retries.look_up("ann", "a", 4, now=1.0) is Seen.NEW


@pytest.mark.parametrize(("player", "by"), [("ann", "b"), ("bob", "a"), ("ann", "")])
def test_windows_of_other_players_and_senders_are_their_own(player: str, by: str) -> None:
    assert windows(5).look_up(player, by, 5, now=1.0) is Seen.NEW


def test_a_window_lapses_after_its_last_use() -> None:
    retries = windows(5)
    retries.note("ann", "a", 6, now=100.0)
    assert retries.look_up("ann", "a", 5, now=100.0 + LAPSE - 0.001) is Seen.REPEAT
    assert retries.look_up("ann", "a", 5, now=100.0 + LAPSE) is Seen.NEW
    assert len(retries) == 0


def test_lapsed_windows_go_whoever_looks() -> None:
    retries = windows(5)
    retries.note("bob", "a", 1, now=LAPSE / 2)
    retries.look_up("cid", "a", 1, now=LAPSE)
    assert len(retries) == 1


def test_a_fifth_sender_of_a_player_pushes_out_the_one_unused_longest() -> None:
    retries = Retries(capacity=100)
    for by in "abcd":
        retries.note("ann", by, 1, now=0.0)
    retries.note("ann", "a", 2, now=0.0)  # in the same instant: use counts, not the clock
    retries.note("ann", "e", 1, now=0.0)
    seen = {by: retries.look_up("ann", by, 1, now=0.0) for by in "abcde"}
    assert [by for by in seen if seen[by] is Seen.NEW] == ["b"]
    retries._check()


def test_a_full_board_forgets_the_window_unused_longest() -> None:
    retries = Retries(capacity=3)
    for player in ("ann", "bob", "cid"):
        retries.note(player, "", 1, now=0.0)
    retries.note("ann", "", 2, now=1.0)
    retries.note("dee", "", 1, now=1.0)
    assert len(retries) == 3
    assert retries.look_up("bob", "", 1, now=1.0) is Seen.NEW
    assert retries.look_up("ann", "", 1, now=1.0) is Seen.REPEAT
    retries._check()


def test_a_full_board_may_forget_the_only_other_window_of_the_same_player() -> None:
    retries = windows(1, capacity=1)
    retries.note("ann", "b", 1, now=1.0)
    assert retries.look_up("ann", "b", 1, now=1.0) is Seen.REPEAT
    assert retries.look_up("ann", "a", 1, now=1.0) is Seen.NEW
    retries._check()


@given(sent=st.lists(st.integers(1, 200) | st.integers(2**53 - 40, 2**53 - 1), max_size=60))
def test_nothing_is_applied_twice_and_nothing_new_in_reach_is_refused(sent: list[int]) -> None:
    retries = Retries(capacity=100)
    applied: list[int] = []
    for n in sent:
        seen = retries.look_up("ann", "a", n, now=1.0)
        if n in applied:
            assert seen is not Seen.NEW
        if n not in applied and n >= max(applied, default=0) - WIDTH:
            assert seen is Seen.NEW
        if seen is Seen.NEW:
            retries.note("ann", "a", n, now=1.0)
            applied.append(n)


def test_width_lapse_and_senders_are_what_clients_are_promised() -> None:
    assert (WIDTH, LAPSE, SENDERS) == (32, 600.0, 4)
