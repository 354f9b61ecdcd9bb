"""A server process is restarted under who publishes: each publish has one outcome, and no event counts twice.

The memory engine forgets everything with its process. So each of the two servers has to show what it has acknowledged
and nothing else: what was on its way when the first one stopped is counted by the second alone, or by nobody.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.typing import Subprotocol

from leaderboard.client import Environment, OutcomeUnknown, Published, connect
from leaderboard.link import Transport, dial
from tests import appsync
from tests.conftest import ADMIN
from tests.processes import serve

BOARD = "/tally/board"
SUM = """
[namespaces.tally]
mode = "sum"
top = 100
[limits]
publishes_per_second = 0
"""
SLOW = """
import asyncio
async def slowly(ctx):
    await asyncio.sleep(0.002)
    return ctx.events
"""
"""A handler that asks someone, say: what was sent at once waits for its turn, most of it on the wire."""
AT_ONCE, ANSWERED, WAITING = 500, 20, 10
"""Publishes that are sent, those of them that were answered when the server is told to stop, and those that are begun
while there is none."""

pytestmark = pytest.mark.timeout(120)  # processes start slowly where others work too


class Overheard:
    """A connection over the real network, and what was said on it: of whom each publish was, and its text."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._ids: dict[str, str] = {}
        self.sent: dict[str, str] = {}
        self.answered: set[str] = set()
        self.snapshot: dict[str, Any] = {}
        """The last one."""
        self.some_answered = asyncio.Event()

    async def recv(self) -> str | bytes:
        text = await self._transport.recv()
        frame = json.loads(text)
        match frame["type"]:
            case "publish_success":
                self.answered.add(self._ids.pop(frame["id"]))
                if len(self.answered) == ANSWERED:
                    self.some_answered.set()
            case "data":
                self.snapshot = json.loads(frame["event"])
        return text

    async def send(self, message: str, /) -> None:
        frame = json.loads(message)
        if frame["type"] == "publish":
            (text,) = frame["events"]
            player = json.loads(text)["player"]
            assert player not in self.sent, "a publish goes once over a connection"
            self.sent[player] = text
            self._ids[frame["id"]] = player
        await self._transport.send(message)

    async def close(self) -> None:
        await self._transport.close()


@dataclass
class Restart:
    """What has become of publishes of a point each, all of different players."""

    before: Overheard
    after: Overheard
    outcomes: dict[str, Published | BaseException]
    url: str

    async def board(self) -> dict[str, int]:
        """The whole board of the second server."""
        async with httpx.AsyncClient(base_url=self.url, headers={"x-api-key": ADMIN}) as http:
            lines = (await http.get(f"/api/boards{BOARD}.jsonl")).text.splitlines()
        return {row["player"]: row["score"] for row in map(json.loads, lines)}


@asynccontextmanager
async def restarted(folder: Path, *, retry: bool) -> AsyncIterator[Restart]:
    """Publish much at once, stop the server meanwhile with SIGTERM, and start another on its port."""
    connections: list[Overheard] = []

    async def overheard(url: str, protocols: Sequence[Subprotocol]) -> Transport:
        connections.append(Overheard(await dial(url, protocols)))
        return connections[-1]

    environment = Environment(dial=overheard, sleep=lambda _: asyncio.sleep(0.05))
    first_file, second_file = folder / "first.toml", folder / "second.toml"
    (folder / "slow.py").write_text(SLOW)
    first_file.write_text(SUM.replace("mode", 'on_publish = "slow:slowly"\nmode'))
    second_file.write_text(SUM)
    async with (
        serve(config=str(first_file)) as first,
        connect(url := await first.url(), ADMIN, environment=environment) as client,
        client.subscribe(BOARD),
    ):
        publishes: dict[str, asyncio.Task[Published]] = {}

        def publish(count: int) -> None:
            for number in range(len(publishes), len(publishes) + count):
                player = f"p{number}"
                publishing = client.publish(BOARD, {"player": player, "score": 1}, retry=retry)
                publishes[player] = asyncio.create_task(publishing)

        publish(AT_ONCE)
        (before,) = connections
        await before.some_answered.wait()
        assert await first.ends(signal.SIGTERM) == 0, first.said
        publish(WAITING)
        async with serve(port=urlsplit(url).port, config=str(second_file)) as second:
            await second.url()
            ended = await asyncio.gather(*publishes.values(), return_exceptions=True)
            _, after = connections
            outcomes = dict(zip(publishes, ended, strict=True))
            yield Restart(before, after, outcomes, url)


async def test_what_is_on_its_way_when_a_server_stops_is_sent_again_and_counts_once(
    tmp_path: Path,
) -> None:
    async with restarted(tmp_path, retry=True) as run:
        before, after = run.before, run.after
        for player, outcome in run.outcomes.items():
            assert isinstance(outcome, Published), (player, outcome)
            assert [item.duplicate for item in outcome.successful] == [False]
        assert before.answered | after.answered == run.outcomes.keys()
        assert not before.answered & after.answered, "each was answered by one of the two"
        unanswered = before.sent.keys() - before.answered
        assert unanswered, "some were on their way"
        assert unanswered == before.sent.keys() & after.sent.keys(), "they alone were sent again"
        assert all(before.sent[player] == after.sent[player] for player in unanswered)

        # the first server's last word: it has counted what it acknowledged, and nothing that was sent again
        assert before.snapshot["total"] == len(before.answered)
        assert {row["score"] for row in before.snapshot["rows"]} == {1}, "nobody stands above one"
        assert await run.board() == dict.fromkeys(after.answered, 1)

        # a third time it would be known by its number, whoever sends it
        async with appsync.connect(
            run.url.replace("http", "ws") + "/event/realtime", ADMIN
        ) as other:
            answer = await other.publish(BOARD, after.sent[min(unanswered)])
        assert [item["duplicate"] for item in answer["successful"]] == [True]
        assert await run.board() == dict.fromkeys(after.answered, 1)


async def test_what_could_count_twice_is_known_to_be_unanswered_when_a_server_stops(
    tmp_path: Path,
) -> None:
    async with restarted(tmp_path, retry=False) as run:
        before, after = run.before, run.after
        unknown = {
            player
            for player, outcome in run.outcomes.items()
            if isinstance(outcome, OutcomeUnknown)
        }
        assert unknown, "some were on their way"
        assert unknown >= before.sent.keys() - before.answered
        assert not unknown & (before.answered | after.sent.keys()), "nor were they sent again"
        for player in run.outcomes.keys() - unknown:
            assert isinstance(run.outcomes[player], Published)
            assert (player in before.answered) != (player in after.answered)
        assert before.snapshot["total"] == len(before.answered), (
            "whose answer did not come, did not count"
        )
        assert await run.board() == dict.fromkeys(after.answered, 1)
