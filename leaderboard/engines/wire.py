"""What goes into the scripts and what comes out, as the values that the rest of the program knows.

MessagePack both ways: doubles stay what they are, and Lua's tables need no escaping. It is long as a dictionary is:
one short entry for each thing that is said or answered, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from leaderboard import errors
from leaderboard.board import Applied
from leaderboard.engines import Batch, Lease, Outcome, Reading, Running
from leaderboard.errors import ConfigMismatch, LimitExceeded, NothingToUndo, Refusal
from leaderboard.events import Clear, Enter, Event, Open, Props, Remove, Reveal, Score
from leaderboard.people import People, Person
from leaderboard.ranking import Entry, Ranking, Row, View, Window, number
from leaderboard.rounds import Round
from leaderboard.settings import Namespace

encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.decode


def rules_of(rules: Namespace) -> dict[str, Any]:
    """What the scripts must know of a namespace."""
    caps = f"{rules.min_score:.17g} {rules.max_score:.17g} {rules.max_entries}"
    return {
        # All processes must agree on these; its first letter is the order, its last the tie rule.
        "rules": f"{rules.order} {rules.mode} {caps} {rules.ties[0]}",
        "asc": rules.order == "asc",
        "ordinal": rules.ties == "ordinal",
        "mode": rules.mode,
        "top": rules.top,
        "max_entries": rules.max_entries,
        "life": rules.idle_ttl,
    }


# -- events in, outcomes out -------------------------------------------------------------------------------------------


def event_of(event: Event, rules: Namespace) -> dict[str, Any]:
    """An event as `apply.lua` takes it; members that are not there are left out."""
    if isinstance(event, Score):
        made: dict[str, Any] = {"player": event.player, "score": event.score}
        for member in ("name", "meta", "n", "round"):
            value = getattr(event, member)
            if value is not None:
                made[member] = value
        if event.n is not None:
            made["by"] = event.by
        if not rules.min_score <= event.score <= rules.max_score:
            least, most = number(rules.min_score), number(rules.max_score)
            made["out"] = f"score must be from {least} to {most}"
        return made
    op = {"op": type(event).__name__.lower()}
    match event:
        case Open() | Reveal() | Clear():
            given = {name: getattr(event, name) for name in event.__struct_fields__}
            return op | {name: value for name, value in given.items() if value is not None}
        case Props():
            text = msgspec.json.encode(event.props, order="sorted")
            public = msgspec.json.encode(event.props.get("public", {}))
            return op | {"text": text.decode(), "public": public.decode()}
        case Enter():
            entered: dict[str, Any] = op | {"player": event.player}
            if event.name is not None:
                entered["name"] = event.name
            if event.meta is not None:
                entered["meta"] = msgspec.json.encode(event.meta, order="sorted").decode()
            return entered
    player = getattr(event, "player", None)
    return op if player is None else op | {"player": player}


class Done(Struct, frozen=True, kw_only=True):
    """What `apply.lua` answers."""

    events: list[list[Any]] = []
    version: int = 0
    frozen: bool = False
    ranks: list[int | bool] = []
    told: list[str] = []
    full: bool = False
    rules: str | None = None


def done_of(answer: bytes) -> Done:
    """The answer of `apply.lua`."""
    return _decode(answer, type=Done)


def outcome_of(done: Done, batch: Batch, most_boards: int) -> Outcome | Refusal:
    """What became of a batch."""
    if done.full:
        return LimitExceeded(f"{most_boards} boards live here, and no more may")
    if done.rules is not None:
        return ConfigMismatch(
            f"this board lives by other rules ({done.rules}) than its namespace has now"
        )
    events = [_event_outcome(event, told) for event, told in zip(batch.events, done.events)]  # noqa: B905
    ranks = [None if rank is False else rank for rank in done.ranks]
    return Outcome(events, done.version, done.frozen, ranks)


def _event_outcome(event: Event, told: list[Any]) -> Applied | Refusal:
    if told[0]:
        _, changed, duplicate, private, score = told
        player = event.player if isinstance(event, (Score, Remove)) else ""
        return Applied(
            player, None if score is False else float(score), changed, duplicate, private
        )
    kind, text = told[1], told[2]
    if kind == "Again":
        return NothingToUndo(f"{text!a} is on the board again")
    refusal: type[Refusal] = getattr(errors, kind)
    return refusal(text)


# -- views in, readings out --------------------------------------------------------------------------------------------


def view_of(view: View) -> dict[str, Any]:
    """A view as `ranking.lua` takes it."""
    made: dict[str, Any] = {}
    if view.top:
        made |= {"top": view.top, "offset": view.offset}
    if view.around is not None:
        made |= {"around": view.around, "radius": view.radius}
    if view.of is not None:
        made["of"] = view.of
    if view.live:
        made["live"] = True
    if view.round is not None:
        made["round"] = view.round
    return made


class _Seen(Struct, frozen=True):
    version: int
    total: int
    rows: list[list[Any]] | None = None
    around: list[list[Any]] | None = None
    of: list[list[Any]] | None = None


class Read(Struct, frozen=True, kw_only=True):
    """What `read.lua` answers."""

    epoch: str
    version: int
    now: float
    windows: list[_Seen | bool]
    round: tuple[int, str, float | bool, float | bool]
    frozen: bool
    veiled: int
    props: str
    playing: int
    elsewhere: int
    due: float = math.inf
    asc: bool | None = None
    told: list[str] = []


def read_of(answer: bytes) -> Read:
    """The answer of `read.lua`."""
    return _decode(answer, type=Read)


def reading_of(read: Read, channel: str, views: Sequence[View]) -> Reading:
    """A board as it was read."""
    sign = 1.0 if read.asc else -1.0
    windows = {
        view: _window(seen, sign)
        for view, seen in zip(views, read.windows, strict=True)
        if isinstance(seen, _Seen)
    }
    count, state, starts, ends = read.round
    return Reading(
        channel=channel,
        epoch=read.epoch,
        version=read.version,
        now=read.now,
        windows=windows,
        round=Round(count, state, _moment(starts), _moment(ends)),  # type: ignore[arg-type]
        frozen=read.frozen,
        veiled=read.veiled,
        props=Raw(read.props.encode()),
        playing=read.playing,
        due=read.due,
        elsewhere=read.elsewhere,
    )


def _moment(told: float | bool) -> float | None:
    return None if told is False else float(told)


def _window(seen: _Seen, sign: float) -> Window:
    def rows(told: list[list[Any]] | None) -> list[Row] | None:
        return None if told is None else [_row(each, sign, seen.total) for each in told]

    return Window(
        version=seen.version,
        total=seen.total,
        rows=rows(seen.rows),
        around=rows(seen.around),
        of=rows(seen.of),
    )


def _row(told: list[Any], sign: float, total: int) -> Row:
    rank, position, player, name, key, meta, worse = told
    return Row(
        rank=rank,
        position=position,
        player=player,
        name=name or None,
        score=number(sign * float(key)),
        meta=Raw(meta.encode()) if meta else None,
        percentile=None if worse is False else (worse * 10_000 // total) / 10_000,
    )


# -- people ------------------------------------------------------------------------------------------------------------


class Players(Struct, frozen=True, kw_only=True):
    """What `people.lua` answers: entries as (player, name, key, meta, seq, came), and who is hidden or banned."""

    entries: list[list[Any]]
    hidden: list[str]
    banned: list[str]
    asc: bool = False
    ordinal: bool = False


def people_of(answer: bytes, prefix: str, limit: int) -> list[Person]:
    """Those of a board's players whose name or id begins so."""
    told = _decode(answer, type=Players)
    people = People(_pairs(told.hidden), _pairs(told.banned))
    ranking = Ranking(1.0 if told.asc else -1.0, ordinal=told.ordinal)
    for player, name, key, meta, seq, _ in sorted(told.entries, key=lambda each: each[5]):
        entry = Entry(float(key), seq)
        entry.name, entry.meta = name or None, meta or None
        entry.shelved = player in people.hidden
        ranking.put(player, entry)
    return people.find(ranking, prefix, limit)


def _pairs(flat: Sequence[str]) -> dict[str, str | None]:
    return {player: name or None for player, name in zip(flat[::2], flat[1::2], strict=True)}


# -- the rest ----------------------------------------------------------------------------------------------------------


class Found(Struct, frozen=True):
    """What `find.lua` answers: boards as (channel, epoch, version, total)."""

    found: list[tuple[str, str, int, int]]
    told: list[str]

    def running(self) -> list[Running]:
        """The boards."""
        return [
            Running(channel=channel, epoch=epoch, version=version, total=total)
            for channel, epoch, version, total in self.found
        ]


def found_of(answer: bytes) -> Found:
    """The answer of `find.lua`."""
    return _decode(answer, type=Found)


def numbered(flat: Sequence[str]) -> dict[str, int]:
    """What changed, and the number of its last change; told by turns."""
    return {what: int(float(number)) for what, number in zip(flat[::2], flat[1::2], strict=True)}


class Changes(Struct, frozen=True, kw_only=True):
    """What `changes.lua` answers; ``log`` has what changed and the number of the change by turns."""

    number: int
    identity: str
    floor: int
    log: list[str]
    entries: int
    boards: int
    revocations: int
    processes: int


def changes_of(answer: bytes) -> Changes:
    """The answer of `changes.lua`."""
    return _decode(answer, type=Changes)


def revoked_of(answer: bytes) -> list[tuple[str, float]]:
    """Tokens that are revoked, and until when."""
    flat = _decode(answer, type=list[str])
    return [(token, float(until)) for token, until in zip(flat[::2], flat[1::2], strict=True)]


def counts_of(answer: bytes) -> list[int]:
    """The answer of `watching.lua`."""
    return _decode(answer, type=list[int])


def count_of(answer: bytes) -> int:
    """The answer of a script that counts."""
    return _decode(answer, type=int)


def texts_of(answer: bytes) -> list[str]:
    """The answer of `kept.lua`, and of `unled.lua`."""
    return _decode(answer, type=list[str])


def lease_of(answer: bytes) -> Lease:
    """The answer of `lease.lua`."""
    return Lease(*_decode(answer, type=tuple[int, float]))


def truth_of(answer: bytes) -> bool:
    """The answer of a script that says yes or no."""
    return _decode(answer, type=bool)


def fitness_of(answer: bytes) -> tuple[list[str], list[str]]:
    """The answer of `fitness.lua`: commands that are lacking, and keys that are another program's."""
    return _decode(answer, type=tuple[list[str], list[str]])


def message_of(data: bytes) -> tuple[str, bool, list[str]]:
    """A message for those who watch raw events: channel, whether for hosts alone, events."""
    return _decode(data, type=tuple[str, bool, list[str]])
