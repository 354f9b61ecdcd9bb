"""The servers that are measured, and what a client says to each.

`Talk` is everything that the load generator must know of a protocol; the peers all do the same with it: who connects
as a subscriber gets what a publisher sends, and the publisher gets an answer.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.environment import BUILD, HERE, PEERS, missing
from benchmarks.machine import SERVER_CORE, pinned

CONFIG = HERE / "leaderboard.toml"
KEY = "da2-benchmark-key"
START_TIME = 30.0
"""Seconds that a server may take to listen."""


@dataclass(frozen=True, kw_only=True)
class Talk:
    """A protocol as the load generator speaks it. ``delivery``, ``answer`` and ``ready`` are prefixes of frames.

    In ``publish``, ``{number}``, ``{random}`` and ``{player}`` stand for numbers of ten digits, other in every frame.
    """

    path: str
    publisher_path: str = ""
    protocol: str = ""
    hellos: tuple[str, ...] = ()
    publisher_hellos: tuple[str, ...] = ()
    ready: str = ""
    delivery: str = ""
    answer: str = ""
    publish: str = ""

    def options(self) -> list[str]:
        """As options of the load generator."""
        single = ("path", "publisher_path", "protocol", "ready", "delivery", "answer", "publish")
        options = [
            part
            for name in single
            if (value := getattr(self, name))
            for part in (f"--{name.replace('_', '-')}", value)
        ]
        for hello in self.hellos:
            options += ("--hello", hello)
        for hello in self.publisher_hellos:
            options += ("--publisher-hello", hello)
        return options


@dataclass(frozen=True, kw_only=True)
class Server:
    """A program that serves WebSocket on ``{port}`` of 127.0.0.1, started anew for every run."""

    name: str
    command: tuple[str, ...]
    program: str = sys.executable
    """What must be installed."""
    folder: Path = HERE.parent
    """Where it is started."""

    @property
    def missing(self) -> str:
        """Why it cannot be measured on this machine, or ""."""
        return missing(self.program)

    def with_arguments(self, *arguments: str | int | Path) -> Server:
        """The same with further arguments."""
        return replace(self, command=(*self.command, *map(str, arguments)))

    @contextlib.contextmanager
    def running(self) -> Iterator[tuple[int, int]]:
        """Start it on the server's core; gives its port and its process id, and ends it."""
        port = free_port()
        command = [part.replace("{port}", str(port)) for part in self.command]
        log = BUILD / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                pinned(SERVER_CORE, *command), stdout=output, stderr=output, cwd=self.folder
            )
        try:
            _wait_for(port, process, log)
            yield port, process.pid
        finally:
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


# -- ours --------------------------------------------------------------------------------------------------------------


@functools.cache
def plain_asgi() -> tuple[str, ...]:
    """The flag that switches the fast path off, where there is one to switch off."""
    usage = subprocess.run(
        [sys.executable, "-m", "leaderboard", "serve", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "200", "TERM": "dumb"},
    )
    return ("--plain-asgi",) if "--plain-asgi" in usage.stdout else ()


def ours(subscriptions: int = 0, boards: int = 0) -> list[Server]:
    """The product, on its fast path and on the plain one; with boards, driven until so many have subscribed."""
    program = ["leaderboard"]
    if boards:
        program = ["benchmarks.driven", str(subscriptions), str(boards)]
    command = (sys.executable, "-m", *program, "serve", "--config", str(CONFIG), "--port", "{port}")
    fast = Server(name="leaderboard", command=command)
    plain = plain_asgi()
    if not plain:
        return [fast]
    return [fast, Server(name="leaderboard --plain-asgi", command=command + plain)]


def _header_protocol() -> str:
    members = json.dumps({"host": "127.0.0.1", "x-api-key": KEY}).encode()
    header = base64.urlsafe_b64encode(members).decode().rstrip("=")
    return f"aws-appsync-event-ws, header-{header}"


def _frame(kind: str, **members: object) -> str:
    authorization = {"x-api-key": KEY}
    return json.dumps(
        {"type": kind, **members, "authorization": authorization}, separators=(",", ":")
    )


def _score(player: str, score: str) -> str:
    return f'{{"player":"p{player}","score":{score}}}'


def appsync(*channels: str, event: str = "") -> Talk:
    """AppSync Events: subscribe to channels, and publish an event to the first."""
    return Talk(
        path="/event/realtime",
        protocol=_header_protocol(),
        hellos=tuple(
            _frame("subscribe", id=str(number), channel=channel)
            for number, channel in enumerate(channels, 1)
        ),
        ready='{"type":"subscribe_success"',
        delivery='{"type":"data"',
        answer='{"type":"publish_success"',
        publish=_frame("publish", id="{number}", channel=channels[0], events=[event])
        if event
        else "",
    )


def publish(channel: str, event: str) -> Talk:
    """AppSync Events without a subscriber: only answers are counted."""
    return replace(appsync(channel, event=event), hellos=(), delivery="")


BOARD = "/bench/board"
RELAY = "/relay/board"
NEWEST_FIRST = _score("{player}", "{number}")
"""A score whose place on the board tells when it was published."""
ANYWHERE = _score("{player}", "{random}")
"""A score that lands anywhere on the board, and elsewhere than the player's last."""

# -- peers -------------------------------------------------------------------------------------------------------------

FLOOR = Server(
    name="C, blocking send()", command=(sys.executable, str(PEERS / "floor.py"), "{port}")
)

_UVICORN = (sys.executable, "-m", "uvicorn", "--app-dir", str(PEERS), "--port", "{port}")
_SANSIO = ("--ws", "websockets-sansio", "--backlog", "2048", "--log-level", "warning")


def _node(name: str, script: str) -> Server:
    return Server(name=name, command=("node", str(PEERS / script), "{port}"), program="node")


FASTAPI = Server(name="FastAPI", command=(*_UVICORN, *_SANSIO, "fastapi_app:app"))
WS = _node("Node ws", "ws.mjs")
SOCKET_IO = _node("Socket.IO", "socketio.mjs")
PYTHON_SOCKET_IO = Server(
    name="python-socketio", command=(*_UVICORN, *_SANSIO, "python_socketio:app")
)
SOCKETIFY = Server(
    name="socketify (uWebSockets)",
    command=(sys.executable, str(PEERS / "socketify_app.py"), "{port}"),
)
PICOWS = Server(name="picows", command=(sys.executable, str(PEERS / "picows_app.py"), "{port}"))


def plain(payload: str = "", path: str = "/publish") -> Talk:
    """Peers without a protocol of their own: a payload goes in at a path and comes out at `/ws`."""
    return Talk(
        path="/ws", publisher_path=path, delivery='{"type":"data"', answer="ok", publish=payload
    )


def socket_io(payload: str = "") -> Talk:
    """Socket.IO, version 5 of its protocol: events with acknowledgements in Engine.IO's messages."""
    return Talk(
        path="/socket.io/?EIO=4&transport=websocket",
        hellos=("40", '420["join"]'),
        publisher_hellos=("40",),
        ready="4",
        delivery='42["score"',
        answer="430[",
        publish=f'420["score",{payload}]' if payload else "",
    )


def ingest(path: str) -> Talk:
    """AppSync's publish, spoken to a peer that understands just that."""
    return replace(publish(BOARD, ANYWHERE), path=path, protocol="")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_TIME
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not listen:\n{log.read_text()[-2000:]}")
