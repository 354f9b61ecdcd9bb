"""Three looks at what a client that misbehaves must not have touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.appsync import Client, Frame
from tests.conftest import Server

BOARD = "/leaderboard/arcade"
"""The board that is watched meanwhile."""
ANN = {"rank": 1, "position": 1, "player": "ann", "score": 5}


@asynccontextmanager
async def nobody_else_notices(server: Server, *, closes: bool = False) -> AsyncIterator[Client]:
    """A connection to misbehave on while a witness watches a board.

    Afterwards the connection still answers, unless it is one that ``closes``; the witness has been told nothing but
    snapshots of that board, and is still served; the board is as it was.
    """
    witness, client = await server.client(), await server.client()
    board = await witness.subscribe(BOARD)
    await witness.publish(BOARD, {"player": "ann", "score": 5})
    before = await witness.look(BOARD)
    assert before["rows"] == [ANN]
    yield client
    if not closes:
        assert await client.alive()
    answer = await witness.publish(BOARD, {"player": "ann", "score": 4})
    assert answer["type"] == "publish_success"
    after = await witness.look(BOARD)
    state = ("epoch", "version", "total", "rows")
    assert [after[member] for member in state] == [before[member] for member in state]
    assert {(frame["type"], frame["id"]) for frame in witness.frames} <= {("data", board)}


def first_error(answer: Frame) -> str:
    """The `errorType` of the only error."""
    [error] = answer["errors"]
    assert error["message"], "an error says why"
    return str(error["errorType"])
