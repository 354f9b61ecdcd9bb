"""The command ``leaderboard``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape

from leaderboard import __version__, serving
from leaderboard.app import create_app
from leaderboard.auth import new_api_key
from leaderboard.settings import ApiKey, ConfigError, Loaded, Settings, load

cli = typer.Typer(
    name="leaderboard",
    help="Real-time leaderboards over one WebSocket that speaks AppSync Events.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # its frames print local variables: keys among them
    context_settings={"help_option_names": ["-h", "--help"]},
)
# What is printed may be piped: no colour and no folding there.
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; default: ./leaderboard.toml, if there is one."),
]


def main() -> None:
    """Entry point of the console script."""
    cli()


@cli.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if version:
        out.print(__version__)
        raise typer.Exit


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
) -> None:
    """Start the server.

    Without configuration it listens on 127.0.0.1:8000, keeps boards in memory, and makes an API key for this run.
    Ctrl-C drains: every subscriber gets the last snapshot before the connection closes.

    Examples:

        leaderboard serve

        leaderboard serve --host 0.0.0.0 --port 9000

        leaderboard serve --config leaderboard.toml
    """
    loaded = _load(config, host=host, port=port, public_url=public_url)
    settings, made_key = _with_key(loaded.settings)
    try:
        app = create_app(settings)
        bound = serving.listen(settings.host, settings.port)
    except (ConfigError, serving.CannotListen) as error:
        _fail(str(error))
    serving.run(
        app, settings, bound, lambda: _announce(settings, serving.urls(settings, bound), made_key)
    )
    out.print("Stopped.")


def _with_key(settings: Settings) -> tuple[Settings, str | None]:
    """The settings, with an admin key for this run if none is configured."""
    if settings.api_keys:
        return settings, None
    key = new_api_key()
    made = ApiKey(key=SecretStr(key), role="admin")
    return settings.model_copy(update={"api_keys": (made,)}), key


def _announce(settings: Settings, urls: list[str], made_key: str | None) -> None:
    base = urls[0]
    out.print(f"\n[bold]leaderboard {__version__}[/bold] is ready at [bold]{base}[/bold]")
    for url in urls[1:]:
        out.print(f"  also at    {url}")
    out.print(f"  socket     {base.replace('http', 'ws', 1)}/event/realtime")
    out.print(f"  publish    {base}/event")
    out.print(f"  boards     {base}/l")
    if made_key:
        out.print(f"  API key    [bold]{made_key}[/bold]  (admin, made for this run)")
    if settings.host in ("127.0.0.1", "localhost", "::1"):
        out.print("  Only this machine can connect; --host 0.0.0.0 lets phones in.")
    first = next(
        (name for name, rules in settings.namespaces.items() if rules.kind == "board"), None
    )
    if first:
        key = f"LEADERBOARD_KEY={made_key} " if made_key else ""
        out.print("\nNext, in other terminals:")
        out.print(f"  {key}leaderboard simulate /{first}/demo --url {urls[-1]}")
        out.print(f"  leaderboard watch /{first}/demo --url {urls[-1]}")
        out.print(f"and look at {base}/l/{first}/demo. Ctrl-C stops the server.\n")


def _load(config: Path | None, **flags: Any) -> Loaded:
    """Settings from all sources; flags that were not given are left out."""
    try:
        return load(config, {name: value for name, value in flags.items() if value is not None})
    except ConfigError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    """End the command with a message for people and exit code 1."""
    for line in message.splitlines():
        err.print(f"[red]error:[/red] {escape(line)}")
    raise typer.Exit(1)
