"""What stands above the figures of a long run, so that they can be written down: what was run, where and when."""

from __future__ import annotations

import datetime as dt
import sys

from benchmarks import machine


def heading(module: str) -> str:
    """The command, the machine and the day, in a line."""
    command = " ".join(("python -m", module, *sys.argv[1:]))
    here = machine.describe()
    day = dt.datetime.now(dt.UTC).date().isoformat()
    return f"`{command}`: {day}, {here['machine']}, {here['system']}, Python {here['python']}"
