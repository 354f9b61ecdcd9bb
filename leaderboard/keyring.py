"""The commands about links: ``leaderboard link``, ``links`` and ``revoke``."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

import segno
import typer
from rich.table import Table

from leaderboard.link import endpoint
from leaderboard.settings import LOCAL
from leaderboard.shell import AsJson, Key, Lifetime, PublishRate, Token, Url, fail, out
from leaderboard.tokens import LIFETIME

PATIENCE = 10.0

keyring_commands = typer.Typer()


@keyring_commands.command()
def link(
    channel: Annotated[
        str, typer.Option(help="The channel it is good for; not for a player: also /game/* or /*.")
    ],
    role: Annotated[
        Literal["viewer", "player", "scorekeeper", "presenter", "game-server"],
        typer.Option(help="What who has it may do."),
    ] = "viewer",
    player: Annotated[str | None, typer.Option(help="Whose row, with --role player.")] = None,
    lifetime: Lifetime = 7200.0,
    rate: PublishRate = None,
    label: Annotated[str, typer.Option(help="A word to know it by in the list.")] = "",
    qr: Annotated[bool, typer.Option(help="Draw its QR code.")] = True,
    url: Url = LOCAL,
    key: Key = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make a link that carries a role, as an address and a QR code, with the key or token of a host.

    Whoever has the address has the role, until it ends or is revoked: `leaderboard revoke ID`.

    Examples:

        leaderboard link --role scorekeeper --channel "/leaderboard/*" --for 8h --rate 10

        leaderboard link --role player --channel /leaderboard/cup --player ann
    """
    if not 1 <= lifetime <= LIFETIME:
        fail("--for is 1s to 24h")
    wanted: dict[str, Any] = {
        "role": role,
        "channel": channel,
        "seconds": int(lifetime),
        "label": label,
    }
    if player is not None:
        wanted["player"] = player
    if rate is not None:
        wanted["rate"] = rate
    made = _asked("POST", url, "/api/links", key, token, wanted)
    if as_json:
        typer.echo(json.dumps(made, indent=2))
        return
    typer.echo(made["url"])
    if qr and out.is_terminal:
        segno.make(made["url"], error="l", boost_error=False).terminal(compact=True)
    out.print(f"id {made['id']}, good until {_time(made['ends'])} UTC", style="dim")


@keyring_commands.command()
def links(url: Url = LOCAL, key: Key = None, token: Token = None, as_json: AsJson = False) -> None:
    """List the links that are good, without their tokens: those to the channels of the key or token.

    Examples:

        leaderboard links
    """
    found = _asked("GET", url, "/api/links", key, token)["links"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("id", "role", "channel", "player", "rate", "until (UTC)", "label", box=None)
    for each in found:
        rate = str(each.get("rate", ""))
        table.add_row(
            *(each["id"], each["role"], each["channel"], each.get("player", ""), rate),
            *(_time(each["ends"]), each.get("label", "")),
        )
    out.print(table)


@keyring_commands.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Of a link, or of any token.")],
    url: Url = LOCAL,
    key: Key = None,
    token: Token = None,
) -> None:
    """Revoke a link of yours, or as an admin any token: it opens nothing more, and what it has opened ends now.

    Examples:

        leaderboard revoke 3f9c27b1d04e8a65c2f17b90
    """
    quoted = quote(token_id, safe="")
    try:
        _request("DELETE", url, f"/api/links/{quoted}", key, token)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            fail(_said(error))
        # No link that is listed: any token may be meant, which is for an admin to say.
        _asked("DELETE", url, f"/api/tokens/{quoted}", key, token)
    out.print(f"Revoked {token_id}.", markup=False)


def _asked(
    method: str, url: str, path: str, key: str | None, token: str | None, body: Any = None
) -> Any:
    """What the server answers; what it refuses with ends the command."""
    try:
        return _request(method, url, path, key, token, body)
    except urllib.error.HTTPError as error:
        fail(_said(error))


def _request(
    method: str, url: str, path: str, key: str | None, token: str | None, body: Any = None
) -> Any:
    if not (key or token):
        fail("links need the key or token of a host: set LEADERBOARD_KEY or LEADERBOARD_TOKEN")
    base = endpoint(url).removesuffix("/event/realtime").replace("ws", "http", 1)
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": token} if token else {"x-api-key": key or ""}
    # `endpoint` has seen to it that this is an http address.
    request = urllib.request.Request(base + path, data, headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError:
        raise
    except OSError as error:
        fail(f"{base} cannot be reached: {getattr(error, 'reason', error)}")


def _said(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["message"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {error.code}"


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
