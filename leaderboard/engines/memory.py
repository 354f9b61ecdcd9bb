"""Boards in this process: a sorted mapping of channel to board, and a sweep that ends idle ones.

Every call is answered before it returns. The clock is the wall clock at the start plus monotonic time, so a step of the
system's clock neither ends a board nor moves a deadline.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import secrets
import time
from collections.abc import Callable, Sequence
from operator import itemgetter

from sortedcontainers import SortedDict

from leaderboard import channels
from leaderboard.board import Applied, Board
from leaderboard.engines import Batch, Engine, Lease, Outcome, Reading, Running
from leaderboard.errors import LimitExceeded, Refusal
from leaderboard.people import Person
from leaderboard.ranking import View
from leaderboard.settings import Limits, Namespace

log = logging.getLogger(__name__)

SWEEP = 5.0
"""Seconds between sweeps: an idle board's memory is kept at most so long beyond its end."""


class _Held:
    """A board and what decides how long it lives."""

    __slots__ = ("board", "end", "life", "size")

    def __init__(self, board: Board) -> None:
        self.board = board
        self.size = 0
        """Its entries, as they are counted in the engine's."""
        self.life = board.rules.idle_ttl
        """Seconds that it lives on after it was used; for ever while it is watched."""
        self.end = 0.0
        """The moment at which its time is over."""

    def use(self, now: float) -> None:
        """It lives on from now, and never ends before its round has begun and ended."""
        round = self.board.round
        self.end = max(now + self.life, round.ends_at or round.starts_at or 0.0)


class MemoryEngine(Engine):
    """The embedded engine. ``clock`` (seconds since 1970) may be given by tests."""

    def __init__(self, limits: Limits, clock: Callable[[], float] | None = None) -> None:
        super().__init__()
        self._capacity = limits.entries
        self._most_boards = limits.channels
        self._clock = clock or _steady_wall_clock()
        self._boards: SortedDict[str, _Held] = SortedDict()
        self._watched: set[str] = set()
        self._entries = 0
        self._first_end = math.inf
        """No board ends before: so a sweep may be asked for by every publish that finds no room."""
        self._sweeper: asyncio.Task[None] | None = None
        self._texts: dict[str, tuple[str, float]] = {}

    async def start(self) -> None:
        self._sweeper = asyncio.create_task(self._sweep(), name="memory engine's sweep")

    async def stop(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        self._boards.clear()
        self._entries = 0

    def apply(self, batch: Batch, done: Callable[[Outcome | Refusal], None]) -> None:
        now = self._clock()
        channel = batch.channel
        held = self._boards.get(channel)
        # A control may need as much room as its board takes, a score one entry.
        if (
            held is None
            or now >= held.end
            or len(batch.events) + held.size > self._capacity - self._entries
        ):
            self.sweep(now)  # what has ended must not keep anything out
            held = self._alive(channel, now)
            if held is None:
                if len(self._boards) >= self._most_boards:
                    done(LimitExceeded(f"{self._most_boards} boards live here, and no more may"))
                    return
                held = _Held(Board(batch.rules, epoch=secrets.token_hex(6)))
                if channel in self._watched:
                    held.life = math.inf
        board = held.board
        version = board.version
        outcomes = board.apply(batch.events, now, held.size + self._capacity - self._entries)
        ranks: Sequence[int | None] = ()
        if batch.ranked:
            ranks = [
                board.rank(outcome.player) if isinstance(outcome, Applied) else None
                for outcome in outcomes
            ]
        for outcome in outcomes:
            if isinstance(outcome, Applied) and not outcome.duplicate:
                held.use(now)
                break
        changed = board.version != version
        if changed:
            self._count(held)
            if not version:
                self._boards[channel] = held
            self._first_end = min(self._first_end, held.end)  # a round closed early ends it earlier
        done(Outcome(outcomes, board.version, board.frozen, ranks))
        if changed:
            self.changed(channel)
        if batch.texts:
            new = (
                (text, outcome.private)
                for text, outcome in zip(batch.texts, outcomes, strict=True)
                if isinstance(outcome, Applied) and not outcome.duplicate and outcome.player
            )
            for private, texts in itertools.groupby(new, itemgetter(1)):
                self.relayed(channel, [text for text, _ in texts], private)

    def read(
        self,
        channel: str,
        rules: Namespace,
        views: Sequence[View],
        floor: tuple[str, int],
        done: Callable[[Reading | Refusal], None],
    ) -> None:
        now = self._clock()
        held = self._alive(channel, now)
        # An absent board reads like an empty one that nobody has named yet.
        board = Board(rules, epoch="") if held is None else held.board
        if held is not None:
            self._settle(channel, held, now)
        windows = {view: board.view(view) for view in views if board.keeps(view.round)}
        done(
            Reading(
                channel=channel,
                epoch=board.epoch,
                version=board.version,
                now=now,
                windows=windows,
                round=board.round,
                frozen=board.frozen,
                veiled=board.veiled,
                props=board.public_props,
                playing=board.playing(now),
                due=board.due,
            )
        )

    def people(
        self, channel: str, prefix: str, limit: int, done: Callable[[list[Person] | Refusal], None]
    ) -> None:
        held = self._alive(channel, self._clock())
        done([] if held is None else held.board.people(prefix, limit))

    def relay(
        self, channel: str, events: Sequence[str], done: Callable[[Refusal | None], None]
    ) -> None:
        done(None)
        self.relayed(channel, events, False)

    def find(
        self,
        pattern: str,
        after: str,
        limit: int,
        done: Callable[[list[Running] | Refusal], None],
    ) -> None:
        now = self._clock()
        first = max(after, "/" if pattern == channels.EVERYTHING else pattern.rstrip("*"))
        found: list[Running] = []
        for channel in self._boards.irange(first):
            if len(found) == limit or not (
                pattern == channels.EVERYTHING or channel.startswith(pattern.rstrip("*"))
            ):
                break
            held = self._boards[channel]
            if channel != after and channels.covers(pattern, channel) and now < held.end:
                self._settle(channel, held, now)
                version, total = held.board.shown
                epoch = held.board.epoch
                found.append(Running(channel=channel, epoch=epoch, version=version, total=total))
        done(found)

    def watch(self, channel: str, connections: int) -> None:
        watched = connections > 0
        if watched:
            self._watched.add(channel)
        else:
            self._watched.discard(channel)
        now = self._clock()
        held = self._alive(channel, now)
        if held is not None and watched != math.isinf(held.life):
            held.life = math.inf if watched else held.board.rules.idle_ttl
            held.use(now)
            self._first_end = min(self._first_end, held.end)

    def revoke(self, token_id: str, until: float, done: Callable[[Refusal | None], None]) -> None:
        # This process is all that there is: who asks for tokens here remembers it, as long as boards live.
        self.revoked(token_id, until)
        done(None)

    def lease(
        self,
        name: str,
        most: int,
        wanted: int,
        seconds: float,
        done: Callable[[Lease | Refusal], None],
    ) -> None:
        done(Lease(wanted))  # who counts here counts for all

    def lead(self, name: str, seconds: float, done: Callable[[bool | Refusal], None]) -> None:
        done(True)  # there is nobody else

    def unled(self, done: Callable[[list[str] | Refusal], None]) -> None:
        done([])

    def keep(
        self,
        text_id: str,
        text: str | None,
        ends: float,
        most: int,
        done: Callable[[bool | Refusal], None],
    ) -> None:
        now = self._clock()
        if text is None:
            self._texts.pop(text_id, None)
        elif text_id in self._texts or len(self._texts) < most:
            self._texts[text_id] = (text, ends)
        else:
            self._texts = {name: each for name, each in self._texts.items() if each[1] > now}
            if len(self._texts) >= most:
                done(False)
                return
            self._texts[text_id] = (text, ends)
        done(True)

    def kept(self, done: Callable[[list[str] | Refusal], None]) -> None:
        now = self._clock()
        done([text for text, ends in self._texts.values() if ends > now])

    def sweep(self, now: float) -> None:
        """End every board whose time is over. Linear in the boards, but free while none can have ended."""
        if now < self._first_end:
            return
        for channel in [channel for channel, held in self._boards.items() if now >= held.end]:
            self._end(channel)
        self._first_end = min((held.end for held in self._boards.values()), default=math.inf)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            try:
                self.sweep(self._clock())
            except Exception:
                log.exception("a sweep failed")  # the next one has another chance

    def _alive(self, channel: str, now: float) -> _Held | None:
        held = self._boards.get(channel)
        if held is not None and now >= held.end:
            self._end(channel)
            return None
        return held

    def _settle(self, channel: str, held: _Held, now: float) -> None:
        """Let happen what is due by now."""
        if now >= held.board.due:
            held.board.settle(now)
            self._count(held)
            self.changed(channel)

    def _count(self, held: _Held) -> None:
        """The board may hold more or less than it did."""
        size = held.board.size
        self._entries += size - held.size
        held.size = size

    def _end(self, channel: str) -> None:
        held: _Held = self._boards.pop(channel)
        self._entries -= held.size
        self.changed(channel)


def _steady_wall_clock() -> Callable[[], float]:
    monotonic = time.monotonic
    offset = time.time() - monotonic()
    return lambda: monotonic() + offset
