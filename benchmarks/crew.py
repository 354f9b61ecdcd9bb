"""Several processes on one Redis, as `leaderboard serve --workers` starts them, and what they have used and sent."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.servers import CONFIG, KEY, free_port

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Used:
    """Up to a moment: frames sent to subscribers, CPU seconds of the processes and of Redis, open connections."""

    moment: float
    sent: float
    cpu: float
    redis: float
    connections: float


@dataclass(frozen=True)
class Crew:
    """The port that all share, that of each alone, their process ids, and that of Redis."""

    port: int
    ports: list[int]
    pids: list[int]
    redis: int

    def used(self) -> Used:
        """As of now."""
        texts = [_get(port, "/metrics") for port in self.ports]
        return Used(
            time.monotonic(),
            sum(_sum(text, "broadcast_event_success_total") for text in texts),
            sum(map(_cpu, self.pids)),
            _cpu(self.redis),
            sum(_sum(text, "active_connections") for text in texts),
        )


@contextlib.contextmanager
def crew(count: int) -> Iterator[Crew]:
    """Redis and so many processes."""
    port, store, own = free_port(), free_port(), _row_of_ports(count)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        options = ("--port", str(store), "--bind", "127.0.0.1", "--save", "", "--dir", folder)
        redis = stack.enter_context(
            subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        )
        stack.callback(redis.terminate)
        environ = {
            **os.environ,
            "LEADERBOARD_ENGINE_URL": f"redis://127.0.0.1:{store}",
            "LEADERBOARD_SECRET": "a-secret-of-the-benchmarks-alone-32",
            "LEADERBOARD_WORKER_PORT": str(own),
        }
        flags = ("--config", str(CONFIG), "--port", str(port), "--workers", str(count))
        server = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "leaderboard", "serve", *flags],
                stdout=subprocess.DEVNULL,
                env=environ,
            )
        )
        stack.callback(server.wait, 20)
        stack.callback(server.terminate)
        ports = [own + number for number in range(count)] if count > 1 else [port]
        for each in ports:
            _until(each)
        yield Crew(port, ports, [_pid(each) for each in ports], redis.pid)


def _row_of_ports(count: int) -> int:
    """The first of so many ports that nobody has, below those that the kernel gives out by itself."""
    while True:
        first = random.randrange(20_000, 30_000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for number in range(count):
                stack.enter_context(socket.create_server(("127.0.0.1", first + number)))
            return first


def _until(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            _get(port, "/readyz")
            return
        time.sleep(0.05)
    raise RuntimeError(f"nobody serves port {port}")


def _get(port: int, path: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"x-api-key": KEY})
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return str(answer.read().decode())


def _sum(text: str, metric: str) -> float:
    found = re.findall(rf"^leaderboard_{metric}(?:{{.*}})? (\S+)", text, re.MULTILINE)
    return sum(map(float, found))


def _pid(port: int) -> int:
    return int(_get(port, "/-/now").partition("<dt>process</dt><dd>")[2].partition(" ")[0])


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
