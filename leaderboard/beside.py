"""A command that runs as long as the server: `serve -- npm test` is server, tests and verdict in one step."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence

NOT_FOUND = 127
"""What a shell says of a command that there is not."""


class Beside:
    """Starts a command when the server is ready, and ends the server when the command has ended."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._task: asyncio.Task[None] | None = None
        self.code = 0
        """The command's exit code, as a shell tells it; 0 until it has one."""

    def start(self, variables: Mapping[str, str]) -> None:
        """Start it, with these variables beside those of this process."""
        if self._command:
            self._task = asyncio.get_running_loop().create_task(self._run(variables))

    async def _run(self, variables: Mapping[str, str]) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, env={**os.environ, **variables}
            )
        except OSError as error:
            print(f"error: {self._command[0]}: {error.strerror}", file=sys.stderr)
            self.code = NOT_FOUND
        else:
            try:
                code = await process.wait()
            except asyncio.CancelledError:  # the server ends first
                process.terminate()
                raise
            self.code = code if code >= 0 else 128 - code
        signal.raise_signal(signal.SIGTERM)  # the server drains, as whenever it is told to stop
