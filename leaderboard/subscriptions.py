"""What a program holds while it watches a channel: the newest snapshot of a board, or events in their order.

A subscription belongs to a client, which asks the server for it on every new connection and hands it what comes in; the
program reads it. It holds as little as it can: of each board one snapshot, of events as many as it was told to.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import msgspec
from msgspec import Struct

from leaderboard import channels
from leaderboard.link import ClientError

T = TypeVar("T")


class Closed(ClientError):
    """The client was closed."""


class Overflow(ClientError):
    """More events were waiting than were to be kept: those after the last one read are lost."""


class Row(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a ranking.

    Equal scores may share a ``rank``; ``position`` is the ordinal place. ``percentile``, the share (0 to 1) of entries
    that are strictly worse, comes in the rows of ``around`` and ``of``.
    """

    rank: int
    position: int
    player: str
    score: int | float
    name: str | None = None
    meta: dict[str, Any] | None = None
    percentile: float | None = None


class Round(Struct, frozen=True, kw_only=True):
    """Which game is on: ``state`` is ``closed``, ``soon`` or ``open``. While the board is ``frozen`` everybody sees it
    as it was; while it is revealed, so many places at the top are still ``hidden``."""

    number: int
    state: str
    frozen: bool
    props: dict[str, Any] = {}
    hidden: int = 0


class Snapshot(Struct, frozen=True, kw_only=True, tag="snapshot", tag_field="type"):
    """A board through a view at one version. Lists that the view did not ask for are empty.

    ``epoch`` names the board's life ("" while there is none); ``total`` counts its entries, ``watching`` the
    connections that look at it, ``playing`` the entries that were active in the last minute, ``skipped`` the snapshots
    passed over since the last one seen. ``reset`` says that what was seen before belongs to another life of the board.
    ``time`` is milliseconds since 1970 when it was sent, and then it was so long until the round begins and ends.
    ``stale`` says that the server cannot reach the board, and that this was seen last.
    """

    channel: str
    epoch: str
    version: int
    round: Round
    total: int
    time: int = 0
    watching: int = 0
    playing: int = 0
    starts_in_ms: int | None = None
    ends_in_ms: int | None = None
    stale: bool = False
    rows: tuple[Row, ...] = ()
    around: tuple[Row, ...] = ()
    of: tuple[Row, ...] = ()
    reset: bool = False
    skipped: int = 0


_snapshot = msgspec.json.Decoder(Snapshot)


@dataclass(frozen=True, slots=True)
class Source:
    """The client, as its subscriptions know it."""

    ask: Callable[[Subscription[Any]], None]
    """Ask the server for a subscription, now and on every new connection."""
    drop: Callable[[Subscription[Any]], None]
    """Ask for it no more."""


class Subscription(ABC, Generic[T]):
    """What a program holds while it wants to see a channel: ``async with`` it, and read it in one ``async for``.

    Entering raises `Refused` if the server does not allow it, and so does reading if it ever changes its mind for good;
    what may pass is asked for again. The loop ends when the client is closed.
    """

    def __init__(self, source: Source, channel: str) -> None:
        self.channel = channel
        self.id = ""
        self._source = source
        self._filled = asyncio.Event()
        self._begun: asyncio.Future[None]
        self.attempt = 0
        """How often it was refused for now, since the server agreed last."""
        self._again: asyncio.TimerHandle | None = None
        self._ended = False
        self._error: BaseException | None = None

    async def __aenter__(self) -> Self:
        self._begun = asyncio.get_running_loop().create_future()
        self._source.ask(self)
        try:
            await self._begun
        except BaseException:
            self._source.drop(self)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._source.drop(self)
        self.end(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._holds():
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._filled.clear()
            await self._filled.wait()
        return self._next()

    @property
    def begun(self) -> bool:
        """Whether the server has ever agreed."""
        return self._begun.done()

    def wait(self, again: asyncio.TimerHandle) -> None:
        """It was refused for now, and will be asked for again."""
        self.attempt += 1
        self._again = again

    def calm(self) -> None:
        """It is not to be asked for again, or not by itself."""
        if self._again is not None:
            self._again.cancel()

    def agreed(self) -> None:
        """The server has agreed."""
        self.attempt = 0
        if not self._begun.done():
            self._begun.set_result(None)

    def end(self, error: BaseException | None) -> None:
        """Nothing more comes; what has come can still be read."""
        self.calm()
        self._ended = True
        self._error = self._error or error
        self._filled.set()
        if not self._begun.done():
            self._begun.set_exception(error or Closed("the client is closed"))

    @abstractmethod
    def view(self) -> object:
        """What to ask the server for now."""

    @abstractmethod
    def take(self, event: str) -> None:
        """An event came in."""

    @abstractmethod
    def _holds(self) -> bool:
        """Whether something waits for the reader."""

    @abstractmethod
    def _next(self) -> T:
        """Take out what the reader gets next."""


class Snapshots(Subscription[Snapshot]):
    """A board's snapshots: always the newest, and never one that is older than the last."""

    def __init__(self, source: Source, channel: str, view: Mapping[str, object]) -> None:
        super().__init__(source, channel)
        self._view = view
        self._newest: dict[str, Snapshot] = {}
        """By channel, since a wildcard has several; the longest waiting first."""
        self._seen: dict[str, tuple[str, int]] = {}
        """Epoch and version of the last snapshot of each board that was there."""

    def view(self) -> object:
        """What was asked for. A server that is told what is known can tell whether it is another life of the board."""
        if channels.is_wildcard(self.channel) or not self._seen:
            return self._view
        epoch, version = next(iter(self._seen.values()))
        return {**self._view, "since": f"{epoch}.{version}"}

    def take(self, event: str) -> None:
        snapshot = _snapshot.decode(event)
        channel = snapshot.channel
        epoch, version = self._seen.get(channel, ("", 0))
        if snapshot.epoch == epoch and snapshot.version < version:
            return
        waiting = self._newest.get(channel)
        # The server forgets a wildcard's boards with the connection; and what is passed over must not be lost.
        reset = snapshot.reset or epoch not in ("", snapshot.epoch)
        skipped = snapshot.skipped
        if waiting is not None:
            reset, skipped = reset or waiting.reset, skipped + waiting.skipped + 1
        if (reset, skipped) != (snapshot.reset, snapshot.skipped):
            snapshot = msgspec.structs.replace(snapshot, reset=reset, skipped=skipped)
        if snapshot.epoch:
            self._seen[channel] = (snapshot.epoch, snapshot.version)
        self._newest[channel] = snapshot
        self._filled.set()

    def _holds(self) -> bool:
        return bool(self._newest)

    def _next(self) -> Snapshot:
        return self._newest.pop(next(iter(self._newest)))


class Events(Subscription[Any]):
    """Events as they were published, in order."""

    def __init__(self, source: Source, channel: str, keep: int) -> None:
        super().__init__(source, channel)
        self._keep = keep
        self._waiting: deque[Any] = deque()

    def view(self) -> object:
        return "events"

    def take(self, event: str) -> None:
        if len(self._waiting) < self._keep:
            self._waiting.append(msgspec.json.decode(event))
            self._filled.set()
        else:
            self._source.drop(self)
            self.end(Overflow(f"more than {self._keep} events of {self.channel} were waiting"))

    def _holds(self) -> bool:
        return bool(self._waiting)

    def _next(self) -> Any:
        return self._waiting.popleft()
