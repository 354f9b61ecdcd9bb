"""What the commands have in common: options that several take, where they print, and how they run and fail."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.markup import escape

from leaderboard import cloudformation, terminal
from leaderboard.client import CannotConnect, ClientError, Refused
from leaderboard.errors import Unauthorized
from leaderboard.link import endpoint
from leaderboard.settings import ConfigError, Duration
from leaderboard.sources import Loaded, load
from leaderboard.tokens import MAX_RATE

# What is printed may be piped: no colour and no folding there.
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

T = TypeVar("T")

# -- options -----------------------------------------------------------------------------------------------------------


def _address(text: str) -> str:
    try:
        endpoint(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def duration(text: str) -> float:
    """Seconds, of an option such as 90s, 30m or 2h."""
    try:
        return TypeAdapter(Duration).validate_python(text)
    except ValidationError:
        raise typer.BadParameter(f"{text!r} is no time such as 90s, 30m or 2h") from None


Channel = Annotated[str, typer.Argument(help="A channel, as /leaderboard/arcade.")]
Url = Annotated[
    str,
    typer.Option("--url", envvar="LEADERBOARD_URL", callback=_address, help="The server."),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar="LEADERBOARD_KEY",
        show_default=False,
        help="API key. Better given in the environment: arguments show in the list of processes.",
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="LEADERBOARD_TOKEN",
        show_default=False,
        help="Signed token, as of `leaderboard token`, instead of a key. Better given in the environment, too.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
Lifetime = Annotated[
    float,
    typer.Option(
        "--for",
        metavar="TIME",
        parser=duration,
        show_default="2h",
        help="How long, as 90s, 30m or 2h; at most 24h.",
    ),
]
PublishRate = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_RATE, help="Publishes in any second, of all who have it."),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; default: ./leaderboard.toml, if there is one."),
]


def raw(text: str, option: str) -> msgspec.Raw:
    """JSON text that is sent as it was written, if it is JSON."""
    try:
        msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    return msgspec.Raw(text.encode())


def load_settings(config: Path | None, **flags: Any) -> Loaded:
    """Settings from all sources; flags that were not given are left out."""
    try:
        return load(config, {name: value for name, value in flags.items() if value is not None})
    except ConfigError as error:
        fail(str(error))


def read_template(template: Path, api: str | None = None) -> cloudformation.Imported:
    """What a template says, and on stderr what of it was passed over."""
    try:
        imported = cloudformation.read(template, api)
    except ConfigError as error:
        fail(str(error))
    for note in imported.notes:
        err.print(f"note: {note}", style="dim", markup=False)
    return imported


# -- running -----------------------------------------------------------------------------------------------------------


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run until it ends, is interrupted or terminated; what a server or the network did is an error in one line."""

    async def terminable() -> T:
        task = asyncio.ensure_future(main)
        on_signal(signal.SIGTERM, task.cancel)
        return await task

    try:
        return asyncio.run(terminable())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except ClientError as error:
        fail(reason(error))


def reason(error: ClientError) -> str:
    """What went wrong, and what may help."""
    match error:
        case Refused(error_type=Unauthorized.error_type):
            return f"{error} Is LEADERBOARD_KEY, or LEADERBOARD_TOKEN, one of this server that may do so?"
        case CannotConnect():
            return f"{error}. Is the server running?"
    return str(error)


def on_signal(kind: signal.Signals, call: Callable[[], object]) -> None:
    """Have it called on the running loop, where the system has signals."""
    with contextlib.suppress(NotImplementedError):  # Windows: there it ends as Python does
        asyncio.get_running_loop().add_signal_handler(kind, call)


def need(credential: str | None) -> None:
    """Publishing does: the public key may only view."""
    if not credential:
        fail(
            "publishing needs a key: set LEADERBOARD_KEY to one, such as `leaderboard serve` prints"
        )


def say(message: str) -> None:
    """Tell of an error and go on."""
    for line in message.splitlines():
        err.print(f"[red]error:[/red] {escape(terminal.clean(line))}")


def fail(message: str) -> NoReturn:
    """End the command with a message for people and exit code 1."""
    say(message)
    raise typer.Exit(1)
