"""The commands that talk to a server: ``watch``, ``publish``, ``simulate``, and what an Amplify app needs to do so."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import asdict
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.markup import escape

from leaderboard import figures, terminal
from leaderboard.client import CannotConnect, Client, ClientError, Refused, State, connect
from leaderboard.crowd import Mode
from leaderboard.errors import Unauthorized
from leaderboard.link import endpoint
from leaderboard.messages import MAX_EVENTS
from leaderboard.ranking import number
from leaderboard.settings import MAX_RADIUS, MAX_TOP, AuthMode, Duration, Namespace, Settings
from leaderboard.simulate import BATCH, Plan, Simulation
from leaderboard.tokens import MAX_RATE

LOCAL = "http://127.0.0.1:8000"
"""Where `serve` listens unless told otherwise."""
PUBLIC_KEY = str(Settings.model_fields["viewer_key"].default)
DEFAULT_TOP = Namespace().top
PIPE_PACE = 0.05
"""Seconds between publishes of piped events: 20 a second where AppSync allows 25."""

commands = typer.Typer()
# What is printed may be piped: no colour and no folding there.
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

T = TypeVar("T")


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


@commands.command("amplify-outputs")
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


@commands.command()
def watch(
    channel: Channel,
    url: Url = LOCAL,
    key: Key = None,
    token: Token = None,
    top: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_TOP, help="Rows; default: what a terminal has room for."),
    ] = None,
    around: Annotated[
        str | None, typer.Option(metavar="PLAYER", help="Also show this player and who is near.")
    ] = None,
    radius: Annotated[
        int, typer.Option(min=0, max=MAX_RADIUS, help="Rows on both sides of --around.")
    ] = 2,
    me: Annotated[
        bool, typer.Option("--me", help="That player is you: the place is told as yours.")
    ] = False,
    count: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="End after so many snapshots.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print snapshots as JSON, one a line.")
    ] = False,
) -> None:
    """Watch a board: a live table, with arrows for who has moved in the last five seconds, and gaps to the row above.

    With `--around` it tells that player's place: how far it is to the next one, why equal scores stand as they do (who
    reached the score first stands first), and whom the player is ahead of.

    Where the output is no terminal, each snapshot is one line. A server that goes away is waited for. A channel may end
    in `/*`: then the boards below it are told line by line. Ctrl-C ends it.

    Examples:

        leaderboard watch /leaderboard/arcade

        leaderboard watch /leaderboard/arcade --around ann --me

        leaderboard watch /leaderboard/arcade --json --count 1
    """
    if me and around is None:
        raise typer.BadParameter("say by --around who you are", param_hint="--me")
    table = out.is_terminal and not as_json and not channel.endswith("/*")
    if top is None and table:
        top = terminal.rows_that_fit(out, around, radius)
    elif top is None and around is not None:
        top = DEFAULT_TOP  # or only those around it would be shown

    near = None if around is None else radius

    def turned(state: State) -> None:
        if not table and state in (State.RECONNECTING, State.OFFLINE):
            err.print(f"{state}…", style="yellow")

    async def show() -> None:
        async with (
            connect(url, key or PUBLIC_KEY, token=token, on_state=turned) as client,
            client.subscribe(channel, top=top, around=around, radius=near) as board,
        ):
            if table:
                await terminal.watch(Console(), client, board, around, count, me=me)
                return
            shown = 0
            async for snapshot in board:
                # ASCII, since escapes are what no name can do anything with
                text = json.dumps(msgspec.to_builtins(snapshot))
                typer.echo(text if as_json else terminal.line(snapshot, board))
                shown += 1
                if shown == count:
                    return

    with contextlib.suppress(KeyboardInterrupt):
        run(show())


@commands.command()
def publish(
    channel: Channel,
    source: Annotated[
        str | None,
        typer.Argument(metavar="[-]", help="- reads events from stdin, one JSON value a line."),
    ] = None,
    url: Url = LOCAL,
    key: Key = None,
    token: Token = None,
    player: Annotated[str | None, typer.Option(help="Who scored.")] = None,
    score: Annotated[
        float | None, typer.Option(help="The score; where the board sums up, what to add.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The player's name, as it is shown.")] = None,
    meta: Annotated[
        str | None, typer.Option(metavar="JSON", help="An object that travels with the row.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="JSON", help="An event, sent exactly as it is; up to 5 times."),
    ] = None,
) -> None:
    """Publish a score, or any events.

    Prints where each event left its player. Exit code 1 if any of them failed.

    Examples:

        leaderboard publish /leaderboard/arcade --player ann --score 120 --name Ann

        leaderboard publish /default/news --event '{"text": "Two minutes left"}'

        tail -f scores.jsonl | leaderboard publish /leaderboard/arcade -
    """
    if [source is not None, bool(event), player is not None].count(True) != 1:
        raise typer.BadParameter("give one of --player with --score, --event, and -")
    if source not in (None, "-"):
        raise typer.BadParameter("only - is known, for events from stdin", param_hint="source")
    if event and len(event) > MAX_EVENTS:
        raise typer.BadParameter(f"at most {MAX_EVENTS} of them", param_hint="--event")
    events: list[object] = [raw(text, "--event") for text in event or ()]
    if player is not None:
        events.append(_score(player, score, name, meta))
    need(key or token)

    async def send() -> bool:
        async with connect(url, key, token=token) as client:
            if source:
                return await _pipe(client, channel)
            return await publish_events(client, channel, events, retry=not event)

    if not run(send()):
        raise typer.Exit(1)


def _score(
    player: str, score: float | None, name: str | None, meta: str | None
) -> dict[str, object]:
    if score is None:
        raise typer.BadParameter("--player scores nothing without --score")
    event: dict[str, object] = {"player": player, "score": number(score)}
    if name is not None:
        event["name"] = name
    if meta is not None:
        event["meta"] = raw(meta, "--meta")
    return event


def raw(text: str, option: str) -> msgspec.Raw:
    """JSON text that is sent as it was written, if it is JSON."""
    try:
        msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    return msgspec.Raw(text.encode())


async def publish_events(
    client: Client, channel: str, events: Sequence[object], *, retry: bool = True
) -> bool:
    """Publish and tell of each event; whether none failed."""
    try:
        published = await client.publish(channel, *events, results=True, retry=retry)
    except Refused as refused:
        for each in (refused, *refused.others):
            _say(_reason(each))
        return False
    results = published.results or []
    for item in published.successful:
        result = results[item.index] if item.index < len(results) else None
        if result is None:
            typer.echo("published")
            continue
        who = terminal.clean(result.player)
        gone = result.score is None or result.rank is None
        typer.echo(
            f"{who}: removed" if gone else f"{who}: score {result.score}, rank {result.rank}"
        )
    for failed in published.failed:
        _say(f"event {failed.index + 1}: {failed.errorType}: {failed.message}")
    return not published.failed


async def _pipe(client: Client, channel: str) -> bool:
    """Publish the lines of stdin as they come, those that wait together; whether none failed."""
    well = True
    async for lines in _batches():
        events = []
        for at, text in lines:
            try:
                events.append(msgspec.json.decode(text))
            except (ValueError, RecursionError) as error:
                _say(f"line {at}: {error}")
                well = False
        if events:
            well &= await publish_events(client, channel, events)
            await asyncio.sleep(PIPE_PACE)
    return well


async def _batches() -> AsyncIterator[list[tuple[int, str]]]:
    """Numbered lines of stdin that are not blank, as many together as wait, at most `MAX_EVENTS`."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[tuple[int, str] | None] = asyncio.Queue(MAX_EVENTS)

    def read() -> None:
        # Nothing else reads any input there is without blocking the loop: files, pipes and terminals alike.
        for numbered in enumerate(sys.stdin, 1):
            asyncio.run_coroutine_threadsafe(lines.put(numbered), loop).result()
        asyncio.run_coroutine_threadsafe(lines.put(None), loop).result()

    threading.Thread(target=read, name="reader of stdin", daemon=True).start()
    ended = False
    while not ended:
        batch = [await lines.get()]
        while len(batch) < MAX_EVENTS and not lines.empty():
            batch.append(lines.get_nowait())
        ended = batch[-1] is None
        yield [line for line in batch if line is not None and line[1].strip()]


@commands.command()
def simulate(
    channel: Channel,
    url: Url = LOCAL,
    key: Key = None,
    token: Token = None,
    players: Annotated[int, typer.Option(min=1, help="How many play.")] = 50,
    rate: Annotated[
        float, typer.Option(min=0.01, help="Scores per second, of all together.")
    ] = 100,
    seconds: Annotated[float, typer.Option(min=0.1, help="For how long.")] = 30,
    mode: Annotated[
        Mode | None,
        typer.Option(
            help="How scores move; default: what makes the board move.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed is the same crowd.")] = 1,
    connections: Annotated[
        int | None,
        typer.Option(min=1, help="Publishing connections; default: what AppSync's limit asks for."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, max=BATCH, help="Scores in one publish; default: 1 if that will do."),
    ] = None,
    watchers: Annotated[int, typer.Option(min=1, help="Connections that subscribe.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Let a crowd play on a board, and measure what it felt: a demonstration that is a load test.

    Scores go out when they are due, whether or not earlier ones were answered, spread over as many connections as
    AppSync's 25 publishes a second for each need.

    *Publish to snapshot* is the time from the call of publish until a snapshot that includes the score has reached a
    subscriber, taken for every score. A board that keeps changing is sent once per `interval_ms` (100), so on a busy
    one p50 is about half of that, and p99 about all of it; on a quiet one a score shows at once.

    Ctrl-C ends the game early, with the figures so far. Exit code 1 if a score failed, was not answered, or not shown.

    Examples:

        leaderboard simulate /leaderboard/demo

        leaderboard simulate /leaderboard/demo --rate 2000 --players 5000 --watchers 100 --seconds 10 --json
    """
    plan = Plan(channel, players, rate, seconds, connections, watchers, batch, mode, seed)
    need(key or token)
    simulation = Simulation(plan, lambda: Client(url, key, token=token))

    async def play() -> bool:
        _on_signal(signal.SIGINT, simulation.stop)
        async with figures.progress(err, simulation):
            report = await simulation.run()
        if as_json:
            typer.echo(json.dumps(asdict(report), indent=2))
        else:
            out.print(figures.figures(report))
        return not (report.failed or report.unanswered or report.not_shown)

    if not run(play()):
        raise typer.Exit(1)


# -- shared ------------------------------------------------------------------------------------------------------------


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run until it ends, is interrupted or terminated; what a server or the network did is an error in one line."""

    async def terminable() -> T:
        task = asyncio.ensure_future(main)
        _on_signal(signal.SIGTERM, task.cancel)
        return await task

    try:
        return asyncio.run(terminable())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except ClientError as error:
        fail(_reason(error))


def _reason(error: ClientError) -> str:
    """What went wrong, and what may help."""
    match error:
        case Refused(error_type=Unauthorized.error_type):
            return f"{error} Is LEADERBOARD_KEY, or LEADERBOARD_TOKEN, one of this server that may do so?"
        case CannotConnect():
            return f"{error}. Is the server running?"
    return str(error)


def _on_signal(kind: signal.Signals, call: Callable[[], object]) -> None:
    with contextlib.suppress(NotImplementedError):  # Windows: there it ends as Python does
        asyncio.get_running_loop().add_signal_handler(kind, call)


def need(credential: str | None) -> None:
    """Publishing does: the public key may only view."""
    if not credential:
        fail(
            "publishing needs a key: set LEADERBOARD_KEY to one, such as `leaderboard serve` prints"
        )


def _say(message: str) -> None:
    for line in message.splitlines():
        err.print(f"[red]error:[/red] {escape(terminal.clean(line))}")


def fail(message: str) -> NoReturn:
    """End the command with a message for people and exit code 1."""
    _say(message)
    raise typer.Exit(1)
