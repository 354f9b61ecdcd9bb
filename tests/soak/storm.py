"""Everybody watches a board, the server restarts, and everybody must be live again in time, with no attempt refused."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

from websockets.typing import Subprotocol

from leaderboard.client import Client, Environment, Snapshot, State, connect
from leaderboard.link import Transport, dial
from tests.conftest import ADMIN
from tests.soak.served import Failed, must, serving

BOARD = "/soak/board"


class Crowd:
    """Clients, how their attempts to connect went, and which of them are live again."""

    def __init__(self) -> None:
        self.attempts = self.unheard = 0
        """All attempts since the restart, and those that found no server."""
        self.turned_away: list[str] = []
        self.ready = 0.0
        """When there was a server again; 0 while there is none."""
        self.live: list[float] = []
        """When each that is back was shown the board by the new server."""

    async def dial(self, url: str, protocols: Sequence[Subprotocol]) -> Transport:
        began = time.monotonic()
        self.attempts += 1
        try:
            return await dial(url, protocols)
        except Exception as error:
            if self.ready and began > self.ready:
                self.turned_away.append(repr(error))
            self.unheard += 1
            raise

    def turned(self, number: int, state: State) -> None:
        if state is State.REFUSED:
            self.turned_away.append(f"client {number} was refused")

    async def comes_back(self, snapshots: AsyncIterator[Snapshot], epoch: str) -> None:
        """Wait until a client sees another life of the board. What state it told of says less: of a loss that is over
        within a second it tells nothing."""
        async for snapshot in snapshots:
            if snapshot.epoch != epoch:
                self.live.append(time.monotonic())
                return


async def run(size: int, within: float = 35.0) -> dict[str, Any]:
    """Raises `Failed`; returns the figures."""
    crowd = Crowd()
    async with AsyncExitStack() as stack:
        clients: list[Client] = []
        async with serving() as first:
            for number in range(size):

                def turned(state: State, number: int = number) -> None:
                    crowd.turned(number, state)

                client = connect(
                    first.url, ADMIN, on_state=turned, environment=Environment(dial=crowd.dial)
                )
                clients.append(await stack.enter_async_context(client))
            watched = [await stack.enter_async_context(each.subscribe(BOARD)) for each in clients]
            await clients[0].publish(BOARD, {"player": "ann", "score": 1})
            seen = await asyncio.gather(*(sees(each, "ann") for each in watched))
            crowd.attempts = 0
            began = time.monotonic()
            await first.stop()
        async with serving(first.port) as second:
            crowd.ready = time.monotonic()
            try:
                async with asyncio.timeout(within - (crowd.ready - began)):
                    await asyncio.gather(
                        *(
                            crowd.comes_back(each, snapshot.epoch)
                            for each, snapshot in zip(watched, seen, strict=True)
                        )
                    )
            except TimeoutError:
                missing = size - len(crowd.live)
                there = f"a server was there after {crowd.ready - began:.1f} s"
                heard = f"{crowd.attempts} attempts, {crowd.unheard} of them unheard"
                raise Failed(f"{missing} of {size} were not back; {there}; {heard}") from None
            # all are served: each sees what is published now
            await clients[0].publish(BOARD, {"player": "bob", "score": 2})
            await asyncio.gather(*(sees(each, "bob") for each in watched))
            metrics = await second.metrics()
            must(not crowd.turned_away, f"turned away: {crowd.turned_away[:5]}")
            refused = metrics["leaderboard_connect_client_error_total"]
            must(refused == 0, f"{refused:g} attempts were refused")
            taken = metrics["leaderboard_connect_success_total"]
            must(taken == size, f"{size} clients took {taken:g} connections")
            lasted = sorted(moment - began for moment in crowd.live)
            return {
                "clients": size,
                "a server again after SIGTERM, s": round(crowd.ready - began, 2),
                "half of them live after, s": round(statistics.median(lasted), 2),
                "all of them live after, s": round(lasted[-1], 2),
                "attempts": crowd.attempts,
                "of these while there was no server": crowd.unheard,
                "attempts refused": 0,
            }


async def sees(snapshots: AsyncIterator[Snapshot], player: str) -> Snapshot:
    """Wait until a client is shown a player; raises TimeoutError."""
    async with asyncio.timeout(30):
        async for snapshot in snapshots:
            if any(row.player == player for row in snapshot.rows):
                return snapshot
    raise Failed(f"a subscription ended before {player} was seen")
