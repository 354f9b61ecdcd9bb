"""The machine: one core for the server, one for the generator, and whether anybody else is using them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 2.5
"""Seconds to wait for both cores to be quiet; after that a run is judged by the CPU it got."""
QUIET = 0.1
"""Share of a core that may be in use by others while it counts as quiet."""


def cores() -> tuple[int, int]:
    """The server's core and the generator's: two that are not threads of one, if there are such."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        sys.exit("The server and the load generator need a core each; this process may use one.")
    first = available[0]
    siblings = Path(f"/sys/devices/system/cpu/cpu{first}/topology/thread_siblings_list")
    together = siblings.read_text().strip().replace("-", ",").split(",")
    others = [core for core in available[1:] if str(core) not in together]
    return first, (others or available[1:])[0]


SERVER_CORE, LOAD_CORE = cores()


def pinned(core: int, *command: str | Path | int) -> list[str]:
    """A command that runs on one core only."""
    return ["taskset", "--cpu-list", str(core), *map(str, command)]


def wait_until_quiet() -> None:
    """Wait until both cores are idle, but no longer than `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    before = _busy()
    while time.monotonic() < end:
        time.sleep(0.1)
        after = _busy()
        if all(now - then <= QUIET * 0.1 for now, then in zip(after, before, strict=True)):
            return
        before = after


def allow_many_files() -> int:
    """Raise the limit of open files, for this process and its children; how many they may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def describe() -> dict[str, str]:
    """What a figure depends on besides the code."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    packages = ("uvicorn", "uvloop", "fastapi", "websockets", "msgspec")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    return {
        "machine": f"{model}, {os.cpu_count()} cores",
        "system": f"Linux {platform.release()}",
        "python": platform.python_version(),
        "node": _output("node", "--version").removeprefix("v"),
        "redis": _output("redis-server", "--version").partition("v=")[2].partition(" ")[0],
        "packages": ", ".join(versions),
    }


def _busy() -> list[float]:
    """Seconds that each of the two cores has not been idle."""
    tick = os.sysconf("SC_CLK_TCK")
    times = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name.startswith("cpu"):
            user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(int, fields)
            times[name] = (user + nice + system + irq + softirq + steal) / tick
    return [times[f"cpu{core}"] for core in (SERVER_CORE, LOAD_CORE)]


def _output(*command: str) -> str:
    if not shutil.which(command[0]):
        return "not installed"
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
