"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

from benchmarks import documentation, machine, promises, results, scenarios
from benchmarks.ranking import ranking
from benchmarks.results import Table
from benchmarks.rounds import Effort

Job = Callable[[Effort], Table]

SUBSCRIBERS = (100, 1000, 5000)
PUBLISHERS = (1, 10, 50, 200)
SIZES = (100, 10_000, 1_000_000)
PIPELINED = (4, 32)
REQUEST_RESPONSE = (32, 1)


def main() -> None:
    arguments = _arguments()
    if machine.allow_many_files() < max(SUBSCRIBERS) + 200:
        print("Few files may be open here (ulimit -n): large scenarios will fail.", file=sys.stderr)
    if arguments.scenario == "record":
        documentation.record(results.kept(results.folder(quick=False)))
        return
    quick = arguments.scenario == "quick"
    effort = Effort(
        rounds=arguments.rounds or (1 if quick else 3),
        seconds=arguments.seconds or (0.8 if quick else 1.5),
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
    ingests = [
        lambda effort: scenarios.ingest(effort, *PIPELINED),
        lambda effort: scenarios.ingest(effort, *REQUEST_RESPONSE),
    ]
    latencies = [
        lambda effort: scenarios.latency(effort, 1, rate=scenarios.QUIET),
        *(lambda effort, count=count: scenarios.latency(effort, count) for count in crowds),
    ]
    jobs: dict[str, list[Job]] = {
        "fanout": [
            lambda effort, count=count: scenarios.fan_out(effort, count) for count in counts
        ],
        "boards": [lambda effort: scenarios.many_boards(effort, 200)],
        "ingest": ingests,
        "latency": latencies,
        "stalled": [scenarios.stalled],
        "idle": [scenarios.idle],
        "connect": [scenarios.connect],
        "ranking": [lambda _: ranking(tuple(sizes))],
    }
    jobs["all"] = [job for part in jobs.values() for job in part]
    jobs["quick"] = [
        lambda effort: scenarios.fan_out(effort, 1000, few=True),
        ingests[0],
        lambda effort: scenarios.latency(effort, PUBLISHERS[-1]),
        lambda _: ranking(SIZES[:2]),
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
            *("idle", "connect", "ranking", "record"),
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
