"""Where boards live: the interface that every engine fulfils, and the choice of one by URL.

One code path serves them all, so **no engine call awaits**: it takes a callback, ``done``, which runs exactly once, on
the loop's thread, possibly before the call returns. The memory engine always answers before it returns; a distributed
one when it knows.

Guarantees: applies of one process to one board happen in the order of the calls; a read sees every apply called before
it; answers for different boards may swap.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Raw, Struct

from leaderboard.board import NO_PROPS, Applied
from leaderboard.errors import Refusal
from leaderboard.events import Event
from leaderboard.people import Person
from leaderboard.ranking import View, Window
from leaderboard.rounds import Round
from leaderboard.settings import Limits, Namespace

T = TypeVar("T")


class Batch(Struct, frozen=True, gc=False):
    """The events of one publish that are to be applied to the board of a channel.

    ``texts`` are the events as they came, for those who subscribe to the raw ones; empty where nobody may.
    ``ranked`` asks for the rank of each event's player after the last of them.
    """

    channel: str
    rules: Namespace
    events: Sequence[Event]
    texts: Sequence[str] = ()
    ranked: bool = False


class Outcome(Struct, frozen=True, gc=False):
    """What became of a batch: per event, in order, what it did or why not; and where the board stands.

    While it is ``frozen`` a host alone may know where an event left its player.
    """

    events: Sequence[Applied | Refusal]
    version: int
    frozen: bool = False
    ranks: Sequence[int | None] = ()


class Reading(Struct, frozen=True, kw_only=True):
    """A board through several views at one (epoch, version, now). An absent board has epoch "" and version 0.

    Times are seconds since 1970 on the engine's clock: ``now``, and ``due``, when the clock changes the board next.
    ``windows`` lacks a view of a past round that is not kept. ``props`` is the JSON that everybody may see. While the
    board is revealed, ``veiled`` places at the top are not shown yet; ``playing`` counts who was active in the last
    minute, ``elsewhere`` the connections of other processes that watch it.
    """

    channel: str
    epoch: str
    version: int
    now: float
    windows: Mapping[View, Window]
    round: Round = Round()
    frozen: bool = False
    veiled: int = 0
    props: Raw = NO_PROPS
    playing: int = 0
    elsewhere: int = 0
    due: float = math.inf


class Running(Struct, frozen=True, kw_only=True):
    """A board that lives, without its rows: the version and the entries that everybody sees."""

    channel: str
    epoch: str
    version: int
    total: int


class Lease(Struct, frozen=True, gc=False):
    """So many of a rate that all processes share; none: there will be some after ``wait`` seconds."""

    count: int
    wait: float = 0.0


class CannotOpen(Exception):
    """The engine cannot be used; the text says why, and what to do where that is known."""


class Engine(ABC):
    """Boards by channel. ``start`` and ``stop`` alone are async; the callbacks are set before ``start``."""

    changed: Callable[[str], None]
    """The board of a channel is not what it was. May come often; the receiver conflates."""
    relayed: Callable[[str, Sequence[str], bool], None]
    """Events to deliver as they came, on a relay channel or to those who watch a board's raw events; if true, only to
    hosts."""
    revoked: Callable[[str, float], None]
    """A token (its id, and when it would end at the latest) is not good any more. Told of each that is in force, also
    of those that were revoked before the start."""

    watched: Callable[[str, int], None]
    """So many connections of other processes now watch a board that is watched here too."""
    processes: int
    """Processes that share the boards, this one included, as far as is known."""
    health: Callable[[bool], None]
    """Some boards cannot be reached; or all of them can again, and any may have changed meanwhile."""

    def __init__(self) -> None:
        self.processes = 1
        self.changed = self.relayed = self.revoked = self.watched = self.health = _ignore

    @abstractmethod
    async def start(self) -> None:
        """Get ready, or raise `CannotOpen`."""

    @abstractmethod
    async def stop(self) -> None:
        """Let go of everything; boards may be gone afterwards."""

    @abstractmethod
    def apply(self, batch: Batch, done: Callable[[Outcome | Refusal], None]) -> None:
        """Apply a batch as one step, nothing in between. A `Refusal` as the answer means: nothing was applied."""

    @abstractmethod
    def read(
        self,
        channel: str,
        rules: Namespace,
        views: Sequence[View],
        floor: tuple[str, int],
        done: Callable[[Reading | Refusal], None],
    ) -> None:
        """Read a board through views. ``floor`` is the highest (epoch, version) that this process has shown or
        acknowledged; within an epoch no reading is older."""

    @abstractmethod
    def relay(
        self, channel: str, events: Sequence[str], done: Callable[[Refusal | None], None]
    ) -> None:
        """Deliver events to all subscribers of a channel, in one order for all."""

    @abstractmethod
    def people(
        self, channel: str, prefix: str, limit: int, done: Callable[[list[Person] | Refusal], None]
    ) -> None:
        """Players whose name or id begins like ``prefix``, whatever its case, at most ``limit``: of the first 10,000
        entries in the order in which they came, then by id those who are hidden or banned and not there. Where
        there are more, a distributed engine looks at any 10,000."""

    @abstractmethod
    def find(
        self,
        pattern: str,
        after: str,
        limit: int,
        done: Callable[[list[Running] | Refusal], None],
    ) -> None:
        """Boards that a credential pattern covers, by path, from behind ``after`` on; at most ``limit``."""

    @abstractmethod
    def watch(self, channel: str, connections: int) -> None:
        """So many connections of this process now subscribe to exactly this channel; 0 = none any more."""

    @abstractmethod
    def revoke(self, token_id: str, until: float, done: Callable[[Refusal | None], None]) -> None:
        """Tell every process that a token is not good any more; to be remembered ``until`` it would have ended."""

    @abstractmethod
    def lease(
        self,
        name: str,
        most: int,
        wanted: int,
        seconds: float,
        done: Callable[[Lease | Refusal], None],
    ) -> None:
        """Some of the rate of a name, ``most`` in any ``seconds`` by all processes: as many as are ``wanted``, or more
        where many are left, or fewer."""

    @abstractmethod
    def lead(self, name: str, seconds: float, done: Callable[[bool | Refusal], None]) -> None:
        """Whether it is this process that does, for the next ``seconds``, what a name stands for, and no other does; it
        asks again before they are over. 0 = it need not be done any more."""

    @abstractmethod
    def unled(self, done: Callable[[list[str] | Refusal], None]) -> None:
        """Names whose leader did not ask again: whoever hears of them may ask for them."""

    @abstractmethod
    def keep(
        self,
        text_id: str,
        text: str | None,
        ends: float,
        most: int,
        done: Callable[[bool | Refusal], None],
    ) -> None:
        """Keep a text for all processes until it ``ends``, None = no longer. False where ``most`` are kept already."""

    @abstractmethod
    def kept(self, done: Callable[[list[str] | Refusal], None]) -> None:
        """All texts that are kept, in any order."""

    def reaches(self, channel: str) -> bool:
        """Whether a board can be reached now; what is known of one that cannot is stale."""
        return True


async def answer_of(ask: Callable[[Callable[[T], None]], None]) -> T:
    """What is told to ``done``, for those who may wait for it."""
    answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def done(value: T) -> None:
        if not answer.done():  # whoever asked may have gone
            answer.set_result(value)

    ask(done)
    return await answer


def open_engine(
    url: str, limits: Limits, namespaces: Mapping[str, Namespace] | None = None
) -> Engine:
    """The engine that a URL names; its driver is imported only here. Processes on one compare their ``namespaces``."""
    scheme = url.partition("://")[0]
    if scheme == "memory":
        from leaderboard.engines.memory import MemoryEngine

        return MemoryEngine(limits)
    if scheme.partition("+")[0] in ("redis", "rediss"):
        try:
            from leaderboard.engines.redis import RedisEngine
        except ModuleNotFoundError as error:
            if error.name != "redis":
                raise
            raise ValueError(
                "Redis needs its driver: pip install 'live-leaderboard[redis]'"
            ) from None
        return RedisEngine(url, limits, namespaces=namespaces)
    raise ValueError(f"no engine for {scheme}://")


def _ignore(*_: Any) -> None:
    """Nobody listens yet."""
