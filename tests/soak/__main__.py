"""The command line of the long runs."""

from __future__ import annotations

import argparse
import asyncio

from uvicorn.loops.auto import auto_loop_factory

import tests.soak
from tests import recorded
from tests.soak import ledger, storm, stuck


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=tests.soak.__doc__)
    parser.add_argument("run", choices=("soak", "stuck", "storm"))
    parser.add_argument(
        "--seconds", type=float, help="soak: 1800; stuck: 600, and half of it without"
    )
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--rate", type=float, default=2000, help="publishes a second, all together")
    parser.add_argument("--clients", type=int, default=2000, help="of storm")
    a = parser.parse_args()
    runs = {
        "soak": lambda: ledger.run(a.seconds or 1800, a.connections, a.rate),
        "stuck": lambda: stuck.run(a.seconds or 600),
        "storm": lambda: storm.run(a.clients),
    }
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        figures = runner.run(runs[a.run]())
    print(recorded.heading("tests.soak"))
    for name, figure in figures.items():
        shown = figure if isinstance(figure, str) else f"{figure:,}"
        print(f"| {name} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
