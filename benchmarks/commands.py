"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from functools import partial

from benchmarks import across, before, documentation, machine, promises, results, scenarios
from benchmarks.limiter import limiter
from benchmarks.processes import processes
from benchmarks.ranking import ranking
from benchmarks.results import Table
from benchmarks.rounds import Effort

Job = Callable[[Effort], Table]

SUBSCRIBERS = (100, 1000, 5000)
PUBLISHERS = (1, 10, 50, 200)
SIZES = (100, 10_000, 1_000_000)
PIPELINED = partial(scenarios.ingest, connections=4, in_flight=32)
REQUEST_RESPONSE = partial(scenarios.ingest, connections=32, in_flight=1)


def main() -> None:
    arguments = _arguments()
    if machine.allow_many_files() < max(SUBSCRIBERS) + 200:
        print("Few files may be open here (ulimit -n): large scenarios will fail.", file=sys.stderr)
    if arguments.scenario == "record":
        last = results.kept(results.folder(quick=False))
        documentation.record(results.recorded() | last if last else {})
        return
    quick = arguments.scenario == "quick"
    effort = Effort(
        rounds=arguments.rounds or (1 if quick else 3),
        seconds=arguments.seconds or (0.7 if quick else 1.5),
        keep_disturbed=arguments.keep_disturbed,
    )
    folder = results.folder(quick=quick)
    for job in _jobs(arguments):
        table = job(effort)
        results.keep(table, folder)
        print(f"\n### {table.title}\n\n{table.markdown()}", flush=True)
    if quick or arguments.scenario == "all":
        print(f"\n### Promises\n\n{promises.markdown(results.kept(folder))}")


def _jobs(arguments: argparse.Namespace) -> Iterable[Job]:
    """What a scenario's name stands for."""
    counts: list[int] = arguments.subscribers or list(SUBSCRIBERS)
    crowds: list[int] = arguments.publishers or list(PUBLISHERS)
    sizes: list[int] = arguments.entries or list(SIZES)
    jobs: dict[str, list[Job]] = {
        "fanout": [partial(scenarios.fan_out, subscribers=count) for count in counts],
        "boards": [partial(scenarios.many_boards, subscribers=200)],
        "ingest": [PIPELINED, REQUEST_RESPONSE],
        "latency": [
            partial(scenarios.latency, publishers=1, rate=scenarios.QUIET),
            *(partial(scenarios.latency, publishers=count) for count in crowds),
        ],
        "stalled": [scenarios.stalled],
        "idle": [scenarios.idle],
        "connect": [scenarios.connect],
        "ranking": [partial(ranking, sizes=sizes)],
        "limiter": [limiter],
    }
    jobs["processes"] = [across.latency, across.deliveries, processes]
    jobs["before"] = [before.ingest, before.fan_out]
    jobs["all"] = [job for part in jobs.values() for job in part]
    jobs["quick"] = [
        partial(scenarios.fan_out, subscribers=1000, few=True),
        PIPELINED,
        partial(scenarios.latency, publishers=PUBLISHERS[-1], few=True),
        partial(ranking, sizes=SIZES[:2]),
    ]
    return jobs[arguments.scenario]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What the server reaches on one core, against what others would pick instead.",
    )
    parser.add_argument(
        "scenario",
        choices=(
            *("all", "quick", "fanout", "boards", "ingest", "latency", "stalled"),
            *("idle", "connect", "ranking", "limiter", "processes", "before", "record"),
        ),
        help="what to measure; `record` writes the last results into docs/",
    )
    parser.add_argument("--rounds", type=int, help="runs of every server; the median counts")
    parser.add_argument("--seconds", type=float, help="length of what is counted in a run")
    parser.add_argument("--subscribers", type=int, nargs="+", help="of fanout")
    parser.add_argument("--publishers", type=int, nargs="+", help="of latency")
    parser.add_argument("--entries", type=int, nargs="+", help="of ranking")
    parser.add_argument(
        "--keep-disturbed",
        action="store_true",
        help="count runs in which the server did not get its core",
    )
    return parser.parse_args()
