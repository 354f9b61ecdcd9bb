"""The command ``leaderboard``, of the commands that other rooms have."""

from __future__ import annotations

from typing import Annotated

import typer

from leaderboard import __version__
from leaderboard.commands import commands
from leaderboard.control import control_command
from leaderboard.keyring import keyring_commands
from leaderboard.launch import launch
from leaderboard.offline import offline
from leaderboard.shell import out

cli = typer.Typer(
    name="leaderboard",
    help="Real-time leaderboards over one WebSocket that speaks AppSync Events.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # its frames print local variables: keys among them
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


for part in (launch, offline, commands, control_command, keyring_commands):
    cli.add_typer(part)
