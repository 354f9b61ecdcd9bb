"""`limits.entries` holds for all that an engine keeps: rows, past rounds and frozen copies, whatever is done."""

from __future__ import annotations

import random

import pytest

from leaderboard.board import Applied
from leaderboard.errors import BoardFull
from leaderboard.events import (
    Ban,
    Clear,
    Event,
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
from tests.engines import Opener, World

CHANNELS = ("/a/x", "/b/y")
ENTRIES = 8
RULES = Namespace(idle_ttl=60, top=2)
STAGING = (Freeze(), Unfreeze(), Clear(), Undo(), Undo(), Reveal(), Reveal(every_ms=1000))


def some_event(chance: random.Random) -> Event:
    player = f"p{chance.randrange(5)}"
    if chance.random() < 0.6:
        return Score(player, float(chance.randrange(3)))
    if chance.random() < 0.6:
        return chance.choice(STAGING)
    return chance.choice((Remove, Remove, Ban, Unban, Unban, Hide, Show))(player)


async def kept(world: World, channel: str) -> int:
    """Entries of a board that can be read, wherever it keeps them; those of hidden players cannot."""
    live, public = View(top=100, live=True), View(top=100)
    reading = await world.read(channel, live, public, rules=RULES)
    past = [View(top=100, round=number) for number in range(1, reading.round.number)]
    rounds = await world.read(channel, *past, rules=RULES) if past else None
    return (
        reading.windows[live].total
        + (reading.windows[public].total if reading.frozen else 0)
        + sum(window.total for window in (rounds.windows.values() if rounds else ()))
    )


@pytest.mark.parametrize("seed", range(8))
async def test_no_more_is_kept_than_the_ceiling_and_all_of_it_can_be_used(
    engine: Opener, seed: int
) -> None:
    chance, world = random.Random(seed), await engine(entries=ENTRIES)
    most = refused = 0
    for _ in range(20):
        for _ in range(30):
            world.clock.now += chance.choice((0, 0, 0, 1))
            events = [some_event(chance) for _ in range(chance.randint(1, 5))]
            outcome = await world.publish(chance.choice(CHANNELS), *events, rules=RULES)
            most = max(most, sum([await kept(world, channel) for channel in CHANNELS]))
            refused += sum(isinstance(event, BoardFull) for event in outcome.events)
        world.clock.now += 60
        assert [await kept(world, channel) for channel in CHANNELS] == [0, 0]
        newcomers = [Score(f"p{n}", 1.0) for n in range(ENTRIES + 1)]
        outcome = await world.publish("/c/new", *newcomers, rules=RULES)
        taken = [isinstance(event, Applied) for event in outcome.events]
        assert taken == [True] * ENTRIES + [False], "all of it is free again, and no more"
        world.clock.now += 60
    assert refused
    assert most == ENTRIES
