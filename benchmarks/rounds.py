"""Runs that can be compared: contenders take turns, A B C ... A B C, and what others disturbed is dropped.

The cores may be shared with other work. So every run waits a while for quiet cores, and where a server is meant to be
saturated a run counts only if it got most of its core; it is tried once more before it is dropped. Figures of one
table come from the same rounds, and only those may be divided by each other.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.contender import Contender, Invalid, Measured
from benchmarks.machine import wait_until_quiet

ENOUGH_CPU = 0.80
"""Share of its core below which a server that should be saturated was disturbed."""

Figures = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long and how often to measure."""

    rounds: int = 3
    seconds: float = 1.5
    keep_disturbed: bool = False
    """For a machine that is never quiet: figures are then worth little."""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What one contender reached."""

    name: str
    median: dict[str, float]
    """Of every figure; empty if no run was valid."""
    runs: list[dict[str, float]]
    dropped: int
    invalid: str = ""


def alternate(
    contenders: Sequence[Contender],
    effort: Effort,
    figures: Callable[[Measured], Figures],
    cpu: Callable[[Measured], float] | None = None,
) -> list[Runs]:
    """Check every contender, then measure them in turn. ``cpu`` gives the share that must have been enough."""
    invalid = {contender.name: _check(contender) for contender in contenders}
    kept: dict[str, list[dict[str, float]]] = {contender.name: [] for contender in contenders}
    dropped = dict.fromkeys(kept, 0)
    for number in range(effort.rounds):
        for contender in contenders:
            name = contender.name
            if invalid[name]:
                continue
            _say(f"round {number + 1}/{effort.rounds}  {name}")
            try:
                measured = _undisturbed(contender, None if effort.keep_disturbed else cpu)
            except Invalid as reason:
                invalid[name] = str(reason)
                continue
            if measured is None:
                dropped[name] += 1
            else:
                kept[name].append({**figures(measured), **_cpu_of(measured)})
    _say("")
    return [
        Runs(
            name=name,
            median=_medians(runs),
            runs=runs,
            dropped=dropped[name],
            invalid=invalid[name],
        )
        for name, runs in kept.items()
    ]


def _undisturbed(contender: Contender, cpu: Callable[[Measured], float] | None) -> Measured | None:
    for _ in range(2):
        wait_until_quiet()
        measured = contender.measure()
        if cpu is None or cpu(measured) >= ENOUGH_CPU:
            return measured
    return None


def _check(contender: Contender) -> str:
    """Why a contender is not measured, or ""."""
    if contender.server.missing:
        return contender.server.missing
    _say(f"checking {contender.name}")
    try:
        contender.check()
    except (Invalid, OSError, RuntimeError, TimeoutError) as reason:
        return f"{type(reason).__name__}: {reason}"
    return ""


def _cpu_of(measured: Measured) -> dict[str, float]:
    return {name: float(measured[name]) for name in ("server_cpu", "own_cpu", "closed", "unmade")}


def _medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {
        name: statistics.median(run[name] for run in runs) for name in (runs[0] if runs else ())
    }


def _say(text: str) -> None:
    """Progress, where somebody looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
