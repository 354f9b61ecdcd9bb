"""The commands that start a server, ``serve`` and ``demo``: what they refuse, how it begins and how it ends."""

from __future__ import annotations

import contextlib
import secrets
import socket
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from fastapi import FastAPI
from pydantic import SecretStr

from leaderboard import announcement, certificates, logs, serving
from leaderboard.app import create_app, may_share
from leaderboard.beside import Beside
from leaderboard.certificates import Made
from leaderboard.credentials import new_api_key
from leaderboard.demo import Show
from leaderboard.emulation import Emulation
from leaderboard.engines import CannotOpen
from leaderboard.rooms import MOST_BOTS
from leaderboard.settings import DEV, ApiKey, ConfigError, Settings
from leaderboard.shell import ConfigFile, fail, load_settings, out, read_template
from leaderboard.sources import DEFAULT_FILE, Loaded, load
from leaderboard.workers import NotStarted, Plan, Workers

launch = typer.Typer()


@launch.command()
def serve(
    config: ConfigFile = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 0.0.0.0 lets phones in.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 = any free one.")] = None,
    public_url: Annotated[
        str | None, typer.Option(help="What links point to, as https://scores.example.")
    ] = None,
    tls: Annotated[
        str | None,
        typer.Option(
            metavar="dev", help="Serve TLS, with a certificate made for this run; or set tls_cert."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; more than one need an engine that they share.")
    ] = None,
    plain_asgi: Annotated[
        bool, typer.Option("--plain-asgi", help="Leave out the fast door into uvicorn.")
    ] = False,
    emulate: Annotated[
        bool,
        typer.Option(
            "--emulate", help="Be as strict as AppSync Events at AWS; tell who relies on more."
        ),
    ] = False,
    template: Annotated[
        Path | None,
        typer.Option(
            help="Take the Event API of a CloudFormation template, as `cdk synth` writes it."
        ),
    ] = None,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- COMMAND]",
            help="Run this once the server is ready, then end the server, with its exit code.",
        ),
    ] = None,
) -> None:
    """Start the server.

    Without configuration it listens on 127.0.0.1:8000, keeps boards in memory, and makes an API key for this run.
    Ctrl-C drains: every subscriber gets the last snapshot before the connection closes.

    Examples:

        leaderboard serve

        leaderboard serve --host 0.0.0.0 --port 9000

        leaderboard serve --config leaderboard.toml

        leaderboard serve --emulate --template cdk.out/Api.template.json --port 0 -- npm test

        LEADERBOARD_ENGINE_URL=redis://127.0.0.1 leaderboard serve --workers 3

    The command after `--` finds the server by `LEADERBOARD_URL` and `LEADERBOARD_KEY`, and so do `leaderboard publish`,
    `watch` and `amplify-outputs` in it.
    """
    if tls not in (None, DEV):
        raise typer.BadParameter(
            "only dev; a certificate of yours goes into tls_cert and tls_key", param_hint="--tls"
        )
    imported = read_template(template).settings if template else {}
    given = {
        "emulate": emulate or None,
        "host": host,
        "port": port,
        "public_url": public_url,
        "tls_cert": tls,
        "workers": workers,
    }
    flags = {name: value for name, value in given.items() if value is not None} | imported
    loaded = load_settings(config, **flags)
    settings, made_key = _with_key(loaded.settings)
    logs.configure(settings)
    beside = Beside(command or ())
    path = _find_handlers(loaded)
    with _refused():
        _may_be_several(loaded.settings)
        if settings.workers > 1:
            made, _ = _certificate(settings)
            handed: dict[str, Any] = {
                "secret": settings.secret.get_secret_value() or secrets.token_urlsafe(32),
                "api_keys": [{"key": made_key, "role": "admin"}],
            }

            def plan() -> Plan:
                again = load(config, flags)
                own = {name: value for name, value in handed.items() if not again.values.get(name)}
                return Plan({**again.values, **own}, again.sources, path, made, plain_asgi)

            _serve_by_workers(settings, handed["secret"], plan, made_key, beside)
            return
        app, bound, context = _open(settings, loaded.sources)

    def ready() -> None:
        _begin(app.state.settings, bound, made_key, beside)

    serving.run(app, settings, [bound], ready, plain_asgi=plain_asgi, tls=context)
    _end(beside, app.state.emulation)


@launch.command()
def demo(
    config: ConfigFile = None,
    host: Annotated[
        str | None, typer.Option(show_default="0.0.0.0", help="Address to listen on.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 = any free one.")] = None,
    public_url: Annotated[
        str | None, typer.Option(help="What links point to, as https://scores.example.")
    ] = None,
    bots: Annotated[
        int, typer.Option(min=0, max=MOST_BOTS, help="Bots that play along, until changed there.")
    ] = 12,
    browser: Annotated[
        bool, typer.Option(help="Open the presenter page in this machine's browser.")
    ] = True,
) -> None:
    """Start the server for a room full of people: it lets phones in and opens a room of the game.

    Prints a QR code to join by, and the link of the presenter page, which it opens in a browser if there is one.
    That link makes whoever has it the host.

    Examples:

        leaderboard demo

        leaderboard demo --port 9000 --bots 0 --no-browser
    """
    loaded = load_settings(config, host=host, port=port, public_url=public_url)
    settings = loaded.settings
    if "host" not in loaded.sources:
        settings = settings.model_copy(update={"host": "0.0.0.0"})
    settings, made_key = _with_key(settings)
    logs.configure(settings)
    _find_handlers(loaded)
    with _refused():
        _may_be_several(loaded.settings)
        app, bound, context = _open(settings, loaded.sources)
    show = Show(app, settings, serving.urls(settings, bound)[-1], bots=bots, browser=browser)
    if made_key:
        out.print(f"API key  [bold]{made_key}[/bold]  (admin, made for this run)")
    if settings.tls_cert == DEV:
        announcement.of_authority(serving.urls(settings, bound)[-1])
    serving.run(app, settings, [bound], show.begin, tls=context)
    out.print("Stopped.")


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    """What keeps a server from starting ends the command in one line."""
    try:
        yield
    except (ConfigError, serving.CannotListen, NotStarted) as error:
        fail(str(error))
    except CannotOpen as error:
        fail(f"engine_url: {error}")


def _find_handlers(loaded: Loaded) -> str:
    """The folder of the settings file: handlers may lie there."""
    path = str((loaded.file or Path(DEFAULT_FILE)).absolute().parent)
    sys.path.append(path)  # last, so that they hide nothing that is installed
    return path


class _Opened(NamedTuple):
    """A server to which nobody has been let in yet."""

    app: FastAPI
    bound: socket.socket
    tls: ssl.SSLContext | None


def _open(settings: Settings, sources: Mapping[str, str]) -> _Opened:
    """All of a start that may be refused."""
    made, context = _certificate(settings)
    app = create_app(settings, sources)
    app.state.authority = made and made.authority
    bound = serving.listen(settings.host, settings.port)
    serving.check_engine(settings)
    return _Opened(app, bound, context)


def _certificate(settings: Settings) -> tuple[Made | None, ssl.SSLContext | None]:
    """What was made for this run, if that was asked for, and what is spoken with it or one of the operator's."""
    made = certificates.make(settings) if settings.tls_cert == DEV else None
    return made, certificates.context(settings, made)


def _serve_by_workers(
    settings: Settings,
    secret: str,
    plan: Callable[[], Plan],
    made_key: str | None,
    beside: Beside,
) -> None:
    # What it refuses is said here, once.
    create_app(settings.model_copy(update={"secret": SecretStr(secret)}))
    bound = serving.listen(settings.host, settings.port)
    own = [
        serving.listen(settings.host, settings.worker_port + number)
        for number in range(settings.workers if settings.worker_port else 0)
    ]
    serving.check_engine(settings)
    crew = Workers(plan, bound, own, settings.workers)
    crew.run(lambda: _begin(settings, bound, made_key, beside))
    _end(beside)


def _may_be_several(settings: Settings) -> None:
    """Raises `ConfigError` where processes could not be one server: for want of an engine, or of what they share.

    Asked before a key is made for this run. Workers have theirs handed down.
    """
    if settings.workers == 1:
        may_share(settings)
    elif str(settings.engine_url).startswith("memory:"):
        raise ConfigError(
            f"{settings.workers} workers need an engine that they share: set LEADERBOARD_ENGINE_URL=redis://…; "
            "with boards in the memory of each, players would not meet"
        )


def _with_key(settings: Settings) -> tuple[Settings, str | None]:
    """The settings, with an admin key for this run if none is configured."""
    if settings.api_keys:
        return settings, None
    key = new_api_key()
    made = ApiKey(key=SecretStr(key), role="admin")
    return settings.model_copy(update={"api_keys": (made,)}), key


def _begin(settings: Settings, bound: socket.socket, made_key: str | None, beside: Beside) -> None:
    """Connections are accepted: say where, and start the command."""
    urls = serving.urls(settings, bound)
    announcement.of_start(settings, urls, made_key)
    key = made_key or settings.api_keys[0].key.get_secret_value()
    beside.start({"LEADERBOARD_URL": urls[-1], "LEADERBOARD_KEY": key})


def _end(beside: Beside, emulation: Emulation | None = None) -> None:
    beside.stop()
    if emulation is not None:
        announcement.of_emulation(emulation)
    out.print("Stopped.")
    if beside.code:
        raise typer.Exit(beside.code)
