"""Handlers: an operator's own functions, asked about every publish and every subscribe of a namespace.

    async def on_publish(ctx):                              # on_publish = "rules:on_publish" in the settings
        for event in ctx.events:
            if await ctx.board.entry(event.payload["player"]) is None:
                event.payload["name"] = await roster.name_of(event.payload["player"])
        return ctx.events

The semantics are those of AppSync's handlers (Events guide, "Channel namespace handlers"), in Python. `on_publish`
returns a list of events: what it leaves out is dropped silently, what it changes is what counts, an event to which it
gives an ``error`` fails by itself. `on_subscribe` returns nothing. Both refuse the whole request by raising `Refused`
or `Denied`.

A handler runs in the server's process. A plain function runs inline and must be quick: everybody waits for it. An
async one makes its own connection wait, and is given up after the namespace's ``handler_timeout``; so is the answer of
a plain one that took longer. Whatever else it raises or returns is a fault of the server: the request is refused, and
the log says by whose fault and where, without a word of what was published.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

import msgspec

from leaderboard import channels, replies
from leaderboard.broker import Broker
from leaderboard.errors import Denied, InvalidEvent, Refusal, Refused
from leaderboard.functions import Function, Running, imported
from leaderboard.grants import Grant, Role
from leaderboard.messages import MAX_EVENT_BYTES
from leaderboard.people import Person
from leaderboard.ranking import Row, View
from leaderboard.replies import Accepted, Failed, Published
from leaderboard.rounds import Round
from leaderboard.settings import Namespace

__all__ = [
    "Board",
    "Context",
    "Denied",
    "Event",
    "Moment",
    "Person",
    "Refused",
    "Role",
    "Round",
    "Row",
]


@dataclass(slots=True)
class Event:
    """One event of a publish. ``payload`` is the parsed JSON, members that no board knows included."""

    id: str
    payload: Any
    error: str | None = None
    """Set by the handler: why this event fails. The client is told."""

    @property
    def player(self) -> str | None:
        """Whose row it names, by ``player`` or by the alias ``id``; None if it names none that can be."""
        if not isinstance(self.payload, dict):
            return None
        player = self.payload.get("player")
        named = self.payload.get("id") if player is None else player
        return named if isinstance(named, str) else None


_ANY = View(top=1)
_ALIKE = 10
"""Players whose ids or names begin like the one that is looked for."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A board at one moment: ``now`` is on the clock of ``round.ends_at``, ``epoch`` the board's life ("" = none)."""

    epoch: str
    now: float
    round: Round
    props: Any


class Board:
    """The board of the channel as it is now, whatever is frozen; empty for a relay channel, and for a wildcard."""

    def __init__(self, broker: Broker, channel: str) -> None:
        self._broker = broker
        self._channel = channel

    async def entry(self, player: str | None) -> Row | None:
        """A player's row, or None if there is none, or it is hidden."""
        if player is None:
            return None
        view = View(of=(player,), live=True)
        reading = await self._broker.read(self._channel, view)
        return next(iter(reading.windows[view].of or ()), None)

    async def person(self, player: str) -> Person | None:
        """A player as a host sees it, also one that is hidden or banned; one of the first 10,000, or None."""
        found = await self._broker.people(self._channel, player, _ALIKE)
        return next((person for person in found if person.player == player), None)

    async def moment(self) -> Moment:
        """Round, props and the time, at one reading."""
        reading = await self._broker.read(self._channel, _ANY)
        props = msgspec.json.decode(reading.props)
        return Moment(reading.epoch, reading.now, reading.round, props)

    async def round(self) -> Round:
        """The present round."""
        return (await self._broker.read(self._channel, _ANY)).round

    async def props(self) -> Any:
        """What everybody may see of what its host gave it."""
        return msgspec.json.decode((await self._broker.read(self._channel, _ANY)).props)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a handler is told. AppSync's ``ctx.info`` is flat here."""

    operation: Literal["PUBLISH", "SUBSCRIBE"]
    channel: str
    """The path, as ``/game/KX7M``; of a subscribe also a wildcard, as ``/game/*``."""
    identity: Grant
    """Who asks: ``role``, ``player`` (of a player's token), an ``id`` that is safe to log, what else was ``said``."""
    board: Board
    events: list[Event] = field(default_factory=list)
    """Of a publish: those that could be read, and may touch the row that they name."""

    @property
    def segments(self) -> list[str]:
        """The parts of the path."""
        return self.channel[1:].split("/")

    @property
    def namespace(self) -> str:
        """The first of them."""
        return channels.namespace(self.channel)


class Handlers:
    """The handlers of a server's namespaces. Raises `ConfigError` for what cannot be imported."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._running = Running()
        self.on_publish: dict[str, Function] = {}
        self.on_subscribe: dict[str, Function] = {}
        for namespace, rules in namespaces.items():
            for kind, name, shelf in (
                ("on_publish", rules.on_publish, self.on_publish),
                ("on_subscribe", rules.on_subscribe, self.on_subscribe),
            ):
                if name is not None:
                    function = imported(name, f"namespaces.{namespace}.{kind}")
                    shelf[namespace] = Function(
                        name, function, rules.handler_timeout, self._running
                    )

    async def stop(self) -> None:
        """Give those that are at work a moment to end, then give them up."""
        await self._running.stop()


@dataclass(frozen=True, slots=True)
class Handled:
    """A publish of ``count`` events as its handler left it."""

    count: int
    failed: list[Failed]
    texts: list[str] = field(default_factory=list)
    """The events to apply."""
    ids: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """Where in the publish each of them stood."""

    @property
    def dropped(self) -> int:
        """Events of which nobody hears again."""
        return self.count - len(self.texts) - len(self.failed)

    def told(self, published: Published) -> Published:
        """What became of ``texts``, told of the publish as its sender knows it."""
        for item in itertools.chain[Accepted | Failed](published.successful, published.failed):
            item.identifier = self.ids[item.index]
            item.index = self.places[item.index]
        if published.results is not None:
            results = dict(zip(self.places, published.results, strict=True))
            published.results = [results.get(place) for place in range(self.count)]
        published.successful.sort(key=attrgetter("index"))
        published.failed = sorted([*published.failed, *self.failed], key=attrgetter("index"))
        return published


def outgoing(
    answer: object, places: Mapping[str, int], failed: list[Failed], count: int
) -> Handled:
    """What an `on_publish` lets through; raises `TypeError` or `ValueError` for another shape than AppSync's.

    A list of events, in which None is passed over, or None for nothing at all. ``places`` says where each id that came
    in stood: an id may be left out, but not made up, nor be there twice. ``failed`` had failed before.
    """
    if not isinstance(answer, list | tuple | None):
        raise TypeError(f"returned {type(answer).__name__}, no list of events")
    handled = Handled(count, failed)
    left = dict(places)
    for event in answer or ():
        if event is None:
            continue
        if not isinstance(event, Event) or not isinstance(event.error, str | None):
            raise TypeError(f"returned {type(event).__name__}, or its error, in the wrong shape")
        place = left.pop(event.id, None)
        if place is None:
            raise ValueError("returned an event with an unknown id, or one twice")
        try:
            if event.error is not None:
                raise Refused(event.error)
            text = _encoded(event.payload)
        except Refusal as refusal:
            item = replies.failed(place, refusal)
            item.identifier = event.id
            failed.append(item)
        else:
            handled.texts.append(text)
            handled.ids.append(event.id)
            handled.places.append(place)
    return handled


def _encoded(payload: object) -> str:
    try:
        text = replies.encode(payload)
    except RecursionError:
        raise InvalidEvent("nested too deeply") from None
    except (
        TypeError,
        ValueError,
    ) as error:  # it names a type that JSON does not have, and no value
        raise TypeError(f"returned a payload that is no JSON: {error}") from None
    if len(text) > MAX_EVENT_BYTES:
        raise InvalidEvent(f"what its handler made of it exceeds {MAX_EVENT_BYTES} bytes")
    return text.decode()
