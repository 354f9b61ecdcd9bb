"""Whole connections at random, over real sockets, against a model too plain to be wrong.

Connections come, publish in bursts without waiting, watch, say nonsense, break off in the middle of a frame, are cut.
After each step the board is what the list of `tests.test_board_model` says, for a new subscriber and for those who have
watched all along. A seed makes a run repeatable.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
from typing import Any

import pytest

from leaderboard.board import Applied
from leaderboard.events import Remove, Score
from leaderboard.settings import Namespace
from tests.appsync import Client, Snapshot
from tests.conftest import ADMIN, HOST, SCOREKEEPER, Server, Start
from tests.rawsocket import frame
from tests.test_board_model import Naive

BOARD = "/leaderboard/model"
PLAYERS = [f"p{number}" for number in range(8)]
NONSENSE = [
    "{",
    "null",
    '{"type":"publish","id":"x"}',
    '{"type":"unsubscribe","id":"no"}',
    "[" * 500,
]


class World:
    """The server, its connections, and what the board must be."""

    def __init__(self, server: Server, mode: str, seed: int) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.model = Naive(Namespace.model_validate({"mode": mode, "max_entries": 6}))
        self.clients: list[Client] = []
        self.watching: dict[Client, str] = {}
        self.count = 0

    async def connect(self) -> None:
        key = self.random.choice([ADMIN, HOST])
        self.clients.append(await self.server.client(key))

    async def publish(self) -> None:
        """A burst of one connection: its order is kept, and so each answer is known."""
        client = self.random.choice(self.clients)
        publications, batches = [], []
        for _ in range(self.random.randrange(1, 6)):
            events = [self.event() for _ in range(self.random.randrange(1, 6))]
            batches.append([model for _, model in events])
            publications.append(client.publication(BOARD, *[wire for wire, _ in events]))
        answers = await client.publish_all(publications)
        for batch, answer in zip(batches, answers, strict=True):
            expected = self.model.apply(batch, 0.0, math.inf)
            applied = [index for index, each in enumerate(expected) if isinstance(each, Applied)]
            if applied:
                assert [item["index"] for item in answer["successful"]] == applied
                assert len(answer["failed"]) == len(expected) - len(applied)
                repeats = [item.get("duplicate", False) for item in answer["successful"]]
                duplicates = [each.duplicate for each in expected if isinstance(each, Applied)]
                assert repeats == duplicates
            else:
                assert answer["type"] == "publish_error"

    def event(self) -> tuple[dict[str, Any], Score | Remove]:
        player = self.random.choice(PLAYERS)
        if self.random.random() < 0.1:
            return {"op": "remove", "player": player}, Remove(player)
        score = float(self.random.choice([-1, 0, 1, 2, 2.5, 3]))
        if self.random.random() < 0.5:
            return {"player": player, "score": score}, Score(player=player, score=score)
        # now and then it is one that was sent before
        self.count += self.random.choice([0, 1, 1])
        n = max(1, self.count - self.random.choice([0, 0, 0, 1, 5, 40]))
        wire = {"player": player, "score": score, "by": "b", "n": n}
        return wire, Score(player=player, score=score, by="b", n=n)

    async def watch(self) -> None:
        client = self.random.choice(self.clients)
        if client not in self.watching:
            self.watching[client] = await client.subscribe(BOARD, view={"top": 100})

    async def leave(self) -> None:
        if self.watching:
            client = self.random.choice(list(self.watching))
            await client.unsubscribe(self.watching.pop(client))
            client.frames.clear()

    async def talk_nonsense(self) -> None:
        client = self.random.choice(self.clients)
        await client.send_raw(self.random.choice(NONSENSE))
        await client.expect("error", "publish_error", "unsubscribe_error")

    async def break_off(self) -> None:
        """Half a publish, and gone: nothing of it may count."""
        raw = await self.server.raw(SCOREKEEPER)
        event = {"player": "p0", "score": 1000}
        text = json.dumps(
            {"type": "publish", "id": "x", "channel": BOARD, "events": [json.dumps(event)]}
        )
        whole = frame(text.encode())
        await raw.write(whole[: self.random.randrange(1, len(whole))])
        raw.close()

    async def cut(self) -> None:
        if len(self.clients) > 1:
            client = self.clients.pop(self.random.randrange(len(self.clients)))
            self.watching.pop(client, None)
            client.socket.transport.abort()
            with contextlib.suppress(Exception):
                await client.socket.wait_closed()

    async def check(self) -> None:
        rows = [
            (row.rank, row.position, row.player, row.score) for row in self.model.standing.rows()
        ]

        def shown(snapshot: Snapshot) -> list[tuple[Any, ...]]:
            names = ("rank", "position", "player", "score")
            return [tuple(row[name] for name in names) for row in snapshot["rows"]]

        fresh = await self.clients[0].look(BOARD, top=100)
        assert shown(fresh) == rows
        for client, id_ in self.watching.items():
            if client is not self.clients[0]:
                # nothing newer will come; what is shown last must be this
                last = await client.look(BOARD, top=100)
                assert shown(last) == rows, id_


STEPS = ("publish", "publish", "publish", "watch", "leave", "talk_nonsense", "break_off", "cut")


@pytest.mark.parametrize("mode", ["best", "latest", "sum"])
async def test_whatever_connections_do_the_board_is_the_models(start: Start, mode: str) -> None:
    rules = {"leaderboard": {"mode": mode, "max_entries": 6, "interval_ms": 10}}
    server = await start(namespaces=rules, limits={"publishes_per_second": 0})
    world = World(server, mode, seed=3)
    for step in range(150):
        if len(world.clients) < 4:
            await world.connect()
        await getattr(world, world.random.choice(STEPS))()
        if step % 4 == 0:
            await world.check()
    await world.check()
    for client, id_ in world.watching.items():
        rows = [(row.player, row.score) for row in world.model.standing.rows()]
        latest = [await client.snapshot(id_)]  # a subscription answers with one, so there is one
        while [(row["player"], row["score"]) for row in latest[-1]["rows"]] != rows:
            latest.append(await client.snapshot(id_))  # or there is none, and the test ends in time
        assert [each["version"] for each in latest] == sorted(each["version"] for each in latest)
