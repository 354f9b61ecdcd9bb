"""A real Redis or Valkey server, started and ended by the tests: on a free port of this machine, keeping nothing."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from redis.asyncio.connection import Connection

from leaderboard.engines.places import ask_once
from tests.documents import blocks
from tests.needs import Need, needs


def free_port() -> int:
    """A port that nobody has; low enough for the one that a cluster adds ten thousand to."""
    while True:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port: int = taken.getsockname()[1]
        if port < 55_000:
            return port


def rule() -> list[str]:
    """The words by which docs/scaling.md makes a user that may do what is needed and no more."""
    (text,) = [each.text for each in blocks("sh") if each.text.startswith("redis-cli ACL SETUSER")]
    return shlex.split(text.replace("\\\n", ""))


def admit(ports: list[int], url: str) -> str:
    """Make that user at each server, and give the URL for it."""
    _, *words = rule()
    for port in ports:
        command = [str(needs("redis-cli")), "-e", "-p", str(port), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (password,) = [word[1:] for word in words if word.startswith(">")]
    return url.replace("//", f"//{words[2]}:{quote(password)}@")


class RedisServer:
    """A process that can be killed, stopped and started again, always on the same port."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        port: int = 0,
        config: Path | None = None,
        program: Need = "redis-server",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port or free_port()
        self._folder = folder
        self._options = options
        self._sentinel = config
        self._program = program
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def patient_url(self) -> str:
        """Its URL for tests that are not about silence: on a busy machine a second is no time."""
        return f"{self.url}?socket_timeout=20"

    @cached_property
    def admitted(self) -> str:
        """Its URL for that user, who is made when this is first asked for."""
        return admit([self.port], self.patient_url)

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        command = [
            str(needs(self._program)),
            *((str(self._sentinel), "--sentinel") if self._sentinel else ()),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
            *(() if self._sentinel else ("--save", "", "--appendonly", "no")),
            *("--loglevel", "warning", *self._options),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=self._environment)
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, "the server ended"
            time.sleep(0.01)
        raise TimeoutError("the server does not answer")

    def kill(self) -> None:
        """End it as a crash does: nothing of it is left."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it fall silent, its connections open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    async def ask(self, *words: Any) -> Any:
        """The answer to one command."""
        connection = Connection(host="127.0.0.1", port=self.port, protocol=2)
        return (await ask_once(connection, words))[0]

    async def until(self, text: bytes, *words: Any) -> None:
        """Wait until the answer to a command has a text in it."""
        async with asyncio.timeout(60):
            while text not in await self.ask(*words):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def empty(self) -> None:
        await self.ask("FLUSHALL")


def cluster_of(
    parent: Path, stack: ExitStack, masters: int, *options: str, replicas: int = 0
) -> Cluster:
    """A cluster that serves, of masters with so many replicas each; a node that is gone is missed after a second."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", *options)
    nodes = []
    for number in range(masters * (1 + replicas)):
        folder = parent / f"node{number}"
        folder.mkdir()
        nodes.append(stack.enter_context(RedisServer(folder, *options)))
    cluster = Cluster(nodes)
    create = ["redis-cli", "--cluster", "create", *cluster.hosts, "--cluster-yes"]
    create += ["--cluster-replicas", str(replicas)]
    subprocess.run(create, check=True, capture_output=True)
    cluster.wait()
    return cluster


class Cluster:
    """Servers that share the slots out, the first of them as masters."""

    def __init__(self, nodes: list[RedisServer]) -> None:
        self.nodes = nodes
        self.hosts = [f"127.0.0.1:{node.port}" for node in nodes]

    @property
    def url(self) -> str:
        """Its URL for tests that are not about silence."""
        return f"redis+cluster://{','.join(self.hosts)}?socket_timeout=20"

    def wait(self) -> None:
        """Wait until all nodes say that it serves: created, or whole again, it does not at once."""
        ends = time.monotonic() + 60
        for node in self.nodes:
            ask = ["redis-cli", "-p", str(node.port), "cluster", "info"]
            while b"cluster_state:ok" not in subprocess.check_output(ask):
                assert time.monotonic() < ends
                time.sleep(0.02)
