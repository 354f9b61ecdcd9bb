"""Rows that explain themselves. The cases are shared with static/js/standing.js, by tests/browser/test_modules.py."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.client import Round, Row, Snapshot, Standings, connect
from leaderboard.standing import Standing, difference
from tests.conftest import ADMIN, Server

CASES = json.loads((Path(__file__).parent / "standings.json").read_text("utf-8"))


def snapshot(frame: dict[str, Any]) -> Snapshot:
    def rows(name: str) -> tuple[Row, ...]:
        return tuple(
            Row(**dict(zip(("rank", "position", "player", "score", "percentile"), row)))  # noqa: B905
            for row in frame.get(name, ())
        )

    return Snapshot(
        channel="/leaderboard/a",
        epoch="e",
        version=1,
        round=Round(number=frame.get("round", 1), state="open", frozen=False),
        total=frame["total"],
        rows=rows("rows"),
        around=rows("around"),
        of=rows("of"),
        reset=frame.get("reset", False),
    )


def told(standing: Standing | None) -> dict[str, Any] | None:
    """All that a standing tells, as the table has it."""
    if standing is None:
        return None
    return {
        **asdict(standing),
        "above": standing.above and standing.above.player,
        "reason": standing.reason,
        "passing": standing.passing,
        "sentence": standing.sentence(),
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["proves"])
def test_a_row_tells_how_it_stands(case: dict[str, Any]) -> None:
    now = 0.0
    standings = Standings(case.get("order"), clock=lambda: now)
    for frame in case["frames"]:
        now = frame.get("at", 0)
        standings.see(snapshot(frame))
    now = case.get("now", 0)
    for player, expected in case["found"].items():
        found = told(standings.of(player))
        if found is not None and expected is not None:
            found = {name: found[name] for name in expected}
        assert found == expected, player


def test_a_sentence_is_about_whomever_it_is_asked_for() -> None:
    standings = Standings()
    standings.see(snapshot(CASES[0]["frames"][0]))
    ann = standings.of("ann")
    assert ann is not None
    assert ann.sentence("Ann is") == "Ann is 17th of 63 · 12 points to 16th · ahead of 73%"


scores = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(-1e9, 1e9, allow_subnormal=False),
    st.decimals(-1000, 1000, places=2, allow_nan=False).map(float),
)


@given(scores, scores)
def test_a_difference_is_the_same_both_ways_and_never_negative(one: float, other: float) -> None:
    assert difference(one, other) == difference(other, one) >= 0


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_cents_differ_by_cents(one: int, other: int) -> None:
    assert difference(one / 100, other / 100) == abs(one - other) / 100


async def test_who_adds_what_passing_takes_has_passed(server: Server, board: str) -> None:
    """The rule is the server's: equal is not enough."""
    async with connect(server.url, ADMIN) as client:
        await client.publish(board, {"player": "ann", "score": 50})
        await client.publish(board, {"player": "bob", "score": 38})

        async def standing() -> Standing:
            async with client.subscribe(board, around="bob") as watched:
                standings = Standings()
                standings.see(await anext(watched))
                found = standings.of("bob")
                assert found is not None
                return found

        before = await standing()
        assert (before.row.rank, before.gap, before.to_pass, before.ahead) == (2, 12, 13, 0)
        await client.publish(board, {"player": "bob", "score": 50})
        level = await standing()
        assert (level.row.position, level.tied) == (2, True)
        await client.publish(board, {"player": "bob", "score": 38 + (before.to_pass or 0)})
        after = await standing()
        assert (after.row.position, after.sentence()) == (1, "You are 1st of 2 · ahead of 50%")
