"""What a host does, by either way that it may come: an event of a publish, or a POST to the board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.appsync import Frame, Snapshot, error_types
from tests.conftest import HOST, SCOREKEEPER, Server

Event = dict[str, Any]

WAYS = ("websocket", "http")
by_either_way = pytest.mark.parametrize("way", WAYS)


def score(player: str, value: float, **members: Any) -> Event:
    """A score event."""
    return {"player": player, "score": value, **members}


def op(name: str, **members: Any) -> Event:
    """A control."""
    return {"op": name, **members}


def reading(state: str) -> Callable[[Snapshot], bool]:
    """Whether a snapshot's round is in a state."""
    return lambda snapshot: bool(snapshot["round"]["state"] == state)


def refusals(answer: Frame) -> list[str]:
    """The types of all errors of an answer to a publish, whichever door it came by; none if all was done."""
    if "errors" in answer:
        return error_types(answer)
    return [failed["errorType"] for failed in answer["failed"]]


class Deciding:
    """A host, or who would be one, at work on one board."""

    def __init__(
        self,
        server: Server,
        board: str,
        way: str = "websocket",
        key: str | None = HOST,
        token: str | None = None,
    ) -> None:
        self._server = server
        self._board = board
        self._way = way
        self._key = key
        self._token = token

    async def answers(self, *events: Event | str) -> list[Frame]:
        """What each event was answered, one publish after the other."""
        if self._way == "websocket":
            client = await self._server.client(self._key, token=self._token)
            return [await client.publish(self._board, event) for event in events]
        http = await self._server.http(self._key, self._token)
        answers = []
        for event in events:
            what = {"content": event} if isinstance(event, str) else {"json": event}
            answer = await http.post(f"/api/boards{self._board}", **what)
            answers.append(answer.json())
        return answers

    async def refused(self, *events: Event | str) -> list[str]:
        """The refusals of each event, one publish after the other."""
        return [name for answer in await self.answers(*events) for name in refusals(answer)]

    async def done(self, *events: Event) -> None:
        """All of them are done."""
        assert await self.refused(*events) == []


async def playing(server: Server, board: str) -> None:
    """Two players on the board."""
    keeper = await server.client(SCOREKEEPER)
    assert refusals(await keeper.publish(board, score("ann", 2), score("bob", 1))) == []


async def look(server: Server, board: str, **view: Any) -> Snapshot:
    return await (await server.client(HOST)).look(board, **view)
