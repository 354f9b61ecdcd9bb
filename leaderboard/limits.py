"""Rates: how often one client may do something. Ceilings are plain numbers, checked where the counted things live."""

from __future__ import annotations

from collections import OrderedDict, deque

from leaderboard.errors import LimitExceeded


class Rate:
    """At most ``count`` takes in any ``seconds``, whenever that second begins; 0 = no limit.

    It remembers when the last ``count`` were taken rather than filling a bucket, because AppSync's quota is a number
    per second: a bucket of 25 that refills would let 49 through in one.
    """

    __slots__ = ("_count", "_seconds", "_taken", "_what")

    def __init__(self, count: int, what: str, seconds: float = 1.0) -> None:
        self._count = count
        self._seconds = seconds
        self._what = what
        self._taken: deque[float] = deque(maxlen=count or None)

    def take(self, now: float) -> None:
        """Take one; raises `LimitExceeded`, and takes none, when there is none to take."""
        if not self._count:
            return
        taken = self._taken
        if len(taken) == self._count and now - taken[0] < self._seconds:
            raise LimitExceeded(f"{self._count} {self._what} in {self._seconds:g} s, no more")
        taken.append(now)


class Rates:
    """A `Rate` for each of those who ask; of more than ``most``, who has not asked for longest begins anew."""

    def __init__(self, count: int, what: str, most: int = 10_000) -> None:
        self._count = count
        self._what = what
        self._most = most
        self._rates: OrderedDict[str, Rate] = OrderedDict()

    def take(self, who: str, now: float) -> None:
        """Take one for ``who``; raises `LimitExceeded` as `Rate` does."""
        rate = self._rates.pop(who, None) or Rate(self._count, self._what)
        self._rates[who] = rate
        if len(self._rates) > self._most:
            self._rates.popitem(last=False)
        rate.take(now)
