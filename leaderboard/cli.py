"""The command ``leaderboard``: the server's side of it. `commands` has what talks to a server."""

from __future__ import annotations

import json
import secrets
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr, ValidationError

from leaderboard import __version__, certificates, cloudformation, logs, serving
from leaderboard.app import create_app, may_share
from leaderboard.auth import Authenticator
from leaderboard.beside import Beside
from leaderboard.commands import (
    LOCAL,
    PUBLIC_KEY,
    AsJson,
    Lifetime,
    PublishRate,
    commands,
    err,
    fail,
    out,
)
from leaderboard.control import control_command
from leaderboard.credentials import new_api_key
from leaderboard.demo import Show
from leaderboard.emulation import Emulation
from leaderboard.engines import CannotOpen
from leaderboard.errors import BadRequest
from leaderboard.events import MAX_PLAYER
from leaderboard.keyring import keyring_commands
from leaderboard.names import is_printable_id
from leaderboard.rooms import MOST_BOTS
from leaderboard.settings import DEV, ApiKey, ConfigError, Settings
from leaderboard.sources import DEFAULT_FILE, Loaded, load, toml
from leaderboard.tokens import TokenRole
from leaderboard.workers import NotStarted, Plan, Workers

cli = typer.Typer(
    name="leaderboard",
    help="Real-time leaderboards over one WebSocket that speaks AppSync Events.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # its frames print local variables: keys among them
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; default: ./leaderboard.toml, if there is one."),
]


def main() -> None:
    """Entry point of the console script."""
    cli()


def _print_version(asked: bool) -> None:
    if asked:
        out.print(__version__)
        raise typer.Exit


@cli.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    pass


@cli.command()
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
    imported = _import(template).settings if template else {}
    given = {
        "emulate": emulate or None,
        "host": host,
        "port": port,
        "public_url": public_url,
        "tls_cert": tls,
        "workers": workers,
    }
    flags = {name: value for name, value in given.items() if value is not None} | imported
    loaded = _load(config, **flags)
    settings, made_key = _with_key(loaded.settings)
    logs.configure(settings)
    beside = Beside(command or ())
    # Handlers may lie beside the settings file. Last, so that they hide nothing that is installed.
    path = str((loaded.file or Path(DEFAULT_FILE)).absolute().parent)
    sys.path.append(path)
    try:
        _may_be_several(loaded.settings)
        made = certificates.make(settings) if settings.tls_cert == DEV else None
        context = certificates.context(settings, made)
        if settings.workers > 1:
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
        app = create_app(settings, loaded.sources)
        bound = serving.listen(settings.host, settings.port)
        serving.check_engine(settings)
    except (ConfigError, serving.CannotListen, NotStarted) as error:
        fail(str(error))
    except CannotOpen as error:
        fail(f"engine_url: {error}")

    def ready() -> None:
        _begin(app.state.settings, bound, made_key, beside)

    app.state.authority = made and made.authority
    serving.run(app, settings, [bound], ready, plain_asgi=plain_asgi, tls=context)
    _end(beside, app.state.emulation)


def _begin(settings: Settings, bound: socket.socket, made_key: str | None, beside: Beside) -> None:
    """Connections are accepted: say where, and start the command."""
    urls = serving.urls(settings, bound)
    _announce(settings, urls, made_key)
    key = made_key or settings.api_keys[0].key.get_secret_value()
    beside.start({"LEADERBOARD_URL": urls[-1], "LEADERBOARD_KEY": key})


def _end(beside: Beside, emulation: Emulation | None = None) -> None:
    beside.stop()
    if emulation is not None:
        _tell_of_emulation(emulation)
    out.print("Stopped.")
    if beside.code:
        raise typer.Exit(beside.code)


def _tell_of_emulation(emulation: Emulation) -> None:
    out.print(
        "AppSync Events would have done the same, as far as this server knows."
        if not emulation.told
        else "What is not so at AWS, or is only known here:"
    )
    for sentence in emulation.told:
        out.print(f"  - {sentence}", markup=False)


@cli.command("import-template")
def import_template(
    template: Annotated[Path, typer.Argument(help="A CloudFormation template, as JSON.")],
    api: Annotated[
        str | None, typer.Option(help="Logical id of the Event API, where there are several.")
    ] = None,
) -> None:
    """Print the settings of an Event API's CloudFormation template, as `cdk synth` writes it.

    Auth modes and namespaces become settings. What has no place here is told on stderr, with the reason, and the rest
    goes on.

    Examples:

        leaderboard import-template cdk.out/Api.template.json > leaderboard.toml
    """
    imported = _import(template, api)
    try:
        Settings(**imported.settings)
    except ValidationError as error:
        fail(
            "; ".join(
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
            )
        )
    namespaces = imported.settings.pop("namespaces", {})
    oidc = imported.settings.pop("oidc", {})
    for name, value in imported.settings.items():
        typer.echo(f"{name} = {json.dumps(value)}")
    tables = {"oidc": oidc} if oidc else {}
    tables.update({f"namespaces.{name}": rules for name, rules in namespaces.items()})
    for name, table in tables.items():
        typer.echo(f"\n[{name}]")
        for rule, value in table.items():
            typer.echo(f"{rule} = {json.dumps(value)}")


def _import(template: Path, api: str | None = None) -> cloudformation.Imported:
    """What a template says, and on stderr what of it was passed over."""
    try:
        imported = cloudformation.read(template, api)
    except ConfigError as error:
        fail(str(error))
    for note in imported.notes:
        err.print(f"note: {note}", style="dim", markup=False)
    return imported


@cli.command()
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
    loaded = _load(config, host=host, port=port, public_url=public_url)
    settings = loaded.settings
    if "host" not in loaded.sources:
        settings = settings.model_copy(update={"host": "0.0.0.0"})
    settings, made_key = _with_key(settings)
    logs.configure(settings)
    sys.path.append(str((loaded.file or Path(DEFAULT_FILE)).absolute().parent))
    try:
        _may_be_several(loaded.settings)
        made = certificates.make(settings) if settings.tls_cert == DEV else None
        context = certificates.context(settings, made)
        app = create_app(settings, loaded.sources)
        bound = serving.listen(settings.host, settings.port)
        serving.check_engine(settings)
    except (ConfigError, serving.CannotListen) as error:
        fail(str(error))
    except CannotOpen as error:
        fail(f"engine_url: {error}")
    show = Show(app, settings, serving.urls(settings, bound)[-1], bots=bots, browser=browser)
    if made_key:
        out.print(f"API key  [bold]{made_key}[/bold]  (admin, made for this run)")
    if settings.tls_cert == DEV:
        _tell_of_authority(serving.urls(settings, bound)[-1])
    app.state.authority = made and made.authority
    serving.run(app, settings, [bound], show.begin, tls=context)
    out.print("Stopped.")


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


def _announce(settings: Settings, urls: list[str], made_key: str | None) -> None:
    base, own = urls[0], urls[-1]
    out.print(f"\n[bold]leaderboard {__version__}[/bold] is ready at [bold]{base}[/bold]")
    for url in urls[1:]:
        out.print(f"  also at    {url}")
    out.print(f"  socket     {base.replace('http', 'ws', 1)}/event/realtime")
    out.print(f"  publish    {base}/event")
    out.print(f"  boards     {base}/l")
    if made_key:
        out.print(f"  API key    [bold]{made_key}[/bold]  (admin, made for this run)")
    if settings.tls_cert == DEV:
        _tell_of_authority(own)
    if settings.emulate:
        out.print("  as AWS     extensions are passed over, and told below when a client tries one")
        out.print(
            f"\nFor Amplify, in another terminal:\n  LEADERBOARD_KEY={made_key or '…'} leaderboard amplify-outputs"
            f" --url {own} > amplify_outputs.json\nCtrl-C stops the server.\n",
            markup=False,
        )
        return
    if settings.host in ("127.0.0.1", "localhost", "::1"):
        out.print("  Only this machine can connect; --host 0.0.0.0 lets phones in.")
    boards = (name for name, rules in settings.namespaces.items() if rules.kind == "board")
    if first := next(boards, None):
        to = "" if own == LOCAL else f" --url {own}"
        viewer = settings.viewer_key
        seer = "" if viewer == PUBLIC_KEY else f"LEADERBOARD_KEY={viewer or '…'} "
        out.print("\nNext, in other terminals:")
        out.print(
            f"  LEADERBOARD_KEY={made_key or '…'} leaderboard simulate /{first}/demo{to}",
            markup=False,
        )
        out.print(f"  {seer}leaderboard watch /{first}/demo{to}", markup=False)
        out.print(f"and look at {base}/l/{first}/demo. Ctrl-C stops the server.\n")


def _tell_of_authority(own: str) -> None:
    out.print("  TLS        by a certificate made for this run; for clients to trust it:")
    out.print(f"             curl -sk {own}/-/ca.pem -o ca.pem", markup=False)
    out.print("             export SSL_CERT_FILE=ca.pem NODE_EXTRA_CA_CERTS=ca.pem")


@cli.command()
def config(
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the effective settings, and where each comes from.

    As TOML, fit to begin a settings file with; keys are masked.

    Examples:

        leaderboard config

        LEADERBOARD_PORT=9000 leaderboard config --config leaderboard.toml --json
    """
    loaded = _load(config)
    if as_json:
        settings = loaded.settings.model_dump(mode="json")
        typer.echo(json.dumps({"settings": settings, "sources": dict(loaded.sources)}, indent=2))
    else:
        typer.echo("\n".join(toml(loaded.settings, loaded.sources)))


@cli.command()
def token(
    channel: Annotated[
        str, typer.Option(help="The channel it is good for; not for a player: also /game/* or /*.")
    ],
    role: Annotated[TokenRole, typer.Option(help="What its bearer may do.")] = "player",
    player: Annotated[
        str | None, typer.Option(help="The player whose row it is good for, with --role player.")
    ] = None,
    rate: PublishRate = None,
    lifetime: Lifetime = 7200.0,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Print a signed token: a credential that a server with the same `secret` takes, without having heard of it.

    A player's token publishes and removes that player's row on that one channel, and sees the channel. The token is
    all of the output; its id, by which an admin may revoke it, and its end are told beside it.

    Examples:

        leaderboard token --role player --channel /game/KX7M --player ann --for 2h

        leaderboard token --role scorekeeper --channel "/game/*" --for 12h
    """
    settings = _load(config).settings
    if not settings.secret.get_secret_value():
        fail(
            "no server would take this token: without the setting `secret` each start makes one of its own. "
            "Set LEADERBOARD_SECRET, or `secret` in the settings file, to the same for the server and here"
        )
    if player is not None and not (1 <= len(player) <= MAX_PLAYER and is_printable_id(player)):
        fail(f"--player is 1 to {MAX_PLAYER} characters, none of them a control character")
    try:
        text, claims = Authenticator(settings).issue(role, channel, player, lifetime, rate)
    except BadRequest as error:
        fail(f"no server would take this token: {error.message}")
    except ConfigError as error:
        fail(str(error))
    end = datetime.fromtimestamp(claims.exp, UTC)
    if as_json:
        typer.echo(json.dumps({"token": text, "id": claims.jti, "ends": end.isoformat()}, indent=2))
    else:
        typer.echo(text)
        err.print(f"id {claims.jti}, good until {end:%Y-%m-%d %H:%M:%S} UTC", style="dim")


def _load(config: Path | None, **flags: Any) -> Loaded:
    """Settings from all sources; flags that were not given are left out."""
    try:
        return load(config, {name: value for name, value in flags.items() if value is not None})
    except ConfigError as error:
        fail(str(error))


cli.add_typer(commands)
cli.add_typer(control_command)
cli.add_typer(keyring_commands)
