"""Rates: how often one client may do something. Ceilings are plain numbers, checked where the counted things live.

They are our own because the publish path, which takes 15 µs in all, asks one for each frame: a `take` costs 0.2 µs here
and 4.1 µs in the moving window of the `limits` package, which counts as strictly (``python -m benchmarks limiter``).
"""

from __future__ import annotations

import ipaddress
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
        """Take one; raises `LimitExceeded`, which says when to come back, and takes none when there is none to take."""
        if not self._count:
            return
        taken = self._taken
        if len(taken) == self._count and now - taken[0] < self._seconds:
            raise LimitExceeded(
                f"{self._count} {self._what} in {self._seconds:g} s, no more",
                retry_after=taken[0] + self._seconds - now,
            )
        taken.append(now)

    def idle(self, now: float) -> bool:
        """Whether all that was taken is too long ago to count."""
        return not self._taken or now - self._taken[-1] >= self._seconds


class Rates:
    """A `Rate` for each of those who ask; of more than ``most``, who has not asked for longest begins anew.

    Whoever has been idle is forgotten, so that it holds no more than what was taken in the last ``seconds``.
    """

    def __init__(self, count: int, what: str, most: int = 10_000, seconds: float = 1.0) -> None:
        self._count = count
        self._what = what
        self._most = most
        self._seconds = seconds
        self._rates: OrderedDict[str, Rate] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rates)

    def take(self, who: str, now: float, count: int | None = None) -> None:
        """Take one for ``who``, who may have a ``count`` of its own; raises `LimitExceeded` as `Rate` does."""
        most = self._count if count is None else count
        if not most:
            return
        rate = self._rates.pop(who, None) or Rate(most, self._what, self._seconds)
        self._rates[who] = rate  # the last to ask stands last
        self._forget(now)
        rate.take(now)

    def _forget(self, now: float) -> None:
        """Let go of two at most: each take adds one at most, so this keeps up and never takes long."""
        for _ in range(2):
            who, rate = next(iter(self._rates.items()))
            alone = len(self._rates) == 1  # it is the one that asks
            if alone or (len(self._rates) <= self._most and not rate.idle(now)):
                return
            del self._rates[who]


def source(host: str) -> str:
    """Whom an address stands for: itself, or of IPv6 the /64, all of which one household has.

    >>> source("203.0.113.7"), source("2001:db8:1:2:3:4:5:6"), source("::ffff:203.0.113.7"), source("testclient")
    ('203.0.113.7', '2001:db8:1:2::', '203.0.113.7', 'testclient')
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a Unix socket has none
        return host
    if not isinstance(address, ipaddress.IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(address) >> 64 << 64))
