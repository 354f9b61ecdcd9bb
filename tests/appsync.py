"""A client that is not ours: the `websockets` package and raw frames, as AppSync's guide spells them."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

NAME = Subprotocol("aws-appsync-event-ws")
PATIENCE = 10.0
"""Seconds after which an expected frame is not coming: long, so that only a fault reaches it."""

Frame = dict[str, Any]


def header_protocol(**members: object) -> Subprotocol:
    """The `header-` sub-protocol with these members."""
    text = json.dumps({"host": "localhost", **members}).encode()
    return Subprotocol("header-" + base64.urlsafe_b64encode(text).decode().rstrip("="))


class Client:
    """One connection. Frames are kept in order; `expect` takes the first one of a type."""

    def __init__(self, socket: ClientConnection, key: str | None) -> None:
        self.socket = socket
        self.key = key
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

    @property
    def authorization(self) -> dict[str, str]:
        return {"x-api-key": self.key} if self.key else {}

    async def subscribe(self, channel: str, **members: Any) -> str:
        """Subscribe and wait for the success; the id."""
        id_ = members.pop("id", f"s{next(self._ids)}")
        authorization = members.pop("authorization", self.authorization)
        await self.send(
            type="subscribe", id=id_, channel=channel, authorization=authorization, **members
        )
        await self.expect("subscribe_success", id=id_)
        return str(id_)

    async def publish(self, channel: str, *events: Any, **members: Any) -> Frame:
        """Publish events (values, encoded here; strings go as they are) and wait for the answer."""
        id_ = members.pop("id", f"p{next(self._ids)}")
        authorization = members.pop("authorization", self.authorization)
        texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
        await self.send(
            type="publish",
            id=id_,
            channel=channel,
            events=texts,
            authorization=authorization,
            **members,
        )
        return await self.expect("publish_success", "publish_error", id=id_)

    async def event(self, id_: str) -> Any:
        """The next event of a subscription, decoded."""
        return json.loads((await self.expect("data", id=id_))["event"])

    async def snapshot(self, id_: str, **members: Any) -> dict[str, Any]:
        """The next snapshot of a subscription that has these members."""
        while True:
            snapshot = await self.event(id_)
            assert snapshot["type"] == "snapshot"
            if members.items() <= snapshot.items():
                return dict(snapshot)

    async def alive(self) -> bool:
        """Whether the connection still answers."""
        await self.send(type="connection_init")
        return (await self.expect("connection_ack"))["type"] == "connection_ack"

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
    url: str, key: str | None, *, carrier: str = "protocol", init: bool = True, **options: Any
) -> AsyncIterator[Client]:
    """A connection whose credential travels in the `header-` sub-protocol or in plain `headers`."""
    protocols = [NAME]
    headers = {}
    if key is not None and carrier == "protocol":
        protocols.append(header_protocol(**{"x-api-key": key}))
    elif key is not None:
        headers["x-api-key"] = key
    async with websockets.connect(
        url, subprotocols=protocols, additional_headers=headers, max_size=None, **options
    ) as socket:
        client = Client(socket, key)
        if init:
            await client.send(type="connection_init")
            await client.expect("connection_ack")
        yield client
