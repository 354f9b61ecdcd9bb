"""Two pictures drawn from the figures, as SVG that reads on a light page and on a dark one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from html import escape

from benchmarks import scenarios
from benchmarks.results import Table

WIDTH = 760
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .note { fill: #59636e }
  .end { text-anchor: end }
  .middle { text-anchor: middle }
  .ours { fill: #1a7f64 } text.ours { font-weight: 600 }
  .other { fill: #8c959f }
  .grid { stroke: #d1d9e0 }
  .line { fill: none; stroke: #8c959f; stroke-width: 2 } .line.ours { stroke: #1a7f64; stroke-width: 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .note { fill: #9198a1 }
    .ours { fill: #3fbf9b }
    .other { fill: #656c76 }
    .grid { stroke: #3d444d }
    .line { stroke: #656c76 } .line.ours { fill: none; stroke: #3fbf9b }
  }
"""

Point = tuple[float, float]


def charts(tables: Mapping[str, Table]) -> dict[str, str]:
    """Pictures by file name, those for which there are figures."""
    pictures: dict[str, str] = {}
    if "fan-out-1000" in tables:
        pictures["fan-out.svg"] = fan_out(tables["fan-out-1000"])
    crowds = sorted(
        (row["offered"] / scenarios.RATE, table)
        for key, table in tables.items()
        if key.startswith("latency-") and key.endswith(f"x{scenarios.RATE}")
        for row in table.rows[:1]
        if "offered" in row
    )
    if len(crowds) > 1:
        pictures["publishers.svg"] = publishers(crowds)
    return pictures


def fan_out(table: Table) -> str:
    """Bars: deliveries of one core in a second, by server."""
    rows = sorted(
        (row for row in table.rows if "per_cpu_second" in row),
        key=lambda row: -float(row["per_cpu_second"]),
    )
    most = float(rows[0]["per_cpu_second"])
    left, top, step, room = 226, 66, 28, WIDTH - 226 - 76
    parts = [
        _text(16, 28, "Deliveries per second of one core", "title"),
        _text(16, 48, table.title, "note"),
    ]
    for place, row in enumerate(rows):
        y = top + place * step
        rate = float(row["per_cpu_second"])
        kind = "ours" if row["name"].startswith(scenarios.OURS) else "other"
        length = max(room * rate / most, 1)
        bold = "end ours" if kind == "ours" else "end"
        parts += [
            _text(left - 10, y + 15, row["name"], bold),
            f'<rect class="{kind}" x="{left}" y="{y}" width="{length:.1f}" height="20" rx="3"/>',
            _text(left + length + 8, y + 15, f"{rate:,.0f}"),
        ]
    return _svg(top + len(rows) * step + 8, parts, "Deliveries per second of one core, by server")


def publishers(crowds: list[tuple[float, Table]]) -> str:
    """Lines: the age of what a snapshot shows, against the number of publishers."""
    names = [row["name"] for row in crowds[0][1].rows]
    lines = {
        name: [(count, p99) for count, table in crowds if (p99 := table.figure(name, "p99"))]
        for name in names
    }
    lines = {name: points for name, points in lines.items() if points}
    left, right, top, bottom = 70, WIDTH - 220, 80, 340
    ages = [age for points in lines.values() for _, age in points]
    low, high = 10.0 ** math.floor(math.log10(min(ages))), 10.0 ** math.ceil(math.log10(max(ages)))
    counts = [count for count, _ in crowds]

    def place(point: Point) -> Point:
        across = math.log(point[0] / counts[0]) / math.log(counts[-1] / counts[0])
        up = math.log(point[1] / low) / math.log(high / low)
        return left + across * (right - left), bottom - up * (bottom - top)

    parts = [
        _text(16, 28, "From publish to snapshot, whatever the number of publishers", "title"),
        _text(16, 48, "Age of the oldest publish that a snapshot first shows, p99; 200 subscribers, "
              f"each publisher {scenarios.RATE}/s", "note"),
    ]  # fmt: skip
    for exponent in range(round(math.log10(low)), round(math.log10(high)) + 1):
        y = place((counts[0], 10.0**exponent))[1]
        label = f"{10**exponent:,} ms" if exponent < 3 else f"{10 ** (exponent - 3):,} s"
        parts += [
            f'<path class="grid" d="M{left} {y:.1f}H{right}"/>',
            _text(left - 8, y + 4, label, "end note"),
        ]
    parts += [_text(place((n, low))[0], bottom + 22, f"{n:g}", "middle note") for n in counts]
    parts.append(_text((left + right) / 2, bottom + 44, "publishers", "middle note"))
    for name, points in lines.items():
        kind = "ours" if name.startswith(scenarios.OURS) else ""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in map(place, points))
        parts.append(f'<path class="line {kind}" d="M{path}"/>')
    parts += _labels({name: place(points[-1]) for name, points in lines.items()})
    return _svg(bottom + 60, parts, "Age of what a snapshot shows, by number of publishers")


def _labels(ends: Mapping[str, Point]) -> Iterable[str]:
    """The name of each line beside its end, moved down where two would meet."""
    free = 0.0
    for name, (x, y) in sorted(ends.items(), key=lambda item: item[1][1]):
        free = max(y + 4, free)
        yield _text(x + 10, free, name, "ours" if name.startswith(scenarios.OURS) else "")
        free += 18


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{attribute}>{escape(text)}</text>'


def _svg(height: float, parts: Iterable[str], label: str) -> str:
    body = "\n".join(f"  {part}" for part in parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        f'width="{WIDTH}" height="{height:g}" role="img" aria-label="{escape(label)}">\n'
        f"  <style>{STYLE}  </style>\n{body}\n</svg>\n"
    )
