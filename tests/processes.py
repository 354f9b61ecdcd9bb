"""`leaderboard serve` as a process of its own, for tests that are about processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from typing import Any

from tests.conftest import ADMIN

PATIENCE = 40.0
"""Seconds in which a busy machine has started a few processes."""


class Serve:
    """A running `leaderboard serve`, and all that it has said."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.said = ""
        self._heard = asyncio.Event()
        self._reader = asyncio.create_task(self._read(), name="reader of a server")

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.said += line.decode()
            self._heard.set()
        self._heard.set()

    async def says(self, pattern: str) -> re.Match[str]:
        """Wait until it has said this."""
        try:
            async with asyncio.timeout(PATIENCE):
                while (found := re.search(pattern, self.said)) is None:
                    assert not self._reader.done(), (
                        f"it has ended without {pattern!r}:\n{self.said}"
                    )
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            raise AssertionError(f"{pattern!r} was not said:\n{self.said}") from None
        return found

    async def url(self) -> str:
        """Where it is, once it is ready."""
        return (await self.says(r"is ready at (\S+)"))[1]

    async def ends(self, number: signal.Signals | None = signal.SIGTERM) -> int:
        """Its exit code, after a signal."""
        if number is not None and self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
            await self._reader
        return code


@contextlib.asynccontextmanager
async def serve(
    *flags: str, program: tuple[str, ...] = ("leaderboard", "serve"), **settings: Any
) -> AsyncIterator[Serve]:
    """Start one with these flags, and with settings by its environment; it ends with the block."""
    values = {"port": 0, "api_keys": [{"key": ADMIN, "role": "admin"}], **settings}
    environ = {name: value for name, value in os.environ.items() if "LEADERBOARD" not in name}
    for name, value in values.items():
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            environ[f"LEADERBOARD_{name.upper()}"] = text
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *program, *flags,
        stdout=PIPE, stderr=STDOUT, env={**environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    server = Serve(process)
    try:
        yield server
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(15):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        await server._reader
