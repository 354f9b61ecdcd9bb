"""Rates that several processes share: what this one may let pass without asking, and what it asks for.

`limits` counts what passes here. Of a rate that all share, each process lets an eighth of its share pass by itself, so
that whoever is slow costs nothing; the rest is leased from the engine, more at a time while much is left and singly
when little is (guided self-scheduling: Polychronopoulos and Kuck, 1987). Whoever waits for the same lease is served by
it in turn. So the rate is kept to within an eighth, and a client of one process alone gets all of it.

While the engine cannot be reached each process counts for itself: what is published then fails for another reason.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from leaderboard.engines import Engine, Lease
from leaderboard.errors import LimitExceeded, Refusal
from leaderboard.limits import Rates

LAPSE = 0.1
"""Part of the seconds of a rate after which what was leased and not taken is good no more: others may need it."""

Done = Callable[[Refusal | None], None]


class _Account:
    """What is left of the last lease of a name, and who waits for the next."""

    __slots__ = ("good_until", "left", "waiting")

    def __init__(self) -> None:
        self.left = 0
        self.good_until = 0.0
        self.waiting: deque[Done] = deque()


class Allowances:
    """The rates of one kind, ``what``, by the names of those who have one. ``clock`` tells seconds."""

    def __init__(
        self, engine: Engine, what: str, clock: Callable[[], float], seconds: float = 1.0
    ) -> None:
        self._engine = engine
        self._what = what
        self._clock = clock
        self._seconds = seconds
        self._free = Rates(0, what, seconds=seconds)
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def __len__(self) -> int:
        return len(self._accounts)

    @property
    def alone(self) -> bool:
        """Whether nobody shares the rates with this process."""
        return self._engine.processes == 1

    def take(self, name: str, most: int, now: float) -> bool:
        """Take one of a name's rate, ``most`` in any ``seconds``; if false, `ask` has to be asked for it."""
        free = self._free_of(most)
        if free:
            try:
                self._free.take(f"{free} {name}", now, free)
            except LimitExceeded:
                pass
            else:
                return True
        account = self._accounts.get(name)
        if account is None or not account.left or account.waiting or account.good_until <= now:
            return False
        account.left -= 1
        return True

    def ask(self, name: str, most: int, done: Done) -> None:
        """Take one from the engine; ``done`` runs once, perhaps later, with a refusal if there is none."""
        account = self._accounts.pop(name, None) or _Account()
        self._accounts[name] = account  # the last to ask stands last
        account.waiting.append(done)
        if len(account.waiting) == 1:
            self._lease(name, most, account)
        self._forget()

    def _free_of(self, most: int) -> int:
        return most // (8 * self._engine.processes)

    def _lease(self, name: str, most: int, account: _Account) -> None:
        def leased(lease: Lease | Refusal) -> None:
            waiting = account.waiting
            if isinstance(lease, Refusal) or not lease.count:
                refusal = None if isinstance(lease, Refusal) else self._refusal(most, lease.wait)
                account.waiting = deque()
                for done in waiting:
                    done(refusal)
                return
            account.left = lease.count
            account.good_until = self._clock() + LAPSE * self._seconds
            served = [waiting.popleft() for _ in range(min(account.left, len(waiting)))]
            account.left -= len(served)
            if waiting:
                self._lease(name, most, account)
            for done in served:
                done(None)

        pool = max(1, most - self._free_of(most))
        self._engine.lease(
            f"{self._what} {name}", pool, len(account.waiting), self._seconds, leased
        )

    def _refusal(self, most: int, wait: float) -> LimitExceeded:
        return LimitExceeded(
            f"{most} {self._what} in {self._seconds:g} s, no more", retry_after=wait
        )

    def _forget(self) -> None:
        """Let go of two at most that nothing is left of: each `ask` adds one at most."""
        now = self._clock()
        for _ in range(2):
            name, account = next(iter(self._accounts.items()))
            if account.waiting or account.good_until > now or len(self._accounts) == 1:
                return
            del self._accounts[name]
