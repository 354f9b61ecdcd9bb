"""A room of the game for everybody who is there: what `leaderboard demo` does once its server runs."""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser
from functools import partial
from typing import TextIO, cast
from urllib.parse import urlsplit

import segno
from fastapi import FastAPI

from leaderboard import addresses, rooms
from leaderboard.bots import Bots
from leaderboard.errors import Refusal
from leaderboard.rooms import NewRoom
from leaderboard.settings import Settings
from leaderboard.shell import err, out


class Show:
    """One room, its links in the terminal, and its presenter page in the browser. ``own`` is this machine's address."""

    def __init__(
        self, app: FastAPI, settings: Settings, own: str, *, bots: int, browser: bool
    ) -> None:
        self._app = app
        self._settings = settings
        self._own = own
        self._bots = bots
        self._browser = browser
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """To be called on the loop, once connections are accepted."""
        self._task = asyncio.create_task(self._open(), name="opening the room")

    async def _open(self) -> None:
        try:
            wanted = NewRoom(bots=self._bots)
            operations = self._app.state.operations
            code, token = await rooms.new_room(operations, self._settings, wanted)
        except Refusal as refusal:
            err.print(f"No room was opened: {refusal.message}", markup=False)
            return
        bots: Bots = self._app.state.bots
        bots.look_after(rooms.channel_of(code))
        stage = f"{self._own}/r/{code}/present#{token}"
        self._tell(code, stage)
        if self._browser and has_display():
            opened = partial(webbrowser.open, stage)
            await asyncio.get_running_loop().run_in_executor(None, opened)

    def _tell(self, code: str, stage: str) -> None:
        port = urlsplit(self._own).port or self._settings.port
        others = addresses.for_others(self._settings, port)
        out.print(f"\nRoom [bold]{code}[/bold] is open.\n")
        if others:
            join = f"{others}/j/{code}"
            printed = segno.make(join, micro=False)
            printed.terminal(cast(TextIO, out.file), compact=True, border=2)
            out.print(f"\n  join       {join}", markup=False)
        else:
            err.print(
                "No phone can get here: only this machine's own address is known. "
                "Try --host 0.0.0.0 on a network, or --public-url.",
                style="yellow",
            )
            out.print(f"  join       {self._own}/j/{code}", markup=False)
        out.print(f"  presenter  {stage}", markup=False)
        out.print("             whoever has this link is the host")
        out.print("\nCtrl-C ends the server, and the room with it.\n")


def has_display() -> bool:
    """Whether a browser would have a screen of its own, and not take over the terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
