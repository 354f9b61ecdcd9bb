"""The product's own command, with boards that change as fast as their audience can be served.

usage: python -m benchmarks.driven SUBSCRIPTIONS BOARDS serve [options of `leaderboard serve`]

Snapshots are conflated, so no publisher can make the server deliver as fast as it could: that is their purpose. Here
a task inside the server takes the publisher's place. Once everybody has subscribed it applies a score to each board and
lets the broker send what is due without waiting for the beat, as it does when the server drains; when that has left, it
does so again. All between the score and the socket is the product's path: engine, board, reading, encoding, hub, passes
in slices, session, door.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI

from leaderboard import app as product
from leaderboard import cli, launch
from leaderboard.broker import Broker
from leaderboard.engines import Batch
from leaderboard.events import Score
from leaderboard.settings import Settings

BOARDS = [f"/bench/board-{number}" for number in range(8)]
PLAYERS = 10
"""As many as the default view shows, so that a snapshot has its usual size."""
FIRST = 1_000_000_000
"""Scores have as many digits as the numbers of the load generator."""


async def drive(broker: Broker, subscriptions: int, boards: list[str]) -> None:
    """Change the boards and fan out, back to back, for ever."""
    for number in itertools.count():
        for board in boards:
            score = Score(player=f"p{number % PLAYERS}", score=float(FIRST + number))
            broker.apply(Batch(board, broker.rules(board), (score,)), lambda _: None)
        if number < PLAYERS:
            continue
        while broker.hub.size < subscriptions:  # noqa: ASYNC110, the product has no such event
            await asyncio.sleep(0.01)
        await broker.drain()
        await asyncio.sleep(0)  # drain() returns at once where nobody is subscribed


def main(subscriptions: int, boards: list[str]) -> None:
    create_app = product.create_app

    def create_driven_app(settings: Settings, sources: Mapping[str, str] | None = None) -> FastAPI:
        app = create_app(settings, sources)
        lifespan = app.router.lifespan_context

        @asynccontextmanager
        async def driven(app: FastAPI) -> AsyncIterator[None]:
            async with lifespan(app):
                driver = asyncio.create_task(drive(app.state.broker, subscriptions, boards))
                yield
                driver.cancel()

        app.router.lifespan_context = driven
        return app

    launch.create_app = create_driven_app  # type: ignore[attr-defined]
    cli.main()


if __name__ == "__main__":
    subscriptions, boards = int(sys.argv.pop(1)), int(sys.argv.pop(1))
    main(subscriptions, BOARDS[:boards])
