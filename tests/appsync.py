"""A client that is not ours: the `websockets` package and raw frames, as AppSync's guide spells them."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

NAME = Subprotocol("aws-appsync-event-ws")
PATIENCE = 10.0
"""Seconds after which an expected frame is not coming: long, so that only a fault reaches it."""

OPERATIONS = ("subscribe", "unsubscribe", "publish")

Frame = dict[str, Any]
Snapshot = dict[str, Any]


def error_types(answer: Frame) -> list[str]:
    """The `errorType` of each error of a frame or of an HTTP answer."""
    return [error["errorType"] for error in answer["errors"]]


def players(snapshot: Snapshot) -> list[str]:
    """The players of a snapshot's rows."""
    return [row["player"] for row in snapshot["rows"]]


def header_protocol(**members: object) -> Subprotocol:
    """The `header-` sub-protocol with these members."""
    text = json.dumps({"host": "localhost", **members}).encode()
    return Subprotocol("header-" + base64.urlsafe_b64encode(text).decode().rstrip("="))


async def eventually(holds: Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> None:
    """Ask again and again until it holds: for what no frame tells."""
    async with asyncio.timeout(patience):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


def credentials(key: str | None, token: str | None = None) -> dict[str, str]:
    """The members, or headers, that carry a key or a token."""
    if token is not None:
        return {"Authorization": token}
    return {} if key is None else {"x-api-key": key}


class Client:
    """One connection. Frames are kept in order; `expect` takes the first one of a type."""

    def __init__(self, socket: ClientConnection, key: str | None, token: str | None = None) -> None:
        self.socket = socket
        self.authorization: dict[str, str] = credentials(key, token)
        self.frames: list[Frame] = []
        """Frames received and not yet taken."""
        self._ids = itertools.count(1)

    async def send(self, **members: Any) -> None:
        await self.socket.send(json.dumps(members))

    async def send_raw(self, frame: str | bytes) -> None:
        await self.socket.send(frame)

    async def receive(self) -> Frame:
        """The next frame that nobody has taken."""
        if self.frames:
            return self.frames.pop(0)
        return await self._read()

    async def expect(self, *types: str, **members: Any) -> Frame:
        """The first frame of one of the types that has these members; others stay for later."""

        def fits(frame: Frame) -> bool:
            return frame["type"] in types and members.items() <= frame.items()

        for index, frame in enumerate(self.frames):
            if fits(frame):
                return self.frames.pop(index)
        while True:
            frame = await self._read()
            if fits(frame):
                return frame
            self.frames.append(frame)

    async def _read(self) -> Frame:
        async with asyncio.timeout(PATIENCE):
            frame = json.loads(await self.socket.recv())
        assert isinstance(frame, dict), "a frame is a JSON object"
        return frame

    async def ask(self, **members: Any) -> Frame:
        """Send a message that has an id and wait for its answer, a success or an error."""
        await self.send(**members)
        return await self.answer(members["id"])

    async def answer(self, id_: str) -> Frame:
        """The first frame with this id that is no data."""
        answers = [f"{verb}_{end}" for verb in OPERATIONS for end in ("success", "error")]
        return await self.expect(*answers, "error", id=id_)

    async def subscribing(self, channel: str, **members: Any) -> Frame:
        """Subscribe; the answer."""
        id_ = members.pop("id", f"s{next(self._ids)}")
        authorization = members.pop("authorization", self.authorization)
        return await self.ask(
            type="subscribe", id=id_, channel=channel, authorization=authorization, **members
        )

    async def subscribe(self, channel: str, **members: Any) -> str:
        """Subscribe and wait for the success; the id."""
        answer = await self.subscribing(channel, **members)
        assert answer["type"] == "subscribe_success", answer
        return str(answer["id"])

    async def unsubscribe(self, id_: str) -> None:
        """Unsubscribe and wait for the success."""
        answer = await self.ask(type="unsubscribe", id=id_)
        assert answer == {"type": "unsubscribe_success", "id": id_}

    def publication(self, channel: str, *events: Any, **members: Any) -> Frame:
        """A publish of events (values, encoded here; strings go as they are)."""
        texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
        return {
            "type": "publish",
            "id": f"p{next(self._ids)}",
            "channel": channel,
            "events": texts,
            "authorization": self.authorization,
            **members,
        }

    async def publish(self, channel: str, *events: Any, **members: Any) -> Frame:
        """Publish events and wait for the answer."""
        return await self.ask(**self.publication(channel, *events, **members))

    async def publish_all(self, publications: Iterable[Frame]) -> list[Frame]:
        """Send publishes without waiting in between; their answers, in the order of the publishes.

        Sends a few hundred at a time, so that nobody's buffers decide what happens.
        """
        answers: list[Frame] = []
        queue = iter(publications)
        while window := list(itertools.islice(queue, 200)):
            for publication in window:
                await self.send(**publication)
            answers += [await self.answer(publication["id"]) for publication in window]
        return answers

    async def event(self, id_: str) -> Any:
        """The next event of a subscription, decoded."""
        return json.loads((await self.expect("data", id=id_))["event"])

    async def snapshot(self, id_: str, **members: Any) -> Snapshot:
        """The next snapshot of a subscription that has these members."""
        while True:
            snapshot = await self.event(id_)
            assert snapshot["type"] == "snapshot"
            if members.items() <= snapshot.items():
                return cast(Snapshot, snapshot)

    async def until(self, id_: str, holds: Callable[[Snapshot], bool]) -> Snapshot:
        """The next snapshot of a subscription of which it holds."""
        while True:
            snapshot = await self.snapshot(id_)
            if holds(snapshot):
                return snapshot

    async def look(self, channel: str, **view: Any) -> Snapshot:
        """The board as a new subscriber sees it."""
        id_ = await self.subscribe(channel, **({"view": view} if view else {}))
        snapshot = await self.snapshot(id_)
        await self.unsubscribe(id_)
        self.frames = [frame for frame in self.frames if frame.get("id") != id_]
        return snapshot

    async def alive(self) -> bool:
        """Whether the connection still answers."""
        await self.send(type="connection_init")
        await self.expect("connection_ack")
        await self.expect("ka")  # the first comes with the ack
        return True

    async def closed(self) -> int:
        """Wait for the close; its code."""
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    self.frames.append(json.loads(await self.socket.recv()))
            except websockets.ConnectionClosed:
                assert self.socket.close_code is not None
                return self.socket.close_code


@asynccontextmanager
async def connect(
    url: str,
    key: str | None,
    *,
    token: str | None = None,
    carrier: str = "protocol",
    init: bool = True,
    **options: Any,
) -> AsyncIterator[Client]:
    """A connection whose credential travels in the `header-` sub-protocol or in plain `headers`."""
    protocols = [NAME]
    headers = {}
    credential = credentials(key, token)
    if credential and carrier == "protocol":
        protocols.append(header_protocol(**credential))
    else:
        headers = credential
    # Without a bound for what waits, a client here always reads: one that does not is a `RawSocket`.
    options = {"max_queue": None, "max_size": None, **options}
    async with websockets.connect(
        url, subprotocols=protocols, additional_headers=headers, **options
    ) as socket:
        client = Client(socket, key, token)
        if init:
            await client.send(type="connection_init")
            await client.expect("connection_ack")
            await client.expect("ka")  # the first comes with the ack
        yield client
