"""The same events give the same snapshots, byte for byte, in memory and in Redis: whatever happens, in whatever order.

As many as are wanted can be tried by hand, over as many servers: ``python -m tests.test_redis_equal URL EVENTS SEED``.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leaderboard import snapshots
from leaderboard.board import Applied
from leaderboard.engines import Engine, Outcome, Reading
from leaderboard.engines.memory import MemoryEngine
from leaderboard.engines.redis import RedisEngine
from leaderboard.errors import Refusal
from leaderboard.events import (
    Ban,
    Clear,
    Close,
    Enter,
    Event,
    Freeze,
    Hide,
    Open,
    Props,
    Remove,
    Reveal,
    Score,
    Show,
    Unban,
    Undo,
    Unfreeze,
)
from leaderboard.ranking import View
from leaderboard.settings import MAX_SCORE, Limits, Namespace
from tests.engines import Clock, World
from tests.needs import needs
from tests.redis_server import RedisServer

PLAYERS = ("ann", "bob", "a:b", "{x}", "Zoë 😀", "dee dee", '"q"\\', "eve", "0", "-")
SCORES = (0.0, -0.0, 1.0, 1.0, 2.0, 3.0, 0.1, 0.2, 0.30000000000000004, 1e-7, 1e15, 123456.789)
EDGES = (MAX_SCORE, MAX_SCORE - 1, -MAX_SCORE, 2.0**52 + 0.5, 2.0**53 / 3)
MODES, ORDERS, TIES = ("best", "latest", "sum"), ("desc", "asc"), ("competition", "ordinal")


class Chance(random.Random):
    """What happens to a board, by chance."""

    def rules(self) -> Namespace:
        return Namespace.model_validate(
            {
                "mode": self.choice(MODES),
                "order": self.choice(ORDERS),
                "ties": self.choice(TIES),
                "top": self.choice((1, 2, 10)),
                "max_entries": self.choice((5, 8, 100)),
                "max_score": self.choice((MAX_SCORE, MAX_SCORE, 3.0)),
                "idle_ttl": 600,
            }
        )

    def events(self) -> list[Event]:
        return [self.event() for _ in range(self.randint(1, 5))]

    def event(self) -> Event:
        player = self.choice(PLAYERS)
        if self.random() < 0.7:
            n = self.choice((None, None, 1, 2, 3, 33, 34, 35, 36, 67, 2**53 - 1))
            return Score(
                player=player,
                score=self.choice(SCORES if self.random() < 0.9 else EDGES),
                name=self.choice((None, None, "Ann", "Bób")),
                meta=self.choice((None, None, '{"team":1}', "{}")),
                by=self.choice(("", "s1", "s2", "s3", "s4")) if n else "",
                n=n,
                round=self.choice((None, None, None, 1, 2)),
            )
        if self.random() < 0.5:
            return self.choice((Remove, Hide, Show, Ban, Unban, Remove, Unban))(player)
        some: Callable[[], Event] = self.choice(
            (
                lambda: Open(in_ms=self.choice((0, 0, 500)), for_ms=self.choice((None, None, 900))),
                Open,
                Close,
                lambda: Clear(players=self.random() < 0.5),
                Freeze,
                Unfreeze,
                lambda: Reveal(steps=self.choice((1, 2))),
                lambda: Reveal(every_ms=self.choice((250, 1000))),
                lambda: Props(
                    {"public": {"n": self.randint(0, 1)}, "seed": self.choice((1, True))}
                ),
                lambda: Enter(
                    player, self.choice((None, "Eve")), self.choice((None, {"b": 1, "a": 2}))
                ),
                Undo,
                Undo,
            )
        )
        return some()

    def views(self, rounds: int) -> list[View]:
        several = tuple(self.sample(PLAYERS, 4))
        return [
            View(top=100),
            View(top=100, live=True),
            View(top=2, offset=self.randint(0, 4)),
            View(around=self.choice(PLAYERS), radius=self.randint(0, 3)),
            View(top=1, of=several, live=self.random() < 0.5),
            View(top=100, of=several, around=several[0], round=self.randint(1, rounds + 1)),
        ]


def told(outcome: Outcome | Refusal) -> Any:
    """What an engine said of a publish, in a form that can be compared."""
    if isinstance(outcome, Refusal):
        return type(outcome), outcome.message
    events = [
        each if isinstance(each, Applied) else (type(each), each.message) for each in outcome.events
    ]
    return events, outcome.version, outcome.frozen, list(outcome.ranks)


def shown(reading: Reading | Refusal) -> Any:
    """What a board is, and the bytes that its subscribers get."""
    assert isinstance(reading, Reading)
    epoch = reading.epoch
    bodies = {
        view: body.text.replace(f'"epoch":"{epoch}"', "")
        for view, body in snapshots.bodies(reading)
    }
    rest = (reading.version, reading.round.number, reading.round.state, reading.round.starts_at)
    more = (reading.round.ends_at, reading.frozen, reading.veiled, bytes(reading.props))
    return bodies, *rest, *more, reading.playing, reading.due, bool(epoch)


async def compare(url: str, seed: int, events: int) -> int:
    """Do the same to both engines; the number of events that were sent."""
    chance, clock = Chance(seed), Clock()
    # Partitions learn of each other's size a moment later, so only one is exact at the ceilings.
    limits = Limits() if "," in url else Limits(entries=60, channels=6)
    engines: list[Engine] = [MemoryEngine(limits, clock), RedisEngine(url, limits, clock)]
    memory, redis = (World(engine, clock) for engine in engines)
    for engine in engines:
        await engine.start()
    sent = 0
    try:
        rules = {f"/{seed}/{n}": chance.rules() for n in range(3)}
        while sent < events:
            clock.now += chance.choice((0, 0, 0, 0.25, 0.5, 1.0, 10.0, 200.0))
            channel = chance.choice(list(rules))
            batch = chance.events()
            sent += len(batch)
            what: dict[str, Any] = {"rules": rules[channel], "ranked": chance.random() < 0.3}
            one = await memory.apply(channel, *batch, **what)
            other = await redis.apply(channel, *batch, **what)
            assert told(other) == told(one), (channel, batch)
            if chance.random() < 0.5:
                present = await memory.read(channel, rules=rules[channel])
                views = chance.views(present.round.number)
                expected = shown(await memory.read(channel, *views, rules=rules[channel]))
                assert shown(await redis.read(channel, *views, rules=rules[channel])) == expected, (
                    batch
                )
            if chance.random() < 0.05:
                assert await redis.people(channel) == await memory.people(channel)
                seen = [
                    [(each.channel, each.version, each.total) for each in await world.find("/*")]
                    for world in (memory, redis)
                ]
                assert seen[0] == seen[1]
            if chance.random() < 0.01:
                clock.now += 700  # all of them end
        clock.now += 100_000  # leave nothing to the next
        await redis.find("/*")
    finally:
        for engine in engines:
            await engine.stop()
    return sent


@pytest.mark.parametrize("seed", range(6))
async def test_the_same_events_give_the_same_bytes(redis_server: RedisServer, seed: int) -> None:
    await redis_server.empty()
    await compare(redis_server.patient_url, seed, 1500)


async def test_and_so_does_valkey(valkey_server: RedisServer) -> None:
    await valkey_server.empty()
    await compare(valkey_server.patient_url, 6, 1500)


BACKWARDS = """\
LC_COLLATE
order_start forward
{letters}
UNDEFINED
order_end
END LC_COLLATE
"""


@pytest.fixture
def backwards(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in whose locale every text is before those that it is behind elsewhere."""
    letters = "\n".join(f"<U{code:04X}>" for code in reversed(range(0x20, 0x7F)))
    source = tmp_path / "backwards.src"
    source.write_text(BACKWARDS.format(letters=letters))
    define = [str(needs("localedef")), "-c", "-i", str(source), "-f", "ANSI_X3.4-1968"]
    # It warns of all that is not defined, and ends with 1 for it.
    subprocess.run([*define, str(tmp_path / "backwards")], check=False, capture_output=True)
    return {"LOCPATH": str(tmp_path), "LC_ALL": "backwards"}


async def test_the_locale_of_the_server_does_not_matter(
    tmp_path: Path, backwards: dict[str, str]
) -> None:
    """Lua inside Redis compares texts by it; nothing that is seen rests on that."""
    with RedisServer(tmp_path, environment=backwards) as server:
        if await server.ask("EVAL", "return tostring('/1' < '/2')", 0) != b"false":
            pytest.skip("this server does not take its locale from the environment")
        await compare(server.patient_url, 7, 1500)


def main(url: str, events: int, seed: int) -> None:
    """A run by hand, with a line for each part."""
    total, began = 0, time.monotonic()
    while total < events:
        total += asyncio.run(compare(url, seed, min(5000, events - total)))
        print(f"{total} events, seed {seed}, {time.monotonic() - began:.0f} s: the same bytes")
        seed += 1


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
