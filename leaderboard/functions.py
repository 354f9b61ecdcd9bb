"""An operator's own functions: found by an import string, asked, and given up when they take too long.

A plain function runs inline and must be quick: everybody waits for it, and nobody can stop it; of one that took too
long the answer is not taken. An async one makes only whoever asked wait.
Whatever it raises that is no `Refusal` is a fault of the server: the log says by whose fault and where, without a word
of what it was asked about.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from leaderboard.errors import InternalFailure, Refusal
from leaderboard.settings import ConfigError

log = logging.getLogger(__name__)

FAREWELL = 0.5
"""Seconds that functions at work have when the server ends: `serve` promises five in all."""

Done = Callable[[Any], None]


class Running:
    """The async functions at work, each with the way to give it up."""

    def __init__(self) -> None:
        self.tasks: dict[asyncio.Task[Any], Callable[[str], None]] = {}

    async def stop(self) -> None:
        """Give those that are at work a moment to end, then give them up."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=FAREWELL)
        for give_up in list(self.tasks.values()):
            give_up("was at work when the server ended")


class Function:
    """One function of the operator's, and how it is asked. ``kind`` is what the log calls it."""

    def __init__(
        self,
        name: str,
        function: Callable[[Any], Any],
        seconds: float,
        running: Running,
        kind: str = "handler",
    ) -> None:
        self.name = name
        self._function = function
        self._seconds = seconds
        self._late = f"took more than {seconds:g} s"
        self._running = running.tasks
        self._kind = kind

    def ask(self, about: object, done: Done) -> None:
        """Call it. ``done`` runs once, before this returns if the function is a plain one: with what was returned, or
        with the `Refusal` that came of it."""
        begun = time.monotonic()
        try:
            answer = self._function(about)
        except (Exception, asyncio.CancelledError) as error:
            done(self._refusal(error))
            return
        if inspect.isawaitable(answer):
            self._wait(answer, done)
        elif time.monotonic() - begun > self._seconds:
            # The same limit for both kinds; and who wrote it learns what held everybody up.
            done(self.blame(f"{self._late}, and everybody waited"))
        else:
            done(answer)

    def blame(self, what: str) -> InternalFailure:
        """Log what it did wrong; what the client is told instead."""
        log.error("%s %s %s", self._kind, self.name, what)
        return InternalFailure()

    def _wait(self, answer: Awaitable[Any], done: Done) -> None:
        task = asyncio.create_task(_awaited(answer), name=f"{self._kind} {self.name}")

        def give_up(why: str) -> None:
            if task not in self._running:
                return  # it has ended in this very moment
            # Whatever it does from now on, even if it will not be cancelled, nobody waits for it.
            forget()
            task.cancel()
            done(self.blame(why))

        def ended(_: object) -> None:
            # Asked in any case, or the loop tells that nobody ever did.
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if task in self._running:
                forget()
                done(task.result() if error is None else self._refusal(error))

        def forget() -> None:
            timer.cancel()
            del self._running[task]

        timer = asyncio.get_running_loop().call_later(self._seconds, give_up, self._late)
        self._running[task] = give_up
        task.add_done_callback(ended)

    def _refusal(self, error: BaseException) -> Refusal:
        if isinstance(error, Refusal):
            return error
        # Not the error's own text: it may quote what was published, or a credential.
        where = "".join(traceback.format_tb(error.__traceback__))
        return self.blame(f"raised {type(error).__name__}\n{where}".rstrip())


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


def imported(name: str, setting: str) -> Callable[[Any], Any]:
    """The function behind an import string, ``package.module:function``; raises `ConfigError`, naming the setting."""
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:  # a module of somebody else's may raise anything
        raise ConfigError(
            f"{setting}: {name} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if not callable(found):
        raise ConfigError(f"{setting}: {name} is no function")
    return found  # type: ignore[no-any-return]
