"""What a board shows while its host hides names: labels that follow from the ids of players.

A name that is masked is another thing than a player who is hidden (`Hide`): that one has no row to be seen at all, and
places that are veiled are those of a frozen board that are not revealed yet (`round.hidden` on the wire).

Whether names are masked is data: the member ``hide_names`` of ``props.public``. It is asked where a board is read, so
that no screen, no file and no picture can forget it, and a masked name never leaves the server, except to hosts
who look behind (`View.live`) or search for players.
"""

from __future__ import annotations

import zlib

import msgspec

from leaderboard.engines import Reading
from leaderboard.ranking import Row, View, Window
from leaderboard.suggestions import FIRST, LAST

HIDES = b'"hide_names":true'
"""Of `props.public` as a board encodes it; looked for first, since few boards have it and all are read often."""
BOT = b'"bot":true'
"""Of the `meta` of a bot's row."""


class _Public(msgspec.Struct):
    hide_names: bool = False


def masked(reading: Reading) -> Reading:
    """The reading as it may be shown."""
    if HIDES not in bytes(reading.props) or not _hides(reading):
        return reading
    windows = {view: _masked(view, window) for view, window in reading.windows.items()}
    return msgspec.structs.replace(reading, windows=windows)


def label(player: str) -> str:
    """What a player is called who is not to be named: the same on every screen, and in every round.

    >>> label("tY3f")
    'Plucky Koala 33'
    """
    digest = zlib.crc32(player.encode())
    number, digest = digest % 99 + 1, digest // 99
    return f"{FIRST[digest % len(FIRST)]} {LAST[digest // len(FIRST) % len(LAST)]} {number}"


def _hides(reading: Reading) -> bool:
    try:
        return msgspec.json.decode(reading.props, type=_Public).hide_names
    except msgspec.ValidationError:  # it is in some other member, or these props are no object
        return False


def _masked(view: View, window: Window) -> Window:
    if view.live:
        return window
    lists = {name: _labelled(getattr(window, name)) for name in ("rows", "around", "of")}
    return msgspec.structs.replace(window, **lists)


def _labelled(rows: list[Row] | None) -> list[Row] | None:
    return rows and [msgspec.structs.replace(row, name=_named(row)) for row in rows]


def _named(row: Row) -> str:
    """A bot stays one for all to see."""
    mark = "🤖 " if row.meta is not None and BOT in bytes(row.meta) else ""
    return f"{mark}{label(row.player)}"
