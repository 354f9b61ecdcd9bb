"""Several processes that serve one port: started, watched, replaced one by one, and ended together.

The port is bound once and shared: whichever process is free accepts, and a connection that waits to be accepted is
never lost to a restart. Processes are spawned, not forked, so that a restart takes up new code. What a run has made for
itself, its secret, its key and its certificate, is handed down through the pipe of that start, and stands in no
environment or list of processes. A worker whose parent is gone drains and ends.

Signals: SIGINT and SIGTERM end all; SIGHUP reads the settings again and replaces the workers one after the other, each
once its successor serves. A worker that dies is replaced; one that dies before it has ever served is tried again ever
more rarely, and ends the whole if it was one of the first.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from leaderboard import certificates, logs, serving
from leaderboard.app import create_app
from leaderboard.certificates import Made
from leaderboard.settings import ConfigError, Settings

log = logging.getLogger(__name__)

START_TIME = 60.0
"""Seconds in which a worker serves, or has failed: a busy machine needs ten for a dozen of them."""
END_TIME = 10.0
"""Seconds in which a worker has drained: it promises five."""
PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0)
"""Seconds before a worker that keeps dying before it serves is started once more."""
_spawn = multiprocessing.get_context("spawn")


class NotStarted(Exception):
    """A worker could not serve; its log says why."""


@dataclass(frozen=True)
class Plan:
    """What a worker is told. ``values`` are those that `Settings` are made of: another version makes its own."""

    values: Mapping[str, Any] = field(repr=False)
    sources: Mapping[str, str]
    path: str
    """The folder in which handlers may lie."""
    made: Made | None = field(default=None, repr=False)
    plain_asgi: bool = False


class _Worker:
    """One process, and the pipe on which it says that it serves."""

    def __init__(self, number: int, plan: Plan, bound: list[socket.socket]) -> None:
        self.number = number
        self.ready = False
        self.conn, theirs = _spawn.Pipe()
        self.process: SpawnProcess = _spawn.Process(
            target=_work, args=(number, plan, bound, theirs), name=f"worker {number}"
        )
        self.process.start()
        theirs.close()

    def alive(self) -> bool:
        return self.process.is_alive()

    def hear(self) -> None:
        """Take what it has said."""
        with contextlib.suppress(EOFError, OSError):
            if self.conn.poll():
                self.ready = self.conn.recv() == "ready"

    def end(self) -> None:
        """Have it drain."""
        if self.alive():
            self.process.terminate()

    def join(self, by: float) -> None:
        """Wait for its end, and see to it."""
        self.process.join(max(0.0, by - time.monotonic()))
        if self.alive():
            log.warning("worker %d did not end in time", self.number)
            self.process.kill()
            self.process.join()
        self.conn.close()


class Workers:
    """The workers of one run. ``plan`` is asked at each start and at each SIGHUP; it may raise `ConfigError`."""

    def __init__(
        self,
        plan: Callable[[], Plan],
        bound: socket.socket,
        own: list[socket.socket],
        count: int,
    ) -> None:
        self._ask = plan
        self._plan = plan()
        self._bound = bound
        self._own = own
        self._count = count
        self._workers: list[_Worker] = []
        self._failures = [0] * count
        self._due = [0.0] * count
        self._signals: list[int] = []
        self._stopping = False

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until told to stop; ``ready`` runs once all serve. Raises `NotStarted`."""
        with _noted(self._signals) as woken:
            self._woken = woken
            try:
                self._workers = [self._start(number) for number in range(self._count)]
                for worker in self._workers:
                    if not self._until_ready(worker) and not self._stopping:
                        raise NotStarted("a worker could not serve")
                if not self._stopping:
                    ready()
                while not self._stopping:
                    self._wait(1.0)
                    self._handle_signals()
                    self._replace_the_dead()
            finally:
                self._stop_all()

    def _start(self, number: int) -> _Worker:
        bound = [self._bound, *self._own[number : number + 1]]
        return _Worker(number, self._plan, bound)

    def _wait(self, seconds: float) -> None:
        """Until something has happened: a signal, a death, a word."""
        each = self._workers
        wait([self._woken, *(w.process.sentinel for w in each if w.alive())], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 4096)
        for worker in each:
            worker.hear()

    def _until_ready(self, worker: _Worker) -> bool:
        end = time.monotonic() + START_TIME
        while not worker.ready and worker.alive() and time.monotonic() < end and not self._stopping:
            wait([worker.conn, worker.process.sentinel, self._woken], 1.0)
            worker.hear()
            if {signal.SIGINT, signal.SIGTERM} & set(self._signals):
                self._stopping = True
        return worker.ready and worker.alive()

    def _handle_signals(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            if number in (signal.SIGINT, signal.SIGTERM):
                self._stopping = True
                return
            self._restart()

    def _restart(self) -> None:
        """Replace all, one by one; the first that does not come up ends it, and the old ones go on."""
        log.info("restarting %d workers", self._count)
        try:
            plan = self._ask()
        except ConfigError as error:
            log.error("not restarted, the workers go on: %s", error)
            return
        before, self._plan = self._plan, plan
        for number, old in enumerate(list(self._workers)):
            new = self._start(number)
            if not self._until_ready(new):
                new.end()
                new.join(time.monotonic() + END_TIME)
                if not self._stopping:
                    log.error("worker %d could not be replaced; the workers go on", number)
                    self._plan = before
                return
            self._workers[number] = new
            old.end()
            old.join(time.monotonic() + END_TIME)
        log.info("restarted %d workers", self._count)

    def _replace_the_dead(self) -> None:
        now = time.monotonic()
        for number, worker in enumerate(self._workers):
            if worker.alive():
                if worker.ready:
                    self._failures[number] = 0
                continue
            if not self._due[number]:
                failures = self._failures[number]
                if not worker.ready:
                    failures = self._failures[number] = failures + 1
                self._due[number] = now + PAUSES[min(failures, len(PAUSES) - 1)]
                code = worker.process.exitcode
                log.error("worker %d has died (%s); another is started", number, code)
            if self._due[number] <= now:
                self._due[number] = 0.0
                worker.join(now)
                self._workers[number] = self._start(number)

    def _stop_all(self) -> None:
        for worker in self._workers:
            worker.end()
        by = time.monotonic() + END_TIME
        for worker in self._workers:
            worker.join(by)


@contextlib.contextmanager
def _noted(signals: list[int]) -> Iterator[int]:
    """Note the signals that are for us, and give the descriptor that one makes readable."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    numbers = [
        signal.SIGINT,
        signal.SIGTERM,
        *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []),
    ]
    before = {
        number: signal.signal(number, lambda each, _: signals.append(each)) for number in numbers
    }
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


def _work(number: int, plan: Plan, bound: list[socket.socket], parent: Connection) -> None:
    """A worker's whole life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: the parent ends us
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.path.append(plan.path)
    try:
        settings = Settings(**plan.values)
        logs.configure(settings, worker=number)
        app = create_app(settings, plan.sources)
        tls = certificates.context(settings, plan.made)
    except (ConfigError, ValueError) as error:
        logging.getLogger(__name__).error("worker %d: %s", number, error)
        sys.exit(1)
    app.state.authority = plan.made and plan.made.authority
    serving.run(
        app,
        settings,
        bound,
        lambda: parent.send("ready"),
        plain_asgi=plan.plain_asgi,
        tls=tls,
        parent=parent.fileno(),
    )
