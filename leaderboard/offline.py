"""The commands that need no server: what settings there are, tokens, and the way to and from AWS' tools."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from leaderboard.auth import Authenticator
from leaderboard.errors import BadRequest
from leaderboard.events import MAX_PLAYER
from leaderboard.link import endpoint
from leaderboard.names import is_printable_id
from leaderboard.settings import LOCAL, PUBLIC_KEY, AuthMode, ConfigError, Settings
from leaderboard.shell import (
    AsJson,
    ConfigFile,
    Key,
    Lifetime,
    PublishRate,
    Url,
    err,
    fail,
    load_settings,
    read_template,
)
from leaderboard.sources import toml
from leaderboard.tokens import TokenRole

offline = typer.Typer()


@offline.command("import-template")
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
    imported = read_template(template, api)
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


@offline.command()
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
    loaded = load_settings(config)
    if as_json:
        settings = loaded.settings.model_dump(mode="json")
        typer.echo(json.dumps({"settings": settings, "sources": dict(loaded.sources)}, indent=2))
    else:
        typer.echo("\n".join(toml(loaded.settings, loaded.sources)))


@offline.command()
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
    settings = load_settings(config).settings
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


@offline.command("amplify-outputs")
def amplify_outputs(
    url: Url = LOCAL,
    key: Key = None,
    plain_http: Annotated[
        bool,
        typer.Option("--plain-http", help="Without TLS; so it is anyway for http:// addresses."),
    ] = False,
    mode: Annotated[
        AuthMode, typer.Option(help="The auth mode of the app, where it names no other.")
    ] = "API_KEY",
) -> None:
    """Print the amplify_outputs.json with which an Amplify app uses this server.

    aws-amplify insists on TLS for what begins with `https://` or `http://`, but not for `HTTP://`: that is how it
    reaches a server on this machine or network. Without a key of yours it carries the public one, which may only view.
    In other modes than API_KEY it carries none: the app gets its tokens from its provider.

    Examples:

        leaderboard amplify-outputs > amplify_outputs.json

        leaderboard amplify-outputs --url https://scores.example > amplify_outputs.json

        leaderboard amplify-outputs --mode OPENID_CONNECT > amplify_outputs.json
    """
    address = endpoint(url).removesuffix("/realtime")
    scheme, _, rest = address.partition("://")
    if scheme == "ws" or plain_http:
        note = "HTTP:// keeps aws-amplify from insisting on TLS: fit for tests and demonstrations."
        err.print(f"note: {note}", style="dim")
        scheme = "HTTP"
    else:
        scheme = "https"
    keyed = mode == "API_KEY"
    if keyed and key not in (None, PUBLIC_KEY):
        err.print("note: the key becomes part of the app, where all who use it can read it.")
    events = {
        "url": f"{scheme}://{rest}",
        "aws_region": "us-east-1",  # asked for, and used for nothing
        "default_authorization_type": mode,
        **({"api_key": key or PUBLIC_KEY} if keyed else {}),
    }
    typer.echo(json.dumps({"version": "1.3", "custom": {"events": events}}, indent=2))
