"""A referee for boards that sum up: nobody gains more points in a second than a person can.

Scores come in bursts, so a player may save up the points of a few seconds. What is beyond is that event's failure, and
costs nothing. A plain function: it must be quick, and it is, since all that it knows is in memory.
"""

import time
from collections import OrderedDict

from leaderboard.handlers import Context, Event

MOST = 50.0
"""Points a second."""
SAVED = 3.0
"""Seconds whose points can be saved up."""
PLAYERS = 100_000
"""Players to remember; of more, those that have not scored for longest begin anew."""

purses: OrderedDict[tuple[str, str | None], tuple[float, float]] = OrderedDict()
"""What each player of each board may gain, as of a moment."""


def on_publish(ctx: Context) -> list[Event]:
    """Let pass what can be true."""
    for event in ctx.events:
        match event.payload:
            case {"score": int() | float() as gain} if gain > 0:
                # One that is sent again pays again: it is rare, and what is free would soon be made use of.
                if not _pay((ctx.channel, event.player), gain, time.monotonic()):
                    event.error = f"nobody gains more than {MOST:g} points a second"
    return ctx.events  # whatever else they are, the board knows what to make of them


def _pay(row: tuple[str, str | None], gain: float, now: float) -> bool:
    points, at = purses.pop(row, (MOST * SAVED, now))
    points = min(points + (now - at) * MOST, MOST * SAVED)
    paid = gain <= points
    purses[row] = (points - gain if paid else points, now)
    if len(purses) > PLAYERS:
        purses.popitem(last=False)
    return paid
