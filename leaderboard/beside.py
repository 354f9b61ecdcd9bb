"""A command that runs as long as the server: `serve -- npm test` is server, tests and verdict in one step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

NOT_FOUND = 127
"""What a shell says of a command that there is not."""
PATIENCE = 10.0
"""Seconds that the command has to end when the server does."""


class Beside:
    """Starts a command when the server is ready, and ends the server when the command has ended.

    It is waited for on a thread, so that it is all the same whether a loop serves here or workers do.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self.code = 0
        """The command's exit code, as a shell tells it; 0 until it has one."""

    def start(self, variables: Mapping[str, str]) -> None:
        """Start it, with these variables beside those of this process."""
        if not self._command:
            return
        try:
            environ = {**os.environ, **variables}
            self._process = subprocess.Popen([*self._command], env=environ)  # noqa: S603, as told
        except OSError as error:
            print(f"error: {self._command[0]}: {error.strerror}", file=sys.stderr)
            self.code = NOT_FOUND
            signal.raise_signal(signal.SIGTERM)
        else:
            threading.Thread(target=self._wait, args=(self._process,), daemon=True).start()

    def stop(self) -> None:
        """The server has ended: so does the command."""
        self._stopping = True
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        if not self._stopping:
            self.code = code if code >= 0 else 128 - code
            os.kill(
                os.getpid(), signal.SIGTERM
            )  # the server drains, as whenever it is told to stop
