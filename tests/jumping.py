"""`leaderboard` in a process whose wall clock jumps: ``python -m tests.jumping FILE serve``; the file says how far, in
seconds, and may be written anew at any time."""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main() -> None:
    """Set the clock first, so that whatever is imported has this one."""
    jump, real = Path(sys.argv.pop(1)), time.time
    time.time = lambda: real() + float(jump.read_text())
    from leaderboard.cli import main

    main()


if __name__ == "__main__":
    main()
