"""What `watch` shows: a board that fills the terminal and moves, or a line per snapshot where there is no terminal.

Names come from strangers. Each is cleaned of what could steer a terminal and becomes `Text`, which rich never reads as
markup. Nor does anything depend on how wide a terminal draws them, on which no two agree for half of the world's
scripts: every cell is placed by its column, and no line is padded or may wrap.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleDimensions
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from leaderboard import channels
from leaderboard.client import Client, Row, Snapshot, Snapshots, Standing, Standings, State
from leaderboard.names import clean_name
from leaderboard.settings import MAX_TOP
from leaderboard.standing import amount, phrases

TICK = 0.25
"""Seconds after which the table is drawn anew without news: arrows fade, the window is resized, the link goes."""
CHROME = 5
"""Lines of the screen that are no rows: title, the place of the player looked around, headings; empty, footer."""
WIDTH = 72
"""Columns beyond which the table does not grow: the eye must find the score that belongs to a name."""
RANK, MOVE, PLAYER, GAP = 6, 8, 13, 10
"""Columns of the table: where ranks end, where arrows and names begin, and how many from the right edge scores end."""
NARROW = 48
"""Columns below which a table has no gaps: scores then end at the right edge."""

_STATES = {
    State.CONNECTING: ("○ Connecting", "yellow"),
    State.LIVE: ("● Live", "green"),
    State.RECONNECTING: ("○ Reconnecting", "yellow"),
    State.OFFLINE: ("○ Offline, last known {}", "red"),
    State.REFUSED: ("○ Access refused", "red"),
    State.CLOSED: ("○ Closed", "red"),
}

Line = list[tuple[int, Text]]
"""Cells of one line, each with the column at which it begins."""


def rows_that_fit(console: Console, around: str | None, radius: int) -> int:
    """How many rows of the top to ask for, so that the table fills the screen."""
    below = 0 if around is None else 2 * radius + 2
    return min(MAX_TOP, max(3, console.size.height - CHROME - below))


async def watch(
    console: Console,
    client: Client,
    board: Snapshots,
    around: str | None,
    count: int | None,
    *,
    me: bool = False,
) -> None:
    """Show a board on the whole screen, until cancelled or for ``count`` snapshots; the last one then stays.

    It tells the place of the player ``around``, and says "you" if that is ``me``.
    """
    table = BoardTable(board.channel, around, me=me)
    try:
        with _whole_screen(console):
            while count is None or count > 0:
                try:
                    async with asyncio.timeout(TICK):
                        table.see(await anext(board))
                    count = None if count is None else count - 1
                except TimeoutError:
                    pass
                _paint(console, table.screen(client.state, console.size))
    except StopAsyncIteration:
        pass  # the client was closed
    finally:
        for cells in table.lasting(console.size):
            with console:
                _put(console, cells)
                console.print()


class BoardTable:
    """A board as lines of a terminal, whose rows explain themselves. ``clock`` is seconds that never step."""

    def __init__(
        self,
        channel: str,
        around: str | None,
        clock: Callable[[], float] = time.monotonic,
        *,
        me: bool = False,
    ) -> None:
        self._channel = channel
        self._around = around
        self._me = me
        self._standings = Standings(clock=clock)
        self._clock = clock
        self._at = 0.0
        """When the last snapshot came."""
        self._snapshot: Snapshot | None = None
        self._seen = ""
        """The time of day of the last snapshot."""

    def see(self, snapshot: Snapshot) -> None:
        """Show this one from now on."""
        self._standings.see(snapshot)
        self._snapshot, self._at = snapshot, self._clock()
        self._seen = time.strftime("%H:%M:%S")

    def screen(self, state: State, size: ConsoleDimensions) -> list[Line]:
        """The whole screen: title and footer at its edges, and as many rows as fit."""
        if state is State.LIVE and self._snapshot is not None and self._snapshot.stale:
            state = State.RECONNECTING  # the server is, to its boards
        words, style = _STATES[state]
        room = max(1, size.height - CHROME)
        body = self._body(room, size.width)
        return [
            self._edge(Text(self._channel, "bold"), Text(words.format(self._seen), style), size),
            self._place(size),
            *body,
            *([] for _ in range(room + 1 - len(body))),
            [],
            self._footer(size, "Ctrl-C ends"),
        ]

    def lasting(self, size: ConsoleDimensions) -> list[Line]:
        """What stays on the terminal at the end."""
        if self._snapshot is None:
            return []
        title = self._edge(Text(self._channel, "bold"), Text(f"at {self._seen}", "dim"), size)
        return [
            title,
            self._place(size),
            *self._body(MAX_TOP, size.width),
            [],
            self._footer(size),
        ]

    def _body(self, room: int, width: int) -> list[Line]:
        """Headings and the rows that fit, or why there are none."""
        left, right = _edges(width)
        rows = self._rows(room)
        if not rows:
            return [[(left, Text("No scores yet." if self._snapshot else "", "dim"))]]
        scores = right if right - left < NARROW else right - GAP
        headings = [("Rank", left + RANK - 4), ("Player", left + PLAYER), ("Score", scores - 5)]
        if scores < right:
            headings.append(("Gap", right - 3))
        lines: list[Line] = [[(column, Text(text, "dim")) for text, column in headings]]
        for row in rows:
            if row is None:
                lines.append([(left + RANK - 1, Text("⋯", "dim"))])
                continue
            style = "bold cyan" if row.player == self._around else "bold" if row.rank == 1 else ""
            rank, score = Text(f"{row.rank:,}", style), Text(number(row.score), style)
            player = Text(name(row), style)
            player.truncate(scores - score.cell_len - 2 - left - PLAYER, overflow="ellipsis")
            standing = self._standings.of(row.player)
            gap = _gap(standing) if scores < right else Text()
            lines.append(
                [
                    (max(0, left + RANK - rank.cell_len), rank),
                    (left + MOVE, _arrow(standing)),
                    (left + PLAYER, player),
                    (scores - score.cell_len, score),
                    (right - gap.cell_len, gap),
                ]
            )
        return lines

    def _rows(self, room: int) -> list[Row | None]:
        """The rows that fit, None where places are left out."""
        snapshot = self._snapshot
        if snapshot is None:
            return []
        last = snapshot.rows[-1].position if snapshot.rows else 0
        below = [row for row in snapshot.around if row.position > last]
        near: list[Row | None] = [*below]
        if snapshot.rows and below and below[0].position > last + 1:
            near.insert(0, None)
        return [*snapshot.rows[: max(0, room - len(near))], *near][:room]

    def _place(self, size: ConsoleDimensions) -> Line:
        """Where the player stands whom we look around: as much of it as fits."""
        if self._around is None or self._snapshot is None:
            return []
        standing = self._standings.of(self._around)
        called = (standing and standing.row.name) or self._around
        subject = "You are" if self._me else f"{clean(called)} is"
        rows = self._snapshot.rows  # a host may see behind the veil
        veiled = self._snapshot.round.hidden > 0 and not (rows and rows[0].position == 1)
        told = phrases(standing, subject, veiled=veiled)
        left, right = _edges(size.width)
        while len(told) > 1 and Text(" · ".join(told)).cell_len > right - left:
            told.pop()
        text = Text(" · ".join(told), "cyan")
        text.truncate(max(1, right - left), overflow="ellipsis")
        return [(left, text)]

    def _footer(self, size: ConsoleDimensions, hint: str = "") -> Line:
        """The round and who is there: as much of it as fits, and the hint where there is room for that too."""
        left, right = _edges(size.width)
        told = self._summary()
        while len(told) > 1 and len(" · ".join(told)) > right - left:
            told.pop()
        text = " · ".join(told)
        if len(text) + 2 + len(hint) > right - left:
            hint = ""
        return self._edge(Text(text, "dim"), Text(hint, "dim"), size)

    def _summary(self) -> list[str]:
        snapshot = self._snapshot
        if snapshot is None:
            return []
        parts = [_players(snapshot), f"{snapshot.watching:,} watching"]
        if snapshot.playing:
            parts.append(f"{snapshot.playing:,} playing")
        return [*_round(snapshot, self._clock() - self._at), *parts]

    def _edge(self, start: Text, end: Text, size: ConsoleDimensions) -> Line:
        left, right = _edges(size.width)
        taken = end.cell_len + 2 if end else 0
        start.truncate(max(1, right - left - taken), overflow="ellipsis")
        return [(left, start), (max(0, right - end.cell_len), end)]


def line(snapshot: Snapshot, board: Snapshots) -> str:
    """A snapshot in one line, for what is no terminal."""
    parts = [time.strftime("%H:%M:%S"), _players(snapshot), *_round(snapshot, 0)]
    if channels.is_wildcard(board.channel):
        parts.insert(1, snapshot.channel)
    rows = {row.player: row for row in (*snapshot.rows, *snapshot.around)}
    parts += [f"{row.rank}. {name(row)} {number(row.score)}" for row in rows.values()]
    return "  ".join(parts)


def name(row: Row) -> str:
    """What a row's player is called."""
    return clean(row.name or row.player)


def clean(text: str) -> str:
    """A stranger's text, without what could do something to a terminal.

    >>> clean("Eve\\x1b[2J\\u202e")
    'Eve[2J'
    """
    return clean_name(text) or "?"


def number(score: float) -> str:
    """A score for people.

    >>> number(1234567), number(0.1 + 0.2)
    ('1,234,567', '0.3')
    """
    return f"{score:,}" if isinstance(score, int) else f"{score:,.15g}"


def _arrow(standing: Standing | None) -> Text:
    places = standing.moved if standing is not None else 0
    if places == 0:
        return Text()
    return Text(f"▲{places}", "green") if places > 0 else Text(f"▼{-places}", "red")


def _gap(standing: Standing | None) -> Text:
    """How far it is to the row above, or that both have the same score."""
    if standing is None or not standing.reason:
        return Text()
    gap = Text("=" if standing.tied else amount(standing.gap or 0), "dim")
    gap.truncate(GAP - 2, overflow="ellipsis")
    return gap


def _players(snapshot: Snapshot) -> str:
    return "1 player" if snapshot.total == 1 else f"{snapshot.total:,} players"


def _round(snapshot: Snapshot, since: float) -> Iterator[str]:
    """The round in words, ``since`` seconds after the snapshot came; nothing of a board without rounds."""
    round = snapshot.round
    left = snapshot.starts_in_ms if round.state == "soon" else snapshot.ends_in_ms
    if left is not None:
        seconds = max(0, math.ceil(left / 1000 - since))
        clock = f"{seconds // 60}:{seconds % 60:02}"
        yield f"round {round.number:,} {'begins in' if round.state == 'soon' else 'ends in'} {clock}"
    elif round.number > 1 or round.state == "closed":
        yield f"round {round.number:,} is {round.state}"
    if round.hidden:
        yield f"{round.hidden:,} to be revealed"
    elif round.frozen:
        yield "frozen"


def _edges(width: int) -> tuple[int, int]:
    """The first column of the table, and the one behind its last: in the middle, and never the terminal's last."""
    used = min(WIDTH, width - 2)
    left = (width - used) // 2
    return left, left + used


@contextmanager
def _whole_screen(console: Console) -> Iterator[None]:
    """The terminal's other screen, without a cursor and without wrapping; the first one comes back unharmed."""
    with console.screen(hide_cursor=True):
        console.file.write("\x1b[?7l")
        try:
            yield
        finally:
            console.file.write("\x1b[?7h")


def _paint(console: Console, lines: list[Line]) -> None:
    """Draw the whole screen, in one write, over what was there."""
    with console:
        for row, cells in enumerate(lines[: console.size.height]):
            console.control(Control.move_to(0, row), Control((ControlType.ERASE_IN_LINE, 2)))
            _put(console, cells)


def _put(console: Console, cells: Line) -> None:
    for column, text in cells:
        if text:
            console.control(Control((ControlType.CURSOR_MOVE_TO_COLUMN, column)))
            console.print(text, end="", soft_wrap=True)
