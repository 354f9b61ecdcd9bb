"""The bots of rooms: players that the server makes up. They see the lights as everybody does, press with pauses, miss
now and then, and what they press goes the way of a player's publish, through the referee.

How many there are and how much they press is data of the room (``bots`` and ``rate`` in its props), so all that is kept
here is who plays on which round. What a bot does follows from the seed of the room, the round and its number.

Of several processes one plays the bots of a room, as long as it says that it does; when it is gone another finds the
room and goes on where the rows of the bots are. So none of it is lost but the seconds until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from leaderboard import crowd
from leaderboard.engines import Reading
from leaderboard.errors import Refusal
from leaderboard.events import Enter, Event, Hide, Show
from leaderboard.lights import GAP, TILES, Hand, lights_of, press
from leaderboard.messages import MAX_EVENTS
from leaderboard.operations import Operations
from leaderboard.people import Person
from leaderboard.ranking import View
from leaderboard.referee import MOST_PRESSES
from leaderboard.replies import encode
from leaderboard.rooms import BOT, MOST_BOTS, MOST_PLAYERS, MOST_RATE, Game, act
from leaderboard.tokens import LIFETIME

log = logging.getLogger(__name__)

MOST = 2 * MOST_RATE
"""Presses per second of all rooms together; beyond it every room's bots slow down alike."""
TICK = 0.05
"""Seconds between two looks at a round that is on: what the bots pressed meanwhile is told then."""
IDLE = 0.5
"""Seconds between two looks at a room where no round is on."""
SEATS = 4.0
"""Seconds after which it is looked whether the bots are still there: a host may bring the board to another round."""
LATE = 1000
"""Milliseconds of a round after which a bot was not there from the start."""
LEASE = 3.0
"""Seconds after which a process that plays bots, and does not say so again, counts as gone."""
SAID = 1.0
"""Seconds after which it says so again."""
LOOK = 1.0
"""Seconds between two looks for rooms whose process is gone."""
HANDED = 0.001
"""Seconds that a process which ends keeps a room: another takes it at its next look."""
_ONE = View(top=1)


class Bot:
    """One bot in one round.

    >>> bot = Bot("bot-1", seed=7, number=1, now=0)
    >>> len(bot.presses(5000, 500, lights_of(7, 1, 30_000))) in range(7, 13)
    True
    """

    __slots__ = ("_dice", "_due", "_hand", "_pace", "_skill", "n", "player")

    def __init__(
        self, player: str, seed: int, number: int, now: int, hand: Hand | None = None
    ) -> None:
        self.player = player
        self.n = 0
        self._dice = Random(f"{seed} {number} {player}")
        self._pace = self._dice.uniform(0.75, 1.35)
        self._skill = self._dice.uniform(0.84, 0.97)
        self._due = now + self._dice.uniform(450, 1300)
        self._hand = hand or Hand()

    def presses(self, until: int, pause: float, lights: Sequence[int]) -> list[dict[str, int]]:
        """What it presses up to a moment of the round, with so many milliseconds in between on average."""
        found: list[dict[str, int]] = []
        while len(found) < MOST_PRESSES and self._hand.light < len(lights):
            at = max(int(self._due), self._hand.ready)
            if at > until:
                break
            lit = lights[self._hand.light]
            tile = lit if self._dice.random() < self._skill else (lit + 1) % TILES
            self._hand, _ = press(self._hand, tile, at, lights)
            found.append({"tile": tile, "at": at})
            self._due = at + pause * self._pace * self._dice.uniform(0.55, 1.45)
        return found


class Bots:
    """The rooms whose bots this process plays."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._finder: asyncio.Task[None] | None = None
        self._rooms: dict[str, asyncio.Task[None]] = {}
        self._rates: dict[str, int] = {}
        self._asked: set[str] = set()
        """Rooms that have been asked for since their table last began: it may be leaving in this very moment."""

    def look_after(self, channel: str) -> None:
        """Play in a room for as long as it lives and has bots."""
        self._asked.add(channel)
        if channel not in self._rooms:
            task = asyncio.create_task(self._run(channel), name=f"bots of {channel}")
            self._rooms[channel] = task
            task.add_done_callback(lambda _: self._rooms.pop(channel, None))

    def start(self) -> None:
        """Look for rooms whose process is gone, too."""
        self._finder = asyncio.create_task(self._find(), name="finder of rooms with bots")

    async def stop(self) -> None:
        """Play no more anywhere: other processes go on."""
        rooms = list(self._rooms)
        tasks = [*self._rooms.values(), *([self._finder] if self._finder else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for channel in rooms:
            with contextlib.suppress(Refusal):
                await self._operations.broker.lead(channel, HANDED)

    async def _find(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            with contextlib.suppress(Refusal):
                for channel in await self._operations.broker.unled():
                    self.look_after(channel)

    async def _run(self, channel: str) -> None:
        broker = self._operations.broker
        try:
            while channel in self._asked:
                self._asked.discard(channel)
                if not await self._leads(channel):
                    # Another plays. It may have seen no bots a moment before there were some, and be about to leave.
                    await asyncio.sleep(LEASE)
                    if not await self._leads(channel):
                        return
                await _Table(self._operations, channel, self._rates, self._leads).play()
            await broker.lead(channel, 0)
        except Refusal as refusal:  # who can be reached goes on, perhaps this process
            log.info("the bots of %s have stopped: %s", channel, refusal.message)
        except Exception:
            log.exception("the bots of %s have stopped", channel)
        finally:
            self._rates.pop(channel, None)

    async def _leads(self, channel: str) -> bool:
        return await self._operations.broker.lead(channel, LEASE)


class _Table:
    """The bots of one room."""

    def __init__(
        self,
        operations: Operations,
        channel: str,
        rates: dict[str, int],
        leads: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._operations = operations
        self._channel = channel
        self._rates = rates
        self._leads = leads
        self._by = f"bots-{secrets.token_hex(4)}"
        """Whoever plays them counts its events anew."""
        self._hands: dict[str, Hand] = {}
        """How far those are whom another has played, or this process before."""
        self._round: tuple[str, int] = ("", 0)
        self._bots: dict[str, Bot] = {}
        self._token = ""
        self._seated: tuple[object, ...] = ()
        self._players: list[str] = []
        self._names: list[str] = []

    async def play(self) -> None:
        """Until the room ends, has no bots any more, or another process plays them."""
        loop = asyncio.get_running_loop()
        said = loop.time()
        while True:
            if loop.time() >= said + SAID:
                if not await self._leads(self._channel):
                    return
                said = loop.time()
            reading = await self._operations.broker.read(self._channel, _ONE)
            try:
                game = msgspec.json.decode(reading.props, type=Game)
            except msgspec.ValidationError:
                return  # the board is no room, or none any more
            self._rates[self._channel] = game.rate if reading.round.state == "open" else 0
            with contextlib.suppress(Refusal):  # a full board, say: the next look may find another
                await self._seat(reading, game)
                await self._press(reading, game)
            if not game.bots:
                return
            await asyncio.sleep(_pause(reading))

    async def _seat(self, reading: Reading, game: Game) -> None:
        """As many bots as there are to be have a row; the others are hidden, so that no removal is theirs.

        In the place of one that the host has removed comes another.
        """
        total = reading.windows[_ONE].total  # it falls when somebody is removed
        stamp = (reading.epoch, reading.round.number, game.bots, total, int(reading.now / SEATS))
        if stamp == self._seated:
            return
        if not self._names:
            self._names = crowd.names(MOST_BOTS, Random(game.seed))
        found = await self._operations.broker.people(self._channel, BOT, MOST_PLAYERS)
        people = {each.player: each for each in found}
        banned = {each.player for each in found if each.banned}
        numbers = [
            number
            for number in range(1, game.bots + len(banned) + 1)
            if f"{BOT}{number}" not in banned
        ][: game.bots]
        events: list[Event] = []
        for number in numbers:
            player, name = f"{BOT}{number}", f"🤖 {self._names[(number - 1) % MOST_BOTS]}"
            here = people.get(player)
            if here is not None and here.hidden:
                events.append(Show(player))
            if here is None or here.away:
                events.append(Enter(player, name, {"bot": True}))
        self._players = [f"{BOT}{number}" for number in numbers]
        kept = {*self._players, *banned}
        events += [Hide(each.player) for each in found if not (each.player in kept or each.hidden)]
        if events:
            await act(self._operations, self._channel.rpartition("/")[2], events)
        if not self._seated:
            self._hands = _hands(found, reading.round.number)
        self._seated = stamp

    async def _press(self, reading: Reading, game: Game) -> None:
        """What the bots have pressed since the last look."""
        round, ends_at = reading.round, reading.round.ends_at
        if round.state != "open" or ends_at is None or not game.rate:
            return
        if self._round != (reading.epoch, round.number):
            if self._round[0]:
                self._hands.clear()  # they were of the round before
            self._round, self._bots = (reading.epoch, round.number), {}
            self._token, _ = self._operations.auth.issue("host", self._channel, None, LIFETIME)
        now = min(game.round_ms - 1, int(game.round_ms - (ends_at - reading.now) * 1000))
        share = min(1.0, MOST / max(1, sum(self._rates.values())))
        pause = max(GAP, 1000 * game.bots / (game.rate * share))
        start = now if now > LATE else 0
        lights = lights_of(game.seed, round.number, game.round_ms)
        events = []
        for player in self._players:
            bot = self._bots.get(player)
            if bot is None:
                hand = self._hands.pop(player, None)
                bot = self._bots[player] = Bot(player, game.seed, round.number, start, hand)
            if hits := bot.presses(now, pause, lights):
                bot.n += 1
                said: dict[str, Any] = {"player": player, "hits": hits, "round": round.number}
                events.append(encode({**said, "by": self._by, "n": bot.n}).decode())
        for start in range(0, len(events), MAX_EVENTS):
            batch = events[start : start + MAX_EVENTS]
            await self._operations.perform(
                self._channel, {"authorization": self._token}, batch, limited=False
            )


class _Row(Struct, frozen=True):
    """What the referee has written into a bot's row."""

    round: int
    light: int
    combo: int
    ready: int


def _hands(people: Sequence[Person], number: int) -> dict[str, Hand]:
    """How far the bots of a round are, by their rows."""
    found = {}
    for each in people:
        if each.row is not None and each.row.meta is not None:
            with contextlib.suppress(msgspec.ValidationError):
                row = msgspec.json.decode(each.row.meta, type=_Row)
                if row.round == number:
                    found[each.player] = Hand(row.light, row.combo, row.ready)
    return found


def _pause(reading: Reading) -> float:
    """Seconds until the next look."""
    if reading.round.state == "open":
        return TICK
    if reading.round.starts_at is not None:
        return min(IDLE, max(TICK, reading.round.starts_at - reading.now))
    return IDLE
