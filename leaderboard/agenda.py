"""When to look at which audience: one timer for each moment at which any is due, and an alarm for each board that the
clock will change.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from leaderboard.audience import Audience


class Agenda:
    """The timers of one loop. ``look`` is told an audience and the moment at which it was due, ``rouse`` the channel of
    a board that the clock has changed."""

    def __init__(
        self, look: Callable[[Audience, float], None], rouse: Callable[[str], None]
    ) -> None:
        self._look = look
        self._rouse = rouse
        self._loop: asyncio.AbstractEventLoop
        self._moments: dict[float, list[Audience]] = {}
        self._alarms: dict[str, asyncio.TimerHandle] = {}

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Count in the time of this loop."""
        self._loop = loop

    @property
    def first(self) -> float:
        """The first moment at which any is due; infinity if none is."""
        return min(self._moments, default=math.inf)

    def plan(self, audience: Audience) -> None:
        """See to it that the audience is looked at when the first of it is due."""
        if audience.passing:
            return  # the end of the pass plans the next: under load the interval stretches
        when = audience.next()
        if when is None or (audience.planned is not None and audience.planned <= when):
            return
        audience.planned = when
        if when in self._moments:
            self._moments[when].append(audience)
            return
        self._moments[when] = [audience]
        if when <= self._loop.time():
            self._loop.call_soon(self._beat, when)  # behind the replies of what is being handled
        else:
            self._loop.call_at(when, self._beat, when)

    def _beat(self, when: float) -> None:
        for audience in self._moments.pop(when):
            if audience.planned == when:
                audience.planned = None
                self._look(audience, when)

    def set_alarm(self, channel: str, when: float) -> None:
        """Look at a board again when the clock changes it. A wake-up, no more: who looks first settles it."""
        alarm = self._alarms.get(channel)
        if alarm is not None:
            if alarm.when() == when:
                return
            alarm.cancel()
            del self._alarms[channel]
        if when != math.inf:
            self._alarms[channel] = self._loop.call_at(when, self._ring, channel)

    def _ring(self, channel: str) -> None:
        del self._alarms[channel]
        self._rouse(channel)
