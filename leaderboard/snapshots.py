"""Snapshots: a board as it was read, made into what subscribers and readers get.

A snapshot's frame is constant but for the subscriber's id and what that subscriber alone is told, so the body of a
board is encoded and escaped once for all that share a view, and a frame is spliced of its parts:

    snapshot_prefix(id) + own(reset, skipped) + body + live(time, who watches and plays, what the round waits for)

Who gets which, and when, is for the `audience` and the `fanout` to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from leaderboard import rounds
from leaderboard.board import NO_PROPS
from leaderboard.engines import Reading
from leaderboard.ranking import Row, View, Window
from leaderboard.replies import data_prefix, encode, escape
from leaderboard.rounds import State


class Round(Struct, frozen=True, omit_defaults=True):
    """The round member of a snapshot. While a frozen board is revealed, so many places are still ``hidden``."""

    number: int
    state: State
    frozen: bool
    props: msgspec.Raw
    hidden: int = 0


class _Body(Struct):
    channel: str
    epoch: str
    version: int
    round: Round
    total: int
    rows: list[Row] | UnsetType
    around: list[Row] | UnsetType
    of: list[Row] | UnsetType


class Snapshot(Struct):
    """A board through a view, as subscribers and readers get it; the encoder puts it together from its parts."""

    type: Literal["snapshot"]
    channel: str
    epoch: str
    version: int
    round: Round
    total: int
    time: int
    watching: int
    playing: int
    starts_in_ms: int | UnsetType = UNSET
    ends_in_ms: int | UnsetType = UNSET
    stale: bool | UnsetType = UNSET
    rows: list[Row] | UnsetType = UNSET
    around: list[Row] | UnsetType = UNSET
    of: list[Row] | UnsetType = UNSET
    reset: bool = False
    skipped: int = 0


class Live(Struct):
    """What a snapshot says of the moment at which it was sent: milliseconds since 1970, who watches and plays, and how
    long it is until the round begins and ends. ``stale``: the board cannot be reached; this was seen last."""

    time: int
    watching: int
    playing: int
    starts_in_ms: int | UnsetType = UNSET
    ends_in_ms: int | UnsetType = UNSET
    stale: bool | UnsetType = UNSET


def body(channel: str, epoch: str, round: Round, window: Window) -> str:
    """The members of a snapshot that are the same for all who share a view: JSON without the braces."""
    return _members(
        _Body(
            channel,
            epoch,
            window.version,
            round,
            window.total,
            UNSET if window.rows is None else window.rows,
            UNSET if window.around is None else window.around,
            UNSET if window.of is None else window.of,
        )
    )


def live(moment: Live) -> str:
    """The live members of a snapshot: JSON without the braces."""
    return _members(moment)


def own(*, reset: bool, skipped: int) -> str:
    """The members that only one subscriber is told, each with a comma behind it; mostly empty."""
    text = '"reset":true,' if reset else ""
    return f'{text}"skipped":{skipped},' if skipped else text


def snapshot(body: str, live: str) -> str:
    """A snapshot as HTTP and pages read it."""
    return f'{{"type":"snapshot",{body},{live}}}'


def shared(body: str, live: str) -> bytes:
    """The end of a snapshot's ``data`` frame, escaped once and the same for all who share a view."""
    return escape(f"{body},{live}}}") + b'"}'


@lru_cache(maxsize=1024)
def snapshot_prefix(id: str) -> bytes:  # noqa: A002
    """The beginning of every ``data`` frame of a subscription to snapshots; one object for all with the same id."""
    return data_prefix(id) + rb"{\"type\":\"snapshot\","


def _members(struct: Struct) -> str:
    return encode(struct)[1:-1].decode()


class Body(Struct, frozen=True):
    """The encoded members of a snapshot that all who share a view are told, and the position they stand for."""

    epoch: str
    version: int
    state: object
    """All else that tells what it shows from what another of this version does."""
    text: str


def bodies(reading: Reading) -> Iterator[tuple[View, Body]]:
    """What was read, encoded once per view."""
    number, state, props = reading.round.number, reading.round.state, reading.props
    present = Round(number, state, reading.frozen, props, reading.veiled)
    for view, window in reading.windows.items():
        round = present
        if view.round is not None and view.round != number:
            round = Round(view.round, "closed", False, NO_PROPS)
        text = body(reading.channel, reading.epoch, round, window)
        shown = (reading.round, reading.frozen, reading.veiled, bytes(props))
        yield view, Body(reading.epoch, window.version, shown, text)


def moment(now: float, round: rounds.Round, playing: int, watching: int) -> Live:
    """What is live of a board at ``now``, on the engine's clock."""
    return Live(
        int(now * 1000),
        watching,
        playing,
        UNSET if round.starts_at is None else _until(round.starts_at, now),
        UNSET if round.ends_at is None else _until(round.ends_at, now),
    )


def _until(moment: float, now: float) -> int:
    """Whole milliseconds, rounded up: a round that goes on is never shown as over."""
    return max(0, math.ceil((moment - now) * 1000))
