"""What `simulate` shows: a bar while it runs, and what it found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from leaderboard.latency import Spread
from leaderboard.simulate import Report, Simulation

TICK = 0.2
"""Seconds between two looks at a running simulation."""
LATE_MS = 50
"""Milliseconds behind its time beyond which a crowd says so: half of what conflation adds anyway."""


@asynccontextmanager
async def progress(console: Console, simulation: Simulation) -> AsyncIterator[None]:
    """A bar that tells how far a simulation is; nothing where nobody looks."""
    if not console.is_terminal:
        yield
        return
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(None),
        TimeRemainingColumn(compact=True),
        console=console,
        auto_refresh=False,
        transient=True,
        expand=True,
    )
    with bar:
        ticker = asyncio.create_task(_tick(bar, simulation), name="progress bar")
        try:
            yield
        finally:
            ticker.cancel()
            await asyncio.gather(ticker, return_exceptions=True)


async def _tick(bar: Progress, simulation: Simulation) -> None:
    task = bar.add_task("", total=simulation.plan.rate * simulation.plan.seconds)
    while True:
        failed = simulation.failures.total()
        told = f"{simulation.answered:,} scores" + (f", {failed:,} failed" if failed else "")
        bar.update(task, completed=simulation.sent, description=told, refresh=True)
        await asyncio.sleep(TICK)


def figures(report: Report) -> RenderableType:
    """What a simulation found, for people."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("milliseconds")
    for heading in ("p50", "p95", "p99", "max"):
        table.add_column(heading, justify="right", min_width=8)
    table.add_row("publish to snapshot", *_spread(report.publish_to_snapshot_ms), style="bold")
    table.add_row("publish to answer", *_spread(report.publish_to_answer_ms))

    facts = Table.grid(padding=(0, 2, 0, 0))
    crowd = f"{report.players:,} players over {report.connections:,} connections"
    facts.add_row("crowd", f"{crowd}, {report.mode}, seed {report.seed}")
    behind = report.sent < report.offered
    rate = f"{report.achieved_per_second:,.1f}/s answered of {report.offered_per_second:,.1f}/s offered"
    facts.add_row("rate", Text(rate, "yellow" if behind else ""))
    if report.behind_ms > LATE_MS:
        late = f"by up to {report.behind_ms:,.0f} ms: this machine, or the server, is at its limit"
        facts.add_row("late", Text(late, "yellow"))
    lost = report.failed + report.unanswered
    scores = (
        f"{report.answered:,} answered, {report.failed:,} failed, {report.unanswered:,} unanswered"
    )
    scores += f", {report.offered - report.sent:,} not sent" if behind else ""
    facts.add_row("scores", Text(scores, "red" if lost else ""))
    for kind, count in report.failures.items():
        facts.add_row("", Text(f"{count:,} × {kind}", "red"))
    facts.add_row("snapshots", f"{report.snapshots:,} seen by a subscriber")
    if report.watchers > 1:
        facts.add_row("", f"{report.snapshots_all:,} by all {report.watchers:,}")
    if report.not_shown:
        facts.add_row("", Text(f"{report.not_shown:,} scores were never shown", "red"))
    facts.columns[0].style = "dim"
    return Group(table, Text(), facts)


def _spread(spread: Spread) -> list[str]:
    values = (spread.p50, spread.p95, spread.p99, spread.max)
    return ["–" if value is None else f"{value:,.1f}" for value in values]
