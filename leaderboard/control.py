"""The command of a host: ``leaderboard control``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from leaderboard.client import connect
from leaderboard.commands import publish_events
from leaderboard.settings import LOCAL
from leaderboard.shell import Channel, Key, Token, Url, duration, need, raw, run

control_command = typer.Typer()


class Op(StrEnum):
    """What a host may do to a board."""

    OPEN = "open"
    CLOSE = "close"
    CLEAR = "clear"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    REVEAL = "reveal"
    PROPS = "props"
    ENTER = "enter"
    HIDE = "hide"
    SHOW = "show"
    BAN = "ban"
    UNBAN = "unban"
    REMOVE = "remove"
    UNDO = "undo"


_OF_A_PLAYER = (Op.ENTER, Op.HIDE, Op.SHOW, Op.BAN, Op.UNBAN, Op.REMOVE)


@control_command.command()
def control(
    channel: Channel,
    op: Annotated[Op, typer.Argument(help="What to do.")],
    what: Annotated[
        str | None,
        typer.Argument(metavar="[PLAYER|JSON]", help="Whom, or the props as a JSON object."),
    ] = None,
    url: Url = LOCAL,
    key: Key = None,
    token: Token = None,
    wait: Annotated[
        float | None,
        typer.Option("--in", metavar="TIME", parser=duration, help="open: when, as 3s."),
    ] = None,
    length: Annotated[
        float | None,
        typer.Option(
            "--for", metavar="TIME", parser=duration, help="open: how long, as 30s or 5m."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="reveal: so many places now.")] = None,
    every: Annotated[
        float | None,
        typer.Option(metavar="TIME", parser=duration, help="reveal: a place each so often, as 1s."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="enter: the player's name.")] = None,
    players: Annotated[
        bool, typer.Option("--players", help="clear: keep the players, each at 0.")
    ] = False,
) -> None:
    """Do what a host does: open and close rounds, freeze and reveal the board, hide and ban players.

    Examples:

        leaderboard control /game/KX7M open --in 3s --for 30s

        leaderboard control /game/KX7M reveal --every 1s

        leaderboard control /game/KX7M ban ann
    """
    event: dict[str, object] = {"op": op.value}
    for option, of, value, member in (
        ("--in", Op.OPEN, wait, "in_ms"),
        ("--for", Op.OPEN, length, "for_ms"),
        ("--every", Op.REVEAL, every, "every_ms"),
    ):
        if value is not None:
            _belongs(option, of, op)
            event[member] = round(value * 1000)
    if steps is not None:
        _belongs("--steps", Op.REVEAL, op)
        event["steps"] = steps
    if name is not None:
        _belongs("--name", Op.ENTER, op)
        event["name"] = name
    if players:
        _belongs("--players", Op.CLEAR, op)
        event["players"] = True
    if op in _OF_A_PLAYER:
        if not what:
            raise typer.BadParameter(f"{op} whom?", param_hint="PLAYER")
        event["player"] = what
    elif op is Op.PROPS:
        event["props"] = raw(what or "{}", "JSON")
    elif what is not None:
        raise typer.BadParameter(f"{op} needs no {what!r}")
    need(key or token)

    async def send() -> bool:
        async with connect(url, key, token=token) as client:
            return await publish_events(client, channel, [event], retry=False)

    if not run(send()):
        raise typer.Exit(1)


def _belongs(option: str, of: Op, op: Op) -> None:
    if op is not of:
        raise typer.BadParameter(f"belongs to {of}", param_hint=option)
