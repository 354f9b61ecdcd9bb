"""Hostile input by the million: ``python -m tests.fuzz --inputs 1000000``; tests/test_fuzz.py runs some each time.

Inputs are real ones (frames, events, credentials, paths, tokens, settings) with bytes flipped, cut, doubled, spliced
and replaced by what has broken parsers before. Each is given to the code that meets it first, in this process and
without a network; a part goes over real sockets, to the HTTP parser and the frame decoder. A refusal is right. What
counts as a server error: an exception that is no refusal, an `InternalFailure`, a line of the log that is an error, or
a board whose own check fails afterwards. A seed makes a run repeatable.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from pydantic import SecretStr, ValidationError

from leaderboard import channels, messages
from leaderboard.access import Caller
from leaderboard.app import create_app
from leaderboard.credentials import credentials_of_upgrade
from leaderboard.engines.memory import MemoryEngine
from leaderboard.errors import Close, Refusal
from leaderboard.session import Session
from leaderboard.settings import ApiKey, Settings
from tests.conftest import ADMIN, running
from tests.rawsocket import TEXT, RawSocket, frame

SECRET = "a-secret-of-the-fuzzer-which-is-long-enough"
BOARD = "/leaderboard/fuzz"
AUTHORIZATION = {"host": "localhost", "x-api-key": ADMIN}

EVENTS: list[Any] = [
    {"player": "ann", "score": 12.5, "name": "Ann", "meta": {"team": 1}, "by": "b", "n": 3},
    {"player": "ann", "score": -1, "round": 1},
    {"id": "bob", "score": 7},
    {"op": "remove", "player": "ann"},
    {"op": "open", "in_ms": 3000, "for_ms": 30000},
    {"op": "close"},
    {"op": "clear", "players": True},
    {"op": "freeze"},
    {"op": "unfreeze"},
    {"op": "reveal", "steps": 1},
    {"op": "reveal", "every_ms": 1000},
    {"op": "props", "props": {"public": {"title": "x"}}},
    {"op": "hide", "player": "ann"},
    {"op": "show", "player": "ann"},
    {"op": "ban", "player": "bob"},
    {"op": "unban", "player": "bob"},
    {"op": "undo"},
    {"op": "enter", "player": "cid", "name": "Cid"},
]
FRAMES: list[Any] = [
    {"type": "connection_init"},
    {"type": "unsubscribe", "id": "s1"},
    {"type": "subscribe", "id": "s1", "channel": BOARD, "authorization": AUTHORIZATION},
    {
        "type": "subscribe",
        "id": "s2",
        "channel": "/leaderboard/*",
        "authorization": AUTHORIZATION,
        "view": {"top": 5, "around": "ann", "radius": 2, "of": ["ann", "bob"], "every": 2},
    },
    {"type": "subscribe", "id": "s3", "channel": "/default/x", "authorization": AUTHORIZATION},
    *(
        {
            "type": "publish",
            "id": "p1",
            "channel": channel,
            "events": [json.dumps(event), '{"player":"ann","score":1}'],
            "authorization": AUTHORIZATION,
            "results": True,
        }
        for event in EVENTS
        for channel in (BOARD, "/game/fuzz", "/default/fuzz")
    ),
]
PATHS = ["/leaderboard/a-b/c", "default/x/", "/leaderboard/*", "/*", "/game/KX7M", "/a/b/c/d/e"]
SETTINGS: list[Any] = [
    {"port": 8000, "limits": {"frame": "1MiB", "keep_alive": "60s"}, "rooms": "anyone"},
    {"namespaces": {"a": {"kind": "board", "mode": "best", "idle_ttl": "2h", "top": 10}}},
    {"api_keys": [{"key": "da2-12345678", "role": "host", "channels": ["/a/*"]}]},
    {"trusted_proxies": ["10.0.0.0/8"], "frame_ancestors": ["https://*.example"]},
]
NASTY = [
    *(
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\\ud800",
        b"\\u0000",
        b"\xe2\x80\xae",
    ),
    *(b"1e400", b"-0", b"9007199254740993", b"NaN", b"Infinity", b"1e-400", b"0" * 400),
    *(b"[" * 2000, b'{"a":' * 2000, b'"' * 3, b"null", b"{}", b"[]", b"true", b'""'),
    *(
        b"\r\n\r\n",
        b"%00",
        b"%2e%2e%2f",
        b"../",
        b"*",
        b"/" * 50,
        b"a" * 5000,
        b"=",
        b"-----",
        b".",
    ),
]


class Hostile:
    """A source of inputs."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._corpora: dict[str, list[bytes]] = {}

    def of(self, corpus: list[bytes]) -> bytes:
        """One of the corpus, spoilt; now and then it is left as it was."""
        chance = self.random
        data = bytearray(chance.choice(corpus))
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 8))):
            at = chance.randrange(len(data) + 1)
            end = min(len(data), at + chance.choice((0, 1, 1, 2, 8, 40)))
            match chance.randrange(7):
                case 0 if at < len(data):
                    data[at] ^= 1 << chance.randrange(8)
                case 1:
                    data[at:end] = chance.choice(NASTY)
                case 2:
                    del data[at:end]
                case 3:
                    data[at:at] = data[at:end] * chance.choice((1, 2, 50))
                case 4:
                    other = chance.choice(corpus)
                    cut = chance.randrange(len(other) + 1)
                    data[at:] = other[cut:]
                case 5:
                    data[at:end] = chance.randbytes(chance.randrange(12))
                case _:
                    del data[at:]
        return bytes(data)


def encoded(values: list[Any]) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


class Pit:
    """A door that leads nowhere: it remembers whether a fault was told."""

    congested = False
    backlog = 0

    def __init__(self) -> None:
        self.faults = 0
        self.frames = 0

    def send_text(self, text: bytes) -> None:
        self.frames += 1
        self.faults += b"InternalFailure" in text
        json.loads(text)  # a frame that is no JSON stops amplify-js for good

    def write(self, frame: bytes) -> None:
        self.frames += 1

    hold = write

    def flush(self) -> None: ...

    def wake(self) -> None: ...

    def close(self, code: Close, reason: str = "") -> None: ...


class Errors(logging.Handler):
    """Counts what the log calls an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


async def in_process(count: int, seed: int) -> Counter[str]:
    """So many inputs to the parsers and to whole connections; raises AssertionError with the first that is a fault."""
    hostile, done = Hostile(seed), Counter[str]()
    keys = (ApiKey(key=SecretStr(ADMIN), role="admin"),)
    limits: Any = {"publishes_per_second": 0, "entries": 5000, "channels": 200}
    namespaces: Any = {
        "leaderboard": {"events": True, "max_entries": 200},
        "game": {"mode": "sum"},
        "default": {"kind": "relay"},
    }
    settings = Settings(
        api_keys=keys, limits=limits, namespaces=namespaces, secret=SecretStr(SECRET)
    )
    app = create_app(settings)
    auth, operations = app.state.auth, app.state.operations
    engine = cast(MemoryEngine, app.state.broker._engine)
    tokens = [auth.issue("player", BOARD, "ann", 3600)[0].encode()]
    tokens.append(auth.issue("host", "/leaderboard/*", None, 3600)[0].encode())
    admin = auth.authenticate({"x-api-key": ADMIN})
    pit = Pit()
    session = Session(operations, settings.limits, pit, admin, Caller())

    def to_session(data: bytes) -> None:
        with contextlib.suppress(UnicodeDecodeError):  # the door closes 1007
            session.receive(data.decode())

    def event(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        to_session(
            json.dumps(
                {
                    "type": "publish",
                    "id": "e",
                    "channel": hostile.random.choice((BOARD, "/game/f")),
                    "events": [text],
                    "authorization": AUTHORIZATION,
                }
            ).encode()
        )

    def header(data: bytes) -> None:
        carried = data if hostile.random.random() < 0.5 else base64.urlsafe_b64encode(data)
        found = credentials_of_upgrade(["header-" + carried.decode("latin-1")], {})
        auth.authenticate(found)

    def path(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for parse in (
            channels.parse,
            channels.parse_subscription,
            channels.parse_credential_pattern,
        ):
            with contextlib.suppress(Refusal):
                assert parse(parse(text)) == parse(text), "normal form is stable"

    def configure(data: bytes) -> None:
        with contextlib.suppress(ValueError, RecursionError, ValidationError):
            Settings.model_validate(json.loads(data))

    targets: dict[str, tuple[Callable[[bytes], object], list[bytes], int]] = {
        "frames of a connection": (to_session, encoded(FRAMES), 30),
        "events of a board": (event, encoded(EVENTS), 30),
        "header- values": (header, encoded([AUTHORIZATION, {"Authorization": "Bearer x"}]), 15),
        "bodies of POST /event": (messages.decode_http_publish, encoded(FRAMES), 10),
        "tokens": (
            lambda data: auth.authenticate({"Authorization": data.decode("latin-1")}),
            tokens,
            5,
        ),
        "paths": (path, [text.encode() for text in PATHS], 9),
        "settings": (configure, encoded(SETTINGS), 1),
    }
    names = list(targets)
    weights = [targets[name][2] for name in names]
    errors = Errors()
    logging.getLogger().addHandler(errors)
    async with app.router.lifespan_context(app):
        for number in range(count):
            [name] = hostile.random.choices(names, weights)
            meet, corpus, _ = targets[name]
            data = hostile.of(corpus)
            try:
                meet(data)
            except Refusal as refusal:
                pit.faults += refusal.status >= 500
            except Exception as error:
                raise AssertionError(f"{name}: {data!r} raised {error!r}") from error
            assert not pit.faults, f"{name}: {data!r} was answered with an InternalFailure"
            assert not errors.records, f"{name}: {data!r}: {errors.records[0].getMessage()}"
            done[name] += 1
            if number % 500 == 0:
                await asyncio.sleep(0)  # the beat has its turn
            if number % 20_000 == 0:
                check(engine)
        check(engine)
        session.closed()
    logging.getLogger().removeHandler(errors)
    return done


def check(engine: MemoryEngine) -> None:
    """Every board agrees with itself, and all of them with their ceiling."""
    for held in engine._boards.values():
        held.board._check()
    assert sum(len(held.board) for held in engine._boards.values()) <= 5000


async def over_sockets(count: int, seed: int, *, plain_asgi: bool) -> Counter[str]:
    """So many inputs to the HTTP parser and the frame decoder of a real server, which must be well afterwards."""
    hostile, done = Hostile(seed), Counter[str]()
    upgrade = (
        b"GET /event/realtime HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"sec-websocket-protocol: aws-appsync-event-ws\r\nx-api-key: "
        + ADMIN.encode()
        + b"\r\n\r\n"
    )
    requests = [
        upgrade,
        b"GET /api/boards/leaderboard/a?top=5 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        b"GET /l/leaderboard/a?around=ann&theme=dark HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        b"POST /event HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
        b"POST /event HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\na: b\r\n\r\n",
        b"POST /host HTTP/1.1\r\nhost: a\r\norigin: http://a\r\ncontent-length: 26\r\n\r\ntitle=Friday&seconds=30&k=",
        b"GET /host HTTP/1.1\r\nhost: [::1]:80\r\ncookie: host_2345=x.y.z\r\nconnection: close\r\n\r\n",
        b"GET /oembed?url=http://a/l/leaderboard/a&maxwidth=300 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        b"GET /embed/leaderboard/a?title=x&lang=en&limit=5 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        b"DELETE /api/links/abc HTTP/1.1\r\nhost: a\r\nauthorization: Bearer a.b.c\r\nconnection: close\r\n\r\n",
    ]
    frames = [
        frame(text) + frame(b"", 9) + frame(b"x", TEXT, fin=False) + frame(b"y", 0)
        for text in encoded(FRAMES)
    ]
    errors = Errors()
    logging.getLogger().addHandler(errors)
    limits = {"publishes_per_second": 0, "request": 1.0, "connects_per_address": 0}
    limits["connects_per_second"] = 0
    async with running(plain_asgi=plain_asgi, limits=limits) as server:
        for _ in range(count):
            kind = hostile.random.choice(("requests and upgrades", "frames on a socket"))
            if kind == "frames on a socket":
                # Behind the answer to the upgrade: what comes in one read with it is dropped.
                raw = await RawSocket.open(server.port, ADMIN)
                data = hostile.of(frames) + hostile.of(frames)
            else:
                raw = await RawSocket.bare(server.port)
                data = hostile.of(requests)
            with contextlib.suppress(ConnectionError):
                await raw.write(data)
                raw.half_close()
                head = await raw.until_eof()
                assert b" 500 " not in head[:20], data
            raw.close()
            faults = [each for each in errors.records if "Invalid UTF-8" not in each.getMessage()]
            assert not faults, (data, faults[0].getMessage())
            done[kind] += 1
        assert server.app.state.realtime is not None
        assert await (await server.client()).alive()
        metrics = server.app.state.broker.metrics
        decoded = metrics["InboundMessages"]  # of those that were no frames any more there is none
        assert decoded > done["frames on a socket"] / 5, "the rest did not get that far"
        for name in ("5XXError", "PublishServerError", "SubscribeServerError"):
            assert metrics[name] == 0, name
    logging.getLogger().removeHandler(errors)
    return done


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    began, done = time.monotonic(), Counter[str]()
    done += asyncio.run(in_process(arguments.inputs, arguments.seed))
    for plain in (False, True):
        sockets = arguments.inputs // 100
        done += asyncio.run(over_sockets(sockets, arguments.seed, plain_asgi=plain))
    lasted = time.monotonic() - began
    print(
        f"{sum(done.values()):,} hostile inputs, seed {arguments.seed}: no server error in {lasted:.0f} s"
    )
    for name, count in done.most_common():
        print(f"| {name} | {count:,} |")


if __name__ == "__main__":
    main()
