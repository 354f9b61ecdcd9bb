"""Arrows: who has risen or fallen against about five seconds ago."""

from __future__ import annotations

from leaderboard.client import Row
from leaderboard.movement import Movement


def rows(*players: str) -> list[Row]:
    return [Row(rank=n, position=n, player=p, score=0) for n, p in enumerate(players, 1)]


def test_an_arrow_lasts_five_seconds() -> None:
    movement = Movement()
    movement.note(0.0, rows("ann", "bob"))
    movement.note(1.0, rows("bob", "ann"))
    assert movement.of("bob", 1, now=1.0) == 1
    assert movement.of("ann", 2, now=5.9) == -1
    assert movement.of("ann", 2, now=6.0) == 0


def test_what_moves_right_after_the_first_snapshot_has_an_arrow() -> None:
    movement = Movement()
    movement.note(0.0, rows("ann", "bob"))
    movement.note(0.1, rows("bob", "ann"))
    assert movement.of("bob", 1, now=0.1) == 1


def test_it_compares_with_five_seconds_ago_not_with_the_last_snapshot() -> None:
    movement = Movement()
    orders = {0: "abc", 4: "bca", 8: "cba"}
    for second in range(10):
        movement.note(float(second), rows(*orders[second - second % 4]))
    moved = {player: movement.of(player, place, now=9.0) for place, player in enumerate("cba", 1)}
    assert moved == {"c": 1, "b": -1, "a": 0}


def test_who_was_not_in_sight_is_compared_since_it_was() -> None:
    movement = Movement()
    movement.note(0.0, rows("ann"))
    movement.note(1.0, rows("ann", "bob"))
    assert movement.of("bob", 2, now=1.0) == 0
    movement.note(2.0, rows("bob", "ann"))
    assert movement.of("bob", 1, now=2.0) == 1
    assert movement.of("cat", 3, now=2.0) == 0


def test_a_fast_board_costs_a_dozen_memories() -> None:
    movement = Movement()
    for beat in range(1000):
        movement.note(beat / 100, rows("ann", "bob"))
    assert len(movement._seen) <= 13


def test_another_life_of_the_board_begins_without_arrows() -> None:
    movement = Movement()
    movement.note(0.0, rows("ann", "bob"))
    movement.forget()
    movement.note(1.0, rows("bob", "ann"))
    assert movement.of("bob", 1, now=1.0) == 0
    assert Movement().of("bob", 1, now=1.0) == 0
