"""Whether the memory engine has become slower: this program against itself as it was before there was another engine.

The older one is taken from the history and runs with the same libraries, in turns with the present one.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from benchmarks import servers
from benchmarks.contender import Contender, Load, Measured
from benchmarks.driven import BOARDS
from benchmarks.environment import BUILD, ROOT
from benchmarks.results import CPU, Column, Table, table
from benchmarks.rounds import Effort, alternate
from benchmarks.servers import Server

NOW = "leaderboard"
BEFORE = "before there was another engine"
FIRST = "leaderboard/engines/redis.py"
SUBSCRIBERS = 1000


def ingest(effort: Effort) -> Table:
    """Publishes that are applied and answered, with nobody watching."""
    load: Load = {"publishers": 4, "in_flight": 32, "players": 10_000, "seconds": effort.seconds}
    talk = servers.publish(servers.BOARD, servers.ANYWHERE)
    return _compared(
        "before-ingest",
        "Publishes of one process on the memory engine",
        "publishes per CPU-second",
        [Contender(name=each.name, server=each, talk=talk, load=load) for each in _both()],
        "answers",
        effort,
    )


def fan_out(effort: Effort) -> Table:
    """One board to many, as fast as can be."""
    load: Load = {"subscribers": SUBSCRIBERS, "seconds": effort.seconds}
    contenders = [
        Contender(
            name=each.name,
            server=each,
            talk=servers.appsync(*BOARDS[:1]),
            load=load,
            alone=alone,
        )
        for each, alone in zip(_both(SUBSCRIBERS, 1), _both(1, 1), strict=True)
    ]
    return _compared(
        "before-fan-out",
        f"Fan-out of one process on the memory engine to {SUBSCRIBERS:,} subscribers",
        "deliveries per CPU-second",
        contenders,
        "deliveries",
        effort,
    )


def _compared(
    key: str, title: str, heading: str, contenders: list[Contender], counted: str, effort: Effort
) -> Table:
    def figures(measured: Measured) -> dict[str, float]:
        rate = measured[counted] / measured["seconds"]
        return {"per_cpu_second": rate / min(max(measured["server_cpu"], 0.01), 1.0)}

    def saturated(measured: Measured) -> float:
        return float(measured["server_cpu"])

    columns = (
        Column(figure="per_cpu_second", heading=heading),
        Column(figure="ratio", heading="to before", format=".2f"),
        *CPU,
    )
    runs = alternate(contenders, effort, figures, saturated)
    return table(key, title, columns, runs, ratio=("per_cpu_second", BEFORE))


def _both(subscriptions: int = 0, boards: int = 0) -> list[Server]:
    """The present program and the older one."""
    now = servers.ours(subscriptions, boards)[0]
    folder = _older()
    config = str(folder / "benchmarks" / servers.CONFIG.name)
    command = tuple(config if part == str(servers.CONFIG) else part for part in now.command)
    return [now, replace(now, name=BEFORE, command=command, folder=folder)]


def _older() -> Path:
    """A folder with the program as it was."""
    folder = BUILD / "before"
    if not folder.exists():
        first = _git("log", "--diff-filter=A", "--format=%H", "--", FIRST).split()
        if not first:
            raise RuntimeError(
                f"the history does not say when {FIRST} came: is this a whole clone?"
            )
        made = BUILD / "before.new"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        archive = BUILD / "before.tar"
        _git("archive", f"--output={archive}", f"{first[-1]}^")
        shutil.unpack_archive(archive, made)
        archive.unlink()
        made.rename(folder)
    return folder


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout
