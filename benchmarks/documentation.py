"""Figures in docs/: `record` writes the last results between the marks of its pages, and draws the charts.

A mark is a line `<!-- figures: KEY -->`; what follows it up to `<!-- end -->` is replaced. KEY is a scenario's, or
`promises`, `steps` or `machine`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from benchmarks import chart, promises, results, scenarios
from benchmarks.environment import ROOT
from benchmarks.results import Table

PAGE = ROOT / "docs" / "performance.md"
PAGES = (PAGE, ROOT / "docs" / "scaling.md")
_MARKED = re.compile(r"(<!-- figures: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)

STEPS = (
    (scenarios.FASTAPI_JSON, "the value is encoded for every subscriber"),
    (scenarios.FASTAPI_TEXT, "encoded once; framed, and awaited, for every subscriber"),
    ("leaderboard --plain-asgi", "the product over plain ASGI: a queue and a task each"),
    (scenarios.OURS, "framed once, written without waiting for anybody"),
    (scenarios.FLOOR, "the kernel's part: nothing but `send()`"),
)
"""From the naive fan-out to the floor, in the order in which each saves something."""


def record(tables: Mapping[str, Table]) -> None:
    """Make these results the documented ones."""
    if not tables:
        sys.exit("There are no results yet: run `make bench` first.")
    results.write_record(tables)
    filled = {key: f"{table.title}:\n\n{table.markdown()}" for key, table in tables.items()}
    filled |= {
        "promises": promises.markdown(tables),
        "steps": _steps(tables),
        "machine": _machine(tables),
    }
    for page in PAGES:
        page.write_text(_MARKED.sub(lambda mark: _fill(mark, filled), page.read_text()))
    for name, picture in chart.charts(tables).items():
        (PAGE.parent / name).write_text(picture)


def _fill(mark: re.Match[str], filled: Mapping[str, str]) -> str:
    head, key, end = mark.groups()
    return f"{head}\n{filled[key]}\n\n{end}" if key in filled else mark[0]


def _steps(tables: Mapping[str, Table]) -> str:
    """Microseconds of one delivery."""
    lines = ["| | µs per delivery | |", "| --- | ---: | --- |"]
    fan_out = tables.get(promises.FAN_OUT)
    for name, what in STEPS:
        rate = fan_out.figure(name, "per_cpu_second") if fan_out else None
        lines.append(f"| {name} | {f'{1e6 / rate:.1f}' if rate else '–'} | {what} |")
    return "\n".join(lines)


def _machine(tables: Mapping[str, Table]) -> str:
    """On what, with what and when: one row per scenario, for they may have been run on different days."""
    first = next(iter(tables.values())).context
    lines = [
        (
            f"{first['machine']}; {first['system']}; Python {first['python']}, "
            f"Node {first['node']}, Redis {first['redis']}; {first['packages']}."
        ),
        "",
        "| scenario | day | command |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| {key} | {table.context['date']} | `{table.context['command']}` |"
        for key, table in sorted(tables.items())
    ]
    return "\n".join(lines)
