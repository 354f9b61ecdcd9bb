"""RFC 6455 against both doors, case by case.

The cases follow the list of the Autobahn test suite, whose own runner needs a container or Python 2: framing (1), pings
and pongs (2), reserved bits (3), opcodes (4), fragmentation (5), UTF-8 (6), the closing handshake (7), and sizes (9);
masking and the opening handshake besides. Compression (12, 13) is never agreed to. The server is no echo: that a
message has arrived shows in its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import struct
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.conftest import Server
from tests.rawsocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket

pytestmark = pytest.mark.asyncio(loop_scope="module")

Seen = tuple[str, object]
MASK = b"\x37\xfa\x21\x3d"


@pytest_asyncio.fixture(loop_scope="module")
async def server(shared: Server) -> Server:
    """One server takes it all."""
    return shared


def framed(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes = MASK
) -> bytes:
    """A client's frame, legal or not."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 1 << 16:
        head += struct.pack("!BH", 0x80 | 126, size)
    else:
        head += struct.pack("!BQ", 0x80 | 127, size)
    key = itertools.cycle(mask)
    return head + mask + bytes(byte ^ next(key) for byte in payload)


def message(size: int | None = None, text: str = "") -> bytes:
    """A message that is answered by an error under its id, padded to so many bytes."""
    whole = json.dumps({"type": "unsubscribe", "id": "x", "text": text}, ensure_ascii=False)
    return whole.encode() + b" " * ((size or 0) - len(whole.encode()))


ANSWERED = ("text", "UnknownOperationError")
NO_JSON = ("text", "BadRequestException")
NO_BINARY = ("text", "UnsupportedOperation")


def closed(code: int | None) -> Seen:
    return ("close", code)


def ponged(payload: bytes = b"") -> Seen:
    return ("pong", payload)


@dataclass(frozen=True)
class Case:
    sent: bytes
    seen: tuple[Seen, ...]
    """All that the server sends. The plain door may answer a ping before the messages that it has not looked at."""
    then: bytes = b""
    """Sent when that has come."""
    ends: tuple[Seen, ...] = ()
    """What comes of it."""


def closing(code: int, reason: bytes = b"") -> bytes:
    return framed(CLOSE, struct.pack("!H", code) + reason)


def in_pieces(payload: bytes, size: int, between: bytes = b"") -> bytes:
    """A text in fragments of so many bytes."""
    parts = [payload[start : start + size] for start in range(0, len(payload), size)]
    return between.join(
        framed(CONTINUATION if place else TEXT, part, fin=place == len(parts) - 1)
        for place, part in enumerate(parts)
    )


SNOWMEN = message(text="Grüße \N{SNOWMAN} \N{GRINNING FACE}")
CASES: dict[str, Case] = {
    # 1: framing
    "1.1.1 an empty text": Case(framed(TEXT), (NO_JSON,)),
    **{
        f"1.1 a text of {size} bytes": Case(framed(TEXT, message(size)), (ANSWERED,))
        for size in (125, 126, 127, 128, 65_535, 65_536)
    },
    **{
        f"1.2 a binary message of {size} bytes": Case(framed(BINARY, bytes(size)), (NO_BINARY,))
        for size in (0, 125, 126, 127, 128, 65_535, 65_536)
    },
    # 2: pings and pongs
    "2.1 an empty ping": Case(framed(PING), (ponged(),)),
    "2.2 a ping with a text": Case(framed(PING, b"Hello"), (ponged(b"Hello"),)),
    "2.3 a ping with binary data": Case(
        framed(PING, b"\x00\xff\xfe\xfd"), (ponged(b"\x00\xff\xfe\xfd"),)
    ),
    "2.4 a ping of 125 bytes": Case(framed(PING, b"\xfe" * 125), (ponged(b"\xfe" * 125),)),
    "2.5 a ping of 126 bytes": Case(framed(PING, b"\xfe" * 126), (closed(1002),)),
    "2.7 a pong that nobody asked for": Case(framed(PONG), ()),
    "2.8 one with data": Case(framed(PONG, b"what"), ()),
    "2.9 a pong, then a ping": Case(framed(PONG, b"a") + framed(PING, b"b"), (ponged(b"b"),)),
    "2.10 ten pings": Case(
        b"".join(framed(PING, bytes([n])) for n in range(10)),
        tuple(ponged(bytes([n])) for n in range(10)),
    ),
    # 3: reserved bits
    **{
        f"3 reserved bits {rsv:03b} in a {name}": Case(
            framed(TEXT, message()),
            (ANSWERED,),
            framed(opcode, payload, rsv=rsv) + framed(TEXT, message()),
            (closed(1002),),
        )
        for rsv in range(1, 8)
        for name, opcode, payload in (
            ("text", TEXT, message()),
            ("ping", PING, b""),
            ("close", CLOSE, b"\x03\xe8"),
        )
    },
    # 4: opcodes
    **{
        f"4 opcode {opcode}": Case(
            framed(TEXT, message()),
            (ANSWERED,),
            framed(opcode, b"x") + framed(TEXT, message()),
            (closed(1002),),
        )
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    },
    # 5: fragmentation
    "5.1 a ping in fragments": Case(
        framed(PING, b"a", fin=False) + framed(CONTINUATION, b"b"), (closed(1002),)
    ),
    "5.2 a pong in fragments": Case(
        framed(PONG, b"a", fin=False) + framed(CONTINUATION, b"b"), (closed(1002),)
    ),
    "5.3 a text in two fragments": Case(in_pieces(message(), 20), (ANSWERED,)),
    "5.5 a text in fragments of a byte": Case(in_pieces(message(), 1), (ANSWERED,)),
    "5.6 a ping between fragments": Case(
        in_pieces(message(), 25, framed(PING, b"p")), (ponged(b"p"), ANSWERED)
    ),
    "5.9 a continuation of nothing": Case(framed(CONTINUATION, b"a"), (closed(1002),)),
    "5.10 one that is not final": Case(framed(CONTINUATION, b"a", fin=False), (closed(1002),)),
    "5.15 a continuation behind the last": Case(
        in_pieces(message(), 20), (ANSWERED,), framed(CONTINUATION, b"a"), (closed(1002),)
    ),
    "5.18 a text inside a text": Case(
        framed(TEXT, b"a", fin=False) + framed(TEXT, b"b"), (closed(1002),)
    ),
    "5.19 pings throughout": Case(
        in_pieces(message(), 10, framed(PING, b"p")),
        (*(ponged(b"p"),) * ((len(message()) - 1) // 10), ANSWERED),
    ),
    "5.20 empty fragments": Case(
        framed(TEXT, b"", fin=False)
        + framed(CONTINUATION, b"", fin=False)
        + framed(CONTINUATION, message()),
        (ANSWERED,),
    ),
    "5.21 a binary message in fragments": Case(
        framed(BINARY, b"a", fin=False) + framed(CONTINUATION, b"b"), (NO_BINARY,)
    ),
    # 6: UTF-8
    "6.2 characters of two, three and four bytes": Case(framed(TEXT, SNOWMEN), (ANSWERED,)),
    "6.2 in fragments that cut them": Case(in_pieces(SNOWMEN, 1), (ANSWERED,)),
    **{
        f"6 {name}": Case(
            framed(TEXT, b'{"type":"' + bad + b'"}') if "end" not in name else framed(TEXT, bad),
            (closed(1007),),
        )
        for name, bad in {
            "a lone continuation byte": b"\x80",
            "two of them": b"\x80\xbf",
            "a byte that never occurs, FE": b"\xfe",
            "a byte that never occurs, FF": b"\xff",
            "an overlong slash of two bytes": b"\xc0\xaf",
            "an overlong slash of three": b"\xe0\x80\xaf",
            "an overlong slash of four": b"\xf0\x80\x80\xaf",
            "five bytes": b"\xf8\x88\x80\x80\x80",
            "six bytes": b"\xfc\x84\x80\x80\x80\x80",
            "a high surrogate": b"\xed\xa0\x80",
            "a low surrogate": b"\xed\xb0\x80",
            "a pair of them": b"\xed\xa0\x80\xed\xb0\x80",
            "beyond U+10FFFF": b"\xf4\x90\x80\x80",
            "half a character": b"\xe2\x98\x22",
            "half a character at the end": b"\xe2\x98",
        }.items()
    },
    "6.4 bad UTF-8 in the second fragment": Case(
        framed(TEXT, b"good ", fin=False) + framed(CONTINUATION, b"\xf4\x90\x80\x80"),
        (closed(1007),),
    ),
    # 7: the closing handshake
    "7.1.1 a message, then a close": Case(
        framed(TEXT, message()), (ANSWERED,), closing(1000), (closed(1000),)
    ),
    "7.1.3 a ping behind a close": Case(closing(1000) + framed(PING), (closed(1000),)),
    "7.1.4 a text behind a close": Case(closing(1000) + framed(TEXT, message()), (closed(1000),)),
    # the library takes a close for the breach of an unfinished message, which the RFC leaves open
    "7.1.5 a close between fragments": Case(
        framed(TEXT, b"a", fin=False) + closing(1000) + framed(CONTINUATION, b"b"), (closed(1002),)
    ),
    "7.3.1 a close without a code": Case(framed(CLOSE), (closed(None),)),
    "7.3.2 with half a code": Case(framed(CLOSE, b"\x03"), (closed(1002),)),
    "7.3.4 with a reason": Case(closing(1000, b"bye"), (closed(1000),)),
    "7.3.5 with a reason of 123 bytes": Case(closing(1000, b"*" * 123), (closed(1000),)),
    "7.3.6 with one of 124": Case(closing(1000, b"*" * 124), (closed(1002),)),
    "7.5.1 with a reason that is not UTF-8": Case(closing(1000, b"\xce\xba\xff"), (closed(1007),)),
    **{
        f"7.7 close code {code}": Case(closing(code), (closed(code),))
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    },
    **{
        f"7.9 close code {code}, which is none": Case(closing(code), (closed(1002),))
        for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535)
    },
    # 9: sizes
    "9.1 a text of 1 MiB": Case(framed(TEXT, message(1 << 20)), (ANSWERED,)),
    "9.3 one in fragments of 64 KiB": Case(in_pieces(message(1 << 20), 1 << 16), (ANSWERED,)),
    "9.x a frame over the limit": Case(
        b"\x81\xff" + struct.pack("!Q", 4 * 1024**2) + MASK, (closed(1009),)
    ),
    "9.x a length that is negative": Case(b"\x81\xff" + b"\xff" * 8 + MASK, (closed(1009),)),
    "9.x fragments over the limit": Case(
        framed(TEXT, b" " * (1 << 21), fin=False) + framed(CONTINUATION, b" " * (1 << 21)),
        (closed(1009),),
    ),
    # masking (RFC 6455, 5.1)
    "a text that is not masked": Case(b"\x81\x02{}", (closed(1002),)),
    "a ping that is not masked": Case(b"\x89\x00", (closed(1002),)),
    "a mask of zeros": Case(framed(TEXT, message(), mask=bytes(4)), (ANSWERED,)),
    "a mask of ones": Case(framed(TEXT, message(), mask=b"\xff" * 4), (ANSWERED,)),
}
LONG = 10_000
"""Bytes; what is longer is not sent a byte at a time."""
LAST = b"the last ping of a case"


async def seen(raw: RawSocket) -> Seen:
    """The next that the server sends."""
    opcode, payload = await raw.receive_frame()
    if opcode == CLOSE:
        return closed(struct.unpack("!H", payload[:2])[0] if payload else None)
    if opcode == TEXT:
        return ("text", json.loads(payload)["errors"][0]["errorType"])
    assert opcode == PONG
    return ponged(payload)


async def send(raw: RawSocket, data: bytes, size: int) -> None:
    """In pieces, until the server has closed."""
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(data), size):
            await raw.write(data[start : start + size])
            if size == 1:
                await asyncio.sleep(0)


@pytest.mark.parametrize("name", CASES)
async def test_case(server: Server, name: str) -> None:
    case = CASES[name]
    for size in (len(case.sent), 1 if len(case.sent) <= LONG else 4099):
        raw = await server.raw()
        for sent, expected in ((case.sent, case.seen), (case.then, case.ends)):
            sending = asyncio.create_task(send(raw, sent, size))
            found = [await seen(raw) for _ in expected]
            assert sorted(found, key=str) == sorted(expected, key=str), f"in pieces of {size}"
            await sending
        if not any(kind == "close" for kind, _ in (*case.seen, *case.ends)):
            await send(raw, framed(PING, LAST), 1)
            assert await seen(raw) == ponged(LAST), "nothing else has come"
        else:
            assert await raw.until_eof() == b"", "nothing comes behind a close"
        raw.close()
    assert await (await server.client()).alive()


GOOD = {
    "host": "localhost",
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": "aws-appsync-event-ws",
}
HANDSHAKES: dict[str, tuple[dict[str, str | None], int]] = {
    "as it should be": ({}, 101),
    "names and values in other cases": (
        {"upgrade": "WebSocket", "connection": "keep-alive, upgrade"},
        101,
    ),
    "no key": ({"sec-websocket-key": None}, 400),
    "a key that is too short": ({"sec-websocket-key": "c2hvcnQ="}, 400),
    "a key that is no base64": ({"sec-websocket-key": "!" * 24}, 400),
    "no version": ({"sec-websocket-version": None}, 400),
    "an old version": ({"sec-websocket-version": "8"}, 400),
    "no upgrade": ({"upgrade": None}, 404),
    "another upgrade": ({"upgrade": "h2c"}, 404),
}


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_an_opening_handshake(server: Server, name: str) -> None:
    changes, status = HANDSHAKES[name]
    headers = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    raw = await RawSocket.bare(server.port)
    await raw.write(f"GET /event/realtime HTTP/1.1\r\n{lines}\r\n".encode())
    head = await raw._read_until(b"\r\n\r\n")
    assert int(head.split(b" ", 2)[1]) == status
    if status == 101:
        # RFC 6455, 1.3: the key of its example
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        assert b"sec-websocket-extensions" not in head.lower()
    raw.close()
