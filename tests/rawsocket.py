"""A WebSocket by hand, for clients that misbehave: it sends any bytes, and reads nothing unless asked to.

Framing is RFC 6455's, section 5.2; what the server sends is parsed as strictly as these tests need.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any, Self

from tests.appsync import NAME, PATIENCE, Frame

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0


def frame(
    payload: bytes, opcode: int = TEXT, *, fin: bool = True, length: int | None = None
) -> bytes:
    """A client's frame, masked with zeros. ``length`` is the length it claims, if not the true one."""
    size = len(payload) if length is None else length
    head = bytes([opcode | (0x80 if fin else 0)])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 1 << 16:
        head += bytes([0x80 | 126]) + struct.pack("!H", size)
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", size)
    return head + bytes(4) + payload


class RawSocket:
    """One connection, upgraded; its credential went in plain headers."""

    def __init__(self, sock: socket.socket, key: str | None) -> None:
        self.sock = sock
        self.authorization = {"x-api-key": key} if key else {}
        self.unsent = b""
        """The rest of a frame of which the server has taken a part."""
        self._unread = bytearray()

    @classmethod
    async def bare(cls, port: int, *, receive_buffer: int | None = None) -> Self:
        """Connect, and say nothing."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        # Pieces leave as they are written: without this the kernel joins them, and waits 40 ms to do so.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        return cls(sock, None)

    @classmethod
    async def open(
        cls,
        port: int,
        key: str | None,
        *,
        protocols: Sequence[str] = (NAME,),
        receive_buffer: int | None = None,
    ) -> Self:
        """Connect and upgrade. A small ``receive_buffer`` makes a client that does not read felt soon."""
        opened = await cls.bare(port, receive_buffer=receive_buffer)
        opened.authorization = {"x-api-key": key} if key else {}
        try:
            await opened._upgrade(port, key, protocols)
        except BaseException:
            opened.close()
            raise
        return opened

    async def _upgrade(self, port: int, key: str | None, protocols: Sequence[str]) -> None:
        lines = [
            "GET /event/realtime HTTP/1.1",
            f"host: 127.0.0.1:{port}",
            "connection: Upgrade",
            "upgrade: websocket",
            "sec-websocket-version: 13",
            f"sec-websocket-key: {base64.b64encode(os.urandom(16)).decode()}",
            f"sec-websocket-protocol: {', '.join(protocols)}",
            *([f"x-api-key: {key}"] if key else []),
        ]
        await self.write("\r\n".join([*lines, "", ""]).encode())
        head = await self._read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    # -- out ----------------------------------------------------------------------------------------------------------

    async def write(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def send(self, **members: Any) -> None:
        await self.write(frame(json.dumps(members).encode()))

    async def subscribe(self, channel: str, id_: str = "s1", **members: Any) -> None:
        """Subscribe, and read up to the success."""
        await self.send(
            type="subscribe", id=id_, channel=channel, authorization=self.authorization, **members
        )
        while (await self.receive())["type"] != "subscribe_success":
            pass

    def takes(self, data: bytes) -> int:
        """How many of these bytes the connection takes at once: 0 when the server has stopped reading."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def half_close(self) -> None:
        """Say that nothing more will come, as a FIN does, and stay to read."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    # -- in -----------------------------------------------------------------------------------------------------------

    async def receive(self) -> Frame:
        """The next text frame's JSON object."""
        while True:
            opcode, payload = await self.receive_frame()
            assert opcode != CLOSE, payload
            if opcode == TEXT:
                return dict(json.loads(payload))

    async def receive_frame(self) -> tuple[int, bytes]:
        """The next frame's opcode and payload; a server's frames come whole and unmasked."""
        first, second = await self._read(2)
        assert first & 0x80
        assert not second & 0x80
        size = second
        if size == 126:
            (size,) = struct.unpack("!H", await self._read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._read(8))
        return first & 0x0F, await self._read(size)

    async def until_closed(self) -> tuple[list[Frame], int]:
        """Read all that comes up to the server's close frame; the text frames, and its code."""
        frames: list[Frame] = []
        while True:
            opcode, payload = await self.receive_frame()
            if opcode == CLOSE:
                return frames, struct.unpack("!H", payload[:2])[0]
            if opcode == TEXT:
                frames.append(json.loads(payload))

    async def until(self, end: bytes) -> bytes:
        """All that comes up to and with ``end``."""
        return await self._read_until(end)

    async def until_eof(self) -> bytes:
        """All that comes until the server has closed."""
        try:
            while True:
                await self._more()
        except (EOFError, ConnectionError):
            return bytes(self._unread)

    async def _read(self, size: int) -> bytes:
        while len(self._unread) < size:
            await self._more()
        data = bytes(self._unread[:size])
        del self._unread[:size]
        return data

    async def _read_until(self, end: bytes) -> bytes:
        while end not in self._unread:
            await self._more()
        return await self._read(self._unread.index(end) + len(end))

    async def _more(self) -> None:
        async with asyncio.timeout(PATIENCE):
            data = await asyncio.get_running_loop().sock_recv(self.sock, 1 << 16)
        if not data:
            raise EOFError
        self._unread += data
