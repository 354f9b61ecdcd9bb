"""The referee of the rooms: players say what they pressed and when, and here it becomes points, or is refused.

    {"player": "p1", "hits": [{"tile": 4, "at": 1830}], "round": 1, "by": "k3", "n": 7}

It is the `on_publish` handler of the namespace ``game`` unless the settings say otherwise. What `lights` knows to be
impossible fails as a whole event and costs nothing; a wrong tile is no foul, it costs points. A total never falls below
0. What hosts and scorekeepers score passes, and so does a player who leaves.

How far a player is stands in the ``meta`` of its row (``round``, ``light``, ``combo``, ``ready``): a page that is
loaded again, or on another device, goes on there. Beside that this process remembers how far those are whom it has
judged, since a host may have hidden their rows, and up to which ``n``, since a page sends again what was not answered.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from leaderboard.events import MAX_N
from leaderboard.grants import Role
from leaderboard.handlers import Context, Event, Moment
from leaderboard.lights import TILES, Hand, TooFast, lights_of, press
from leaderboard.retries import SENDERS

PLAYERS = 100_000
"""Players to remember; of more, those that have not pressed for longest go on from their row."""
MOST_PRESSES = 25
"""Presses of one event: what two seconds hold."""
EARLY = 250
"""Milliseconds that a page's clock may be ahead of ours: it learns of the start a little after it."""
LONGEST = 300_000
"""Milliseconds of the longest game."""


class Rules(Struct, frozen=True):
    """What the props of a room say of its game."""

    seed: int
    round_ms: Annotated[int, Meta(ge=1000, le=LONGEST)]


class Press(Struct, frozen=True):
    """A tile, and the milliseconds of the round at which it was pressed."""

    tile: Annotated[int, Meta(ge=0, lt=TILES)]
    at: Annotated[int, Meta(ge=0, le=LONGEST)]


class Presses(Struct, frozen=True):
    """What a player did since it last told."""

    hits: Annotated[list[Press], Meta(min_length=1, max_length=MOST_PRESSES)]
    round: int
    by: str = ""
    n: Annotated[int, Meta(ge=1, le=MAX_N)] | None = None


class _Progress(Hand, frozen=True):
    round: int = 0


@dataclass(slots=True)
class _Known:
    """A player of a board as of its last presses."""

    progress: _Progress = field(default_factory=_Progress)
    total: float = 0.0
    judged: OrderedDict[str, int] = field(default_factory=OrderedDict)
    """The highest ``n`` of each ``by``."""


class _Foul(Exception):
    """Why an event cannot be true."""


_known: OrderedDict[tuple[str, str], _Known] = OrderedDict()


async def on_publish(ctx: Context) -> list[Event]:
    """Make points of presses, refuse what cannot be true, and let pass what hosts and scorekeepers do."""
    moment: Moment | None = None
    for event in ctx.events:
        match event.payload:
            case {"hits": _}:
                moment = moment or await ctx.board.moment()
                try:
                    event.payload = await _judge(ctx, event, moment)
                except _Foul as foul:
                    event.error = str(foul)
            case {"op": "remove"}:
                pass
            case _ if ctx.identity.role is Role.PLAYER:
                event.error = "points come from the referee: publish your hits"
    return ctx.events


async def _judge(ctx: Context, event: Event, moment: Moment) -> dict[str, Any]:
    """The score event that presses make."""
    player = event.player or ""
    if "score" in event.payload:
        raise _Foul("points come from the referee, not with the hits")
    try:
        said = msgspec.convert(event.payload, Presses)
    except msgspec.ValidationError as error:
        raise _Foul(f"these are no hits: {error}") from None
    score: dict[str, Any] = {"player": player, "score": 0, "round": said.round, "by": said.by}
    if said.n is not None:
        score["n"] = said.n
    if moment.round.state != "open" or moment.round.number != said.round:
        return score  # the board knows why it does not count, or that it was applied before
    known = _known.get((moment.epoch, player))
    if known is not None and said.n is not None and said.n <= known.judged.get(said.by, 0):
        return score  # sent again: applied before, or nothing

    entry = await ctx.board.entry(player)
    if entry is None:
        person = await ctx.board.person(player)
        if person is not None and person.banned:
            return score
        if person is None or person.away:
            raise _Foul("this player has not joined the room")
    known = known or _Known()
    meta = {} if entry is None or entry.meta is None else msgspec.json.decode(entry.meta)
    progress, before = known.progress, known.total if entry is None else float(entry.score)
    told = _progress(meta, said.round)
    # The row knows better where another process has judged meanwhile, whom the player's connection has been to.
    if progress.round != said.round or (told.light, told.ready) > (progress.light, progress.ready):
        progress = told
        before = before if entry is not None else 0.0

    hand, total = _play(progress, before, said.hits, _rules(moment), moment)
    known.progress = _Progress(hand.light, hand.combo, hand.ready, said.round)
    known.total = total
    if said.n is not None:
        known.judged[said.by] = said.n
        known.judged.move_to_end(said.by)
        if len(known.judged) > SENDERS:
            known.judged.popitem(last=False)
    _remember((moment.epoch, player), known)
    score["score"] = total - before
    score["meta"] = {**meta, **msgspec.structs.asdict(known.progress)}
    return score


def _play(
    hand: Hand, total: float, presses: list[Press], rules: Rules, moment: Moment
) -> tuple[Hand, float]:
    """The hand and the total after these presses."""
    last = rules.round_ms
    if moment.round.ends_at is not None:
        left = (moment.round.ends_at - moment.now) * 1000
        last = min(last, int(rules.round_ms - left) + EARLY)
    lights = lights_of(rules.seed, moment.round.number, rules.round_ms)
    for each in presses:
        if each.at > last or hand.light >= len(lights):
            raise _Foul(f"the round is not that far: {each.at} ms")
        try:
            hand, points = press(hand, each.tile, each.at, lights)
        except TooFast as error:
            raise _Foul(str(error)) from None
        total = max(0.0, total + points)
    return hand, total


def _rules(moment: Moment) -> Rules:
    try:
        return msgspec.convert(moment.props, Rules)
    except msgspec.ValidationError:
        raise _Foul("no game is played in this room") from None


def _progress(meta: Any, number: int) -> _Progress:
    """How far a row says that its player is in the round."""
    try:
        progress = msgspec.convert(meta, _Progress)
    except msgspec.ValidationError:
        progress = _Progress()
    return progress if progress.round == number else _Progress(round=number)


def _remember(who: tuple[str, str], known: _Known) -> None:
    _known[who] = known
    _known.move_to_end(who)
    if len(_known) > PLAYERS:
        _known.popitem(last=False)
