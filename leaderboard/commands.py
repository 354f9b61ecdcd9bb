"""The commands that talk to a server: ``watch``, ``publish``, ``simulate``. A host has more: `control`, `keyring`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from leaderboard import figures, terminal
from leaderboard.client import Client, Refused, State, connect
from leaderboard.crowd import Mode
from leaderboard.messages import MAX_EVENTS
from leaderboard.ranking import number
from leaderboard.settings import LOCAL, MAX_RADIUS, MAX_TOP, PUBLIC_KEY, Namespace
from leaderboard.shell import (
    AsJson,
    Channel,
    Key,
    Token,
    Url,
    err,
    need,
    on_signal,
    out,
    raw,
    reason,
    run,
    say,
)
from leaderboard.simulate import BATCH, Plan, Simulation

DEFAULT_TOP = Namespace().top
PIPE_PACE = 0.05
"""Seconds between publishes of piped events: 20 a second where AppSync allows 25."""

commands = typer.Typer()


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
    live: Annotated[
        bool, typer.Option("--live", help="See behind a board that is frozen; for its host.")
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

    A frozen board is seen as everybody sees it; its host sees by `--live` what it has become.

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
            client.subscribe(
                channel, top=top, around=around, radius=near, live=live or None
            ) as board,
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


async def publish_events(
    client: Client, channel: str, events: Sequence[object], *, retry: bool = True
) -> bool:
    """Publish and tell of each event; whether none failed."""
    try:
        published = await client.publish(channel, *events, results=True, retry=retry)
    except Refused as refused:
        for each in (refused, *refused.others):
            say(reason(each))
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
        say(f"event {failed.index + 1}: {failed.errorType}: {failed.message}")
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
                say(f"line {at}: {error}")
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
        on_signal(signal.SIGINT, simulation.stop)
        async with figures.progress(err, simulation):
            report = await simulation.run()
        if as_json:
            typer.echo(json.dumps(asdict(report), indent=2))
        else:
            out.print(figures.figures(report))
        return not (report.failed or report.unanswered or report.not_shown)

    if not run(play()):
        raise typer.Exit(1)
