"""A table of figures, and the folder that keeps the last one of every scenario.

What is kept is JSON with the machine, the versions, the day and the command; Markdown is made from it, so that the
documentation can be written anew without measuring.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.environment import BUILD, ROOT
from benchmarks.rounds import Runs

RECORD = ROOT / "docs" / "performance.json"
"""The figures that the documentation shows."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A figure, its heading, and how it is printed."""

    figure: str
    heading: str
    format: str = ",.0f"


CPU = (
    Column(figure="server_cpu", heading="server CPU", format=".2f"),
    Column(figure="own_cpu", heading="generator CPU", format=".2f"),
)


@dataclass(frozen=True, kw_only=True)
class Table:
    """The result of one scenario. Rows have a name, their figures, and perhaps the reason why they have none."""

    key: str
    title: str
    columns: Sequence[Column]
    rows: list[dict[str, Any]]
    runs: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    context: dict[str, str] = field(default_factory=dict)

    def figure(self, name: str, figure: str) -> float | None:
        """A figure of a row, or None where it was not measured."""
        return next((row.get(figure) for row in self.rows if row["name"] == name), None)

    def markdown(self) -> str:
        """The table."""
        lines = [
            "| " + " | ".join(("", *(column.heading for column in self.columns))) + " |",
            "| --- |" + " ---: |" * len(self.columns),
        ]
        for row in self.rows:
            cells = [_cell(row, column) for column in self.columns]
            if row.get("reason"):
                cells[-1] = row["reason"]
            lines.append("| " + " | ".join((row["name"], *cells)) + " |")
        return "\n".join(lines)


def _cell(row: Mapping[str, Any], column: Column) -> str:
    value = row.get(column.figure)
    return "–" if value is None else format(value, column.format)


def table(
    key: str,
    title: str,
    columns: Sequence[Column],
    runs: Sequence[Runs],
    ratio: tuple[str, str] | None = None,
) -> Table:
    """A table of runs. ``ratio`` = (figure, row) adds every row's share of that figure in that row as ``ratio``."""
    rows: list[dict[str, Any]] = []
    base = None
    if ratio is not None:
        base = next((item.median.get(ratio[0]) for item in runs if item.name == ratio[1]), None)
    for item in runs:
        row: dict[str, Any] = {"name": item.name, **item.median}
        if ratio is not None and base and ratio[0] in row:
            row["ratio"] = row[ratio[0]] / base
        if item.invalid or not item.runs:
            row["reason"] = item.invalid or f"all {item.dropped} runs were disturbed"
        rows.append(row)
    return Table(
        key=key,
        title=title,
        columns=columns,
        rows=rows,
        runs={item.name: item.runs for item in runs},
    )


# -- keeping -----------------------------------------------------------------------------------------------------------


def folder(*, quick: bool) -> Path:
    """Where results of whole or of quick runs are kept."""
    return BUILD / ("quick" if quick else "results")


def keep(table: Table, into: Path) -> None:
    """Remember a table as the last result of its scenario."""
    context = {
        **machine.describe(),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
    }
    into.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**asdict(table), "context": context}, indent=1)
    (into / f"{table.key}.json").write_text(text + "\n")


def kept(folder: Path) -> dict[str, Table]:
    """The last results by scenario."""
    return {path.stem: _table(json.loads(path.read_text())) for path in folder.glob("*.json")}


def recorded() -> dict[str, Table]:
    """The figures that the documentation shows, by scenario."""
    shown: dict[str, dict[str, Any]] = json.loads(RECORD.read_text())
    return {key: _table(values) for key, values in shown.items()}


def write_record(tables: Mapping[str, Table]) -> None:
    """Make these the figures that the documentation shows."""
    ordered = {key: asdict(tables[key]) for key in sorted(tables)}
    RECORD.write_text(json.dumps(ordered, indent=1) + "\n")


def _table(values: dict[str, Any]) -> Table:
    columns = [Column(**column) for column in values.pop("columns")]
    return Table(columns=columns, **values)
