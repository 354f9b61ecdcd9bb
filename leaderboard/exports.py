"""A whole board as a file: CSV for spreadsheets, JSON lines for programs."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec
from fastapi.responses import StreamingResponse

from leaderboard.answers import NOSNIFF, READ_HEADERS
from leaderboard.broker import Broker
from leaderboard.engines import Reading
from leaderboard.errors import LimitExceeded
from leaderboard.ranking import Row, View

PAGE = 1000
"""Rows that are read at a time: a few milliseconds of everybody's loop."""
MOST = 50
"""Files that are under way at a time: each remembers whom it has had, of the largest boards some megabytes."""


def export(
    broker: Broker, first: Reading, view: View, form: str, under_way: set[object]
) -> StreamingResponse:
    """All rows of a board from its ``first`` reading on, through a view of `PAGE` rows, as ``csv`` or ``jsonl``; raises
    `LimitExceeded` where too many are ``under_way``, among which it is until it has been read."""
    if len(under_way) >= MOST:
        raise LimitExceeded(f"{MOST} files are being read now, and no more may be.", retry_after=5)
    write, media_type = FORMS[form]
    path = first.channel

    async def lines() -> AsyncIterator[str]:
        mark = object()
        under_way.add(mark)
        try:
            async for text in whole():
                yield text
        finally:
            under_way.discard(mark)

    async def whole() -> AsyncIterator[str]:
        if form == "csv":
            yield _csv_line(("rank", "position", "player", "name", "score", "meta"))
        # A board that moves meanwhile is read at several versions: a player stands in the file once, at the
        # first place seen. One that is at rest is exact.
        seen: set[str] = set()
        page, reading = view, first
        while (window := reading.windows.get(page)) is not None:
            rows = window.rows or []
            yield "".join(write(row) for row in rows if row.player not in seen)
            seen.update(row.player for row in rows)
            page = msgspec.structs.replace(page, offset=page.offset + PAGE)
            if page.offset >= window.total:
                return
            await asyncio.sleep(0)
            reading = await broker.read(path, page)

    name = path[1:].replace("/", "-") + (f"-{view.round}" if view.round else "")
    disposition = {"content-disposition": f'attachment; filename="{name}.{form}"'}
    headers = {**READ_HEADERS, **NOSNIFF, **disposition}
    return StreamingResponse(lines(), media_type=media_type, headers=headers)


def _json_line(row: Row) -> str:
    return msgspec.json.encode(row).decode() + "\n"


def _csv_row(row: Row) -> str:
    meta = "" if row.meta is None else bytes(row.meta).decode()
    cells = (_plain(row.player), _plain(row.name or ""), row.score, _plain(meta))
    return _csv_line((row.rank, row.position, *cells))


_FORMULA = re.compile(r"(^|;)(?=\s*[=+\-@＝＋－＠]|\s*[\t\r])")
"""Where a formula would begin: in a cell, and behind a semicolon, which ends a cell for a spreadsheet whose language
writes numbers with a comma."""


def _plain(text: str) -> str:
    return _FORMULA.sub(r"\1'", text)


def _csv_line(cells: tuple[object, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)  # RFC 4180
    return line.getvalue()


FORMS: Mapping[str, tuple[Callable[[Row], str], str]] = {
    "csv": (_csv_row, "text/csv; charset=utf-8"),
    "jsonl": (_json_line, "application/jsonl; charset=utf-8"),
}
