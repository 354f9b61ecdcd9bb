"""The rooms of the browser game: make one, find it, join it. `lobby` has them over HTTP.

A room is a board in the namespace ``game`` together with its props, and nothing else: who is in it, what is played and
how long it lives are the board's, so any process that serves the board serves the room. Its code is the last segment of
the board's channel. What happens in it is published there, and goes through the `referee`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Annotated

import msgspec
from fastapi import Request
from msgspec import Meta, Struct

from leaderboard.answers import operations_of, settings_of
from leaderboard.board import Applied
from leaderboard.credentials import bare
from leaderboard.engines import Batch, Outcome, Reading, answer_of
from leaderboard.errors import (
    LimitExceeded,
    NameRefused,
    Refusal,
    ResourceNotFound,
    RoomFull,
    Unauthorized,
)
from leaderboard.events import Close, Enter, Event, Props
from leaderboard.limits import Rates, source
from leaderboard.nicknames import blocker, key, nickname
from leaderboard.operations import Operations
from leaderboard.people import Person
from leaderboard.ranking import View
from leaderboard.settings import Settings
from leaderboard.suggestions import is_suggested, suggest
from leaderboard.tokens import LIFETIME

GAME = "game"
"""The namespace of the rooms."""
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without what is read as something else."""
CODE = 4
MOST_PLAYERS = 1000
MOST_BOTS = 200
MOST_RATE = 500
"""Presses of all bots of a room in a second."""
PER_BOT = 2
"""Of these, what one does unless told otherwise: about what people do."""
BOT = "bot-"
"""How the ids of bots begin; those of people are made here and do not."""
SPARE = 10
"""Rooms of lone players who have gone are not counted, up to so many times `limits.rooms`."""

Code = Annotated[str, Meta(pattern=rf"\A[{ALPHABET}]{{{CODE}}}\Z")]
Bots = Annotated[int, Meta(ge=0, le=MOST_BOTS)]
Rate = Annotated[int, Meta(ge=0, le=MOST_RATE)]
_ONE = View(top=1)


class NewRoom(Struct, frozen=True, forbid_unknown_fields=True):
    """What a room may be made with; all of it has a default."""

    title: Annotated[str, Meta(max_length=60)] = ""
    round_ms: Annotated[int, Meta(ge=5_000, le=300_000)] = 30_000
    max_players: Annotated[int, Meta(ge=1, le=MOST_PLAYERS)] = 200
    generated_names: bool = False
    seed: Annotated[int, Meta(ge=0, lt=2**32)] | None = None
    bots: Bots = 0
    rate: Rate | None = None
    solo: bool = False


class Game(Struct, frozen=True):
    """``props.public`` of a room: what its pages know of it.

    ``seed`` is that of the lights, ``round_ms`` how long a round is; with ``generated_names`` people take a name that
    was suggested, with ``hide_names`` nobody's is shown. So many ``bots`` press ``rate`` tiles a second together.
    ``played`` is the last round that was started: closed, it is over, else it has not begun. ``solo``: against bots.
    """

    seed: int
    round_ms: int
    title: str = ""
    max_players: int = 200
    generated_names: bool = False
    bots: int = 0
    rate: int = 0
    hide_names: bool = False
    played: int = 0
    solo: bool = False


class Room(Struct, frozen=True):
    """A room as everybody may know it."""

    code: str
    channel: str
    state: str
    round: int
    players: int
    game: Game


class NoRoom(ResourceNotFound):
    """There is no room with that code, or not any more."""


class Joined(Struct, frozen=True):
    """A player of a room. ``token`` is good for its row, there alone and for a day."""

    code: str
    channel: str
    player: str
    name: str
    token: str


async def new_room(operations: Operations, settings: Settings, wanted: NewRoom) -> tuple[str, str]:
    """A room as somebody wants it who may: its code and its host's token; raises `LimitExceeded` where there are as
    many as may be."""
    if GAME not in settings.namespaces:
        raise ResourceNotFound("There are no rooms on this server.")
    await _check_ceiling(operations, settings.limits.rooms)
    while True:
        code = "".join(secrets.choice(ALPHABET) for _ in range(CODE))
        if not (await operations.broker.read(channel_of(code), _ONE)).epoch:
            break
    game = Game(
        seed=secrets.randbits(32) if wanted.seed is None else wanted.seed,
        round_ms=wanted.round_ms,
        title=wanted.title,
        max_players=wanted.max_players,
        generated_names=wanted.generated_names,
        bots=wanted.bots,
        rate=min(MOST_RATE, PER_BOT * wanted.bots) if wanted.rate is None else wanted.rate,
        solo=wanted.solo,
    )
    await act(operations, code, [Props({"public": msgspec.to_builtins(game)}), Close()])
    token, _ = operations.auth.issue("host", channel_of(code), None, LIFETIME)
    return code, token


async def free_name(request: Request, room: Room) -> str:
    """A suggested name that nobody in the room has."""
    return suggest(_dice, _names(await _people(request, room.code)))


async def is_full(request: Request, room: Room) -> bool:
    """Whether nobody else may join."""
    return _full(room, await _people(request, room.code))


async def join(request: Request, room: Room, name: str | None) -> Joined:
    """A new player of a room, or the one whose token the request has; raises `RoomFull`, `NameRefused` or `Banned`."""
    people = await _people(request, room.code)
    seated = _returning(request, room)
    player, token = seated or (secrets.token_hex(9), "")  # no option to a command, as "-x" would be
    here = next((each for each in people if each.player == player), None)
    if here is None:
        if _full(room, people):
            raise RoomFull(f"This room is full: no more than {room.game.max_players} may play.")
        called = _named(request, room, name, _names(people))
        await act(operations_of(request), room.code, [Enter(player, called)])
    else:
        called = here.name or player
    if not token:
        token, _ = operations_of(request).auth.issue("player", room.channel, player, LIFETIME)
    return Joined(room.code, room.channel, player, called, token)


async def _check_ceiling(operations: Operations, most: int) -> None:
    """Raises `LimitExceeded` where there are as many rooms as may be."""
    broker = operations.broker
    found = await broker.boards(f"/{GAME}/*", limit=SPARE * most)
    if len(found) >= most:
        spare = 0
        for each in found:
            if not broker.watching(each.channel):
                spare += b'"solo":true' in bytes((await broker.read(each.channel, _ONE)).props)
        if len(found) >= SPARE * most or len(found) - spare >= most:
            raise LimitExceeded(f"{most} rooms are open here, and no more may be. Try again later.")


async def room_of(request: Request, code: str) -> Room:
    """The room with a code, in any case; raises `NoRoom` for one that never was or has ended."""
    code = code.upper()
    try:
        msgspec.convert(code, Code)
        reading: Reading = await operations_of(request).broker.read(channel_of(code), _ONE)
        game = msgspec.json.decode(reading.props, type=Game)
    except (msgspec.ValidationError, Unauthorized):
        raise NoRoom(
            f"There is no room {code[:12]!a}. The code may be misspelt, or the room has ended."
        ) from None
    players = reading.windows[_ONE].total
    return Room(code, channel_of(code), reading.round.state, reading.round.number, players, game)


_dice = Random()


def channel_of(code: str) -> str:
    """The channel of the room with a code."""
    return f"/{GAME}/{code}"


def _named(request: Request, room: Room, name: str | None, taken: set[str]) -> str:
    if name is None:
        name = suggest(_dice, taken)
    elif room.game.generated_names and not is_suggested(name):
        raise NameRefused("In this room everybody has a name that was suggested.")
    words = settings_of(request).blocked_names
    return nickname(name, taken, None if words is None else blocker(words))


def _full(room: Room, people: Sequence[Person]) -> bool:
    return sum(not each.player.startswith(BOT) for each in people) >= room.game.max_players


def _names(people: Sequence[Person]) -> set[str]:
    return {key(each.name) for each in people if each.name}


def _returning(request: Request, room: Room) -> tuple[str, str] | None:
    """The player whose token of this room the request has, and that token: who comes back gets no other, which would
    last longer, or stay when this one is revoked. A token of another room is no reason to be kept out."""
    value = request.headers.get("authorization")
    if value is None:
        return None
    try:
        grant = operations_of(request).auth.authenticate(
            request.headers, request.headers.get("origin")
        )
    except Unauthorized:
        return None
    if grant.player is None or not grant.covers(room.channel):
        return None
    return grant.player, bare(value)


async def _people(request: Request, code: str) -> list[Person]:
    """Those who are in the room, hidden or not."""
    people = await operations_of(request).broker.people(channel_of(code), "", 2 * MOST_PLAYERS)
    return [each for each in people if not each.away]


async def act(operations: Operations, code: str, events: Sequence[Event]) -> None:
    """Let the server itself do something to a room; raises why it was not done."""
    broker, path = operations.broker, channel_of(code)
    rules = broker.rules(path)
    apply = partial(broker.apply, Batch(path, rules, events))
    outcome: Outcome | Refusal = await answer_of(apply)
    if isinstance(outcome, Refusal):
        raise outcome
    for each in outcome.events:
        if not isinstance(each, Applied):
            raise each


def slow_down(request: Request) -> None:
    """A ceiling on what one address may ask for, far above what a classroom behind one address does."""
    rates: Rates = request.app.state.joins
    rates.take("" if request.client is None else source(request.client.host), time.monotonic())
