"""What the server logs: lines for people, or JSON for machines. No payload, and never a credential of its own.

Each line of a connection carries the connection's id, each of an HTTP request the request's, which is also in the
answer (``x-request-id``): who reports a fault names it. Where a line is about one event or one publish, its content
stays out. Should a configured secret stand in a line all the same, as in the text of an exception, it is masked.
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from leaderboard.settings import Settings

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the HTTP request that is being answered."""
connection_id: ContextVar[str] = ContextVar("connection_id", default="")
"""The id of the connection that a handler is being asked for."""
MASK = "********"
_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
"""What every record has: all else is a member that whoever logged it has added."""


def configure(settings: Settings, worker: int | None = None) -> None:
    """Log to stderr as the settings say; this process's logging is ours from here on. Each line names the worker."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter if settings.log_format == "json" else ConsoleFormatter
    handler.setFormatter(formatter(secrets_of(settings), worker))
    level = settings.log_level.upper()
    logging.basicConfig(
        level=max(logging.getLevelName(level), logging.INFO), handlers=[handler], force=True
    )
    # Other libraries' debugging may show what they carry.
    logging.getLogger("leaderboard").setLevel(level)
    logging.getLogger("uvicorn").setLevel("WARNING")


def secrets_of(settings: Settings) -> list[str]:
    """Every credential in the settings, longest first; the viewer's key is public."""
    keys = [settings.secret, settings.metrics_key, *(key.key for key in settings.api_keys)]
    found = {key.get_secret_value() for key in keys}
    for url in str(_plain(settings.engine_url)).split(","):
        password = urlsplit(url.strip()).password
        if password:
            found |= {password, unquote(password)}
    return sorted(found - {""}, key=len, reverse=True)


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


class _Formatter(logging.Formatter):
    def __init__(self, secrets: list[str], worker: int | None = None) -> None:
        super().__init__()
        self._worker = worker
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """One line, or more for a traceback."""
        members = {name: value for name, value in vars(record).items() if name not in _OWN}
        if self._worker is not None:
            members["worker"] = self._worker
        for name, id_ in (("connection", connection_id.get()), ("request", request_id.get())):
            if id_:
                members.setdefault(name, id_)
        line = self.line(record, members)
        for secret in self._secrets:
            line = line.replace(secret, MASK)
        return line

    def line(self, record: logging.LogRecord, members: dict[str, object]) -> str:
        """The line of a record, with what was added to it."""
        raise NotImplementedError

    def traceback(self, record: logging.LogRecord) -> str:
        """The exception of a record, if it has one."""
        return self.formatException(record.exc_info) if record.exc_info else ""


class JsonFormatter(_Formatter):
    """``{"time", "level", "logger", "message", …}``, in ASCII, so that nothing in it moves a cursor."""

    def line(self, record: logging.LogRecord, members: dict[str, object]) -> str:
        content = {
            "time": _moment(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **members,
        }
        if traceback := self.traceback(record):
            content["exception"] = traceback
        return json.dumps(content, default=str)


class ConsoleFormatter(_Formatter):
    """``12:00:00.123 info leaderboard.workers: worker 1 is ready (worker=1)``."""

    def line(self, record: logging.LogRecord, members: dict[str, object]) -> str:
        time = _moment(record).astimezone().strftime("%H:%M:%S.%f")[:-3]
        added = ", ".join(f"{name}={value}" for name, value in members.items())
        text = f"{record.levelname.lower()} {record.name}: {record.getMessage()}"
        text += f" ({added})" if added else ""
        traceback = "\n".join(map(_printable, self.traceback(record).splitlines()))
        return f"{time} {_printable(text)}" + (f"\n{traceback}" if traceback else "")


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _printable(text: str) -> str:
    """A text that is one line and moves no cursor: a client's word for something may stand in it."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
