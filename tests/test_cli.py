"""The command, as a person or a script runs it: a process of its own, judged by what it prints and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import struct
import sys
import termios
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

from leaderboard.client import connect as connect_client
from leaderboard.settings import Limits, Namespace, Settings
from tests.appsync import connect
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, Start

ARCADE = "/leaderboard/arcade"
COMMAND = (sys.executable, "-m", "leaderboard")
PATIENCE = 20.0
"""Seconds that a process may take to start and do its work on a busy machine."""


@dataclass
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(**variables: str) -> dict[str, str]:
    """This one without settings of ours, so that a test has those that it gives."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEADERBOARD")}
    return {**kept, "COLUMNS": "100", "TERM": "xterm-256color", **variables}


Run = Callable[..., Awaitable[Ended]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command in an empty folder, to its end."""

    async def run(*arguments: str, stdin: str = "", **variables: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=tmp_path,
            env=environment(**variables),
        )  # fmt: skip
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        assert "Traceback" not in err.decode()
        return Ended(process.returncode, out.decode(), err.decode())

    return run


def keyed(server: Server, key: str = SCOREKEEPER) -> dict[str, str]:
    """The variables by which a command finds a server and says who it is."""
    return {"LEADERBOARD_URL": server.url, "LEADERBOARD_KEY": key}


# -- serve -------------------------------------------------------------------------------------------------------------


@dataclass
class Serving:
    process: asyncio.subprocess.Process
    printed: str

    @property
    def url(self) -> str:
        return self.found(r"is ready at (http://\S+)")

    @property
    def key(self) -> str:
        return self.found(r"API key +(da2-\w{26}) ")

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.printed)
        assert match, self.printed
        return match[1]


@asynccontextmanager
async def serving(folder: Path, *arguments: str, **variables: str) -> AsyncIterator[Serving]:
    """`leaderboard serve` on a free port, once it has said all that it has to say."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "serve", "--port", "0", *arguments,
        stdout=asyncio.subprocess.PIPE,
        cwd=folder,
        env=environment(**variables),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            printed = await process.stdout.readuntil(b"Ctrl-C stops the server.\n\n")
        yield Serving(process, printed.decode())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_hints_of_serve_can_be_followed(tmp_path: Path, run: Run) -> None:
    async with serving(tmp_path) as server:
        hints = re.findall(
            r"^  (?:LEADERBOARD_KEY=(\S+) )?leaderboard (.*)$", server.printed, re.MULTILINE
        )
        (key, simulate), (no_key, watch) = hints
        assert key == server.key
        assert not no_key
        played = await run(*simulate.split(), "--seconds", "0.3", "--json", LEADERBOARD_KEY=key)
        assert (played.code, played.json["failed"]) == (0, 0)
        seen = await run(*watch.split(), "--count", "1", "--json")
        assert (seen.code, seen.json["total"] > 0) == (0, True)


async def test_serve_with_keys_of_ones_own_prints_none(tmp_path: Path) -> None:
    keys = f'[{{"key": "{ADMIN}", "role": "admin"}}]'
    async with serving(tmp_path, LEADERBOARD_API_KEYS=keys) as server:
        assert ADMIN not in server.printed
        assert "LEADERBOARD_KEY=… leaderboard simulate" in server.printed


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM], ids=lambda kind: kind.name)
async def test_stopping_a_server_sends_the_last_snapshot_and_closes_with_1012(
    tmp_path: Path, kind: signal.Signals
) -> None:
    (tmp_path / "leaderboard.toml").write_text("[namespaces.slow]\ninterval_ms = 60000\n")
    async with serving(tmp_path) as server:
        socket = server.url.replace("http", "ws") + "/event/realtime"
        async with connect(socket, server.key) as client:
            board = await client.subscribe("/slow/a")
            await client.publish("/slow/a", {"player": "ann", "score": 1})
            await client.snapshot(board, version=1)
            await client.publish("/slow/a", {"player": "bob", "score": 2})  # due in a minute
            server.process.send_signal(kind)
            assert (await client.snapshot(board, version=2))["total"] == 2
            assert await client.closed() == 1012
            async with asyncio.timeout(5):
                assert await server.process.wait() == 0


async def test_a_port_that_is_taken_is_an_error_with_a_way_out(server: Server, run: Run) -> None:
    ended = await run("serve", "--port", str(server.port))
    assert ended.code == 1
    assert f"Cannot listen on 127.0.0.1:{server.port}" in ended.err
    assert "--port 0" in ended.err


async def test_a_settings_file_with_a_typo_is_an_error_that_names_what_was_meant(
    tmp_path: Path, run: Run
) -> None:
    (tmp_path / "leaderboard.toml").write_text("[limits]\nframes = 1000\n")
    ended = await run("serve")
    assert ended.code == 1
    assert ended.err == (
        "error: leaderboard.toml: limits.frames: no such setting; did you mean limits.frame?\n"
    )


async def test_handlers_lie_beside_the_settings_file(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "board.toml").write_text('[namespaces.game]\non_publish = "rules:double"\n')
    (folder / "rules.py").write_text(
        "def double(ctx):\n"
        "    for event in ctx.events:\n"
        "        event.payload['score'] *= 2\n"
        "    return ctx.events\n"
    )
    async with serving(tmp_path, "--config", "elsewhere/board.toml") as server:
        ended = await run(
            "publish", "/game/a", "--player", "ann", "--score", "5",
            LEADERBOARD_URL=server.url, LEADERBOARD_KEY=server.key,
        )  # fmt: skip
        assert (ended.code, ended.out) == (0, "ann: score 10, rank 1\n")


async def test_a_handler_that_is_not_there_is_an_error_with_its_setting(
    tmp_path: Path, run: Run
) -> None:
    (tmp_path / "leaderboard.toml").write_text('[namespaces.game]\non_publish = "rules:f"\n')
    ended = await run("serve")
    assert ended.code == 1
    assert ended.err == (
        "error: namespaces.game.on_publish: rules:f cannot be imported: "
        "ModuleNotFoundError: No module named 'rules'\n"
    )


# -- config ------------------------------------------------------------------------------------------------------------


async def test_config_prints_toml_that_means_the_same(run: Run) -> None:
    printed = tomllib.loads((await run("config")).out)
    assert Settings(**printed) == Settings()


async def test_config_tells_where_each_setting_comes_from(tmp_path: Path, run: Run) -> None:
    (tmp_path / "my.toml").write_text("port = 9000\n[limits]\nframe = 1234567\n")
    ended = await run("config", "--config", "my.toml", LEADERBOARD_LIMITS__CHANNELS="7")
    sources = dict(re.findall(r"^(\w+ = \S+) +# (.*)$", ended.out, re.MULTILINE))
    assert sources["port = 9000"] == "my.toml"
    assert sources["channels = 7"] == "environment"
    assert sources["top = 10"] == "default"
    assert sources["frame = 1234567"] == "my.toml"  # not rounded to some megabytes


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["toml", "json"])
async def test_config_masks_keys(run: Run, form: tuple[str, ...]) -> None:
    keys = '[{"key": "da2-very-secret", "role": "host", "channels": ["/game/*"]}]'
    ended = await run("config", *form, LEADERBOARD_API_KEYS=keys)
    assert ended.code == 0
    assert "very-secret" not in ended.out + ended.err
    assert "****" in ended.out
    assert "/game/*" in ended.out


async def test_config_as_json_has_settings_and_sources(run: Run) -> None:
    ended = await run("config", "--json", LEADERBOARD_PORT="9000")
    assert ended.json["settings"]["port"] == 9000
    assert ended.json["sources"] == {"port": "environment"}


# -- token -------------------------------------------------------------------------------------------------------------

SECRET = "a secret of the tests, 32 bytes or more"
PLAYER = ("token", "--role", "player", "--channel", "/leaderboard/cup", "--player", "ann")


async def test_a_printed_token_publishes_and_watches_its_board(run: Run, start: Start) -> None:
    server = await start(secret=SECRET)
    printed = await run(*PLAYER, "--for", "2h", LEADERBOARD_SECRET=SECRET)
    assert (printed.code, len(printed.out.split())) == (0, 1)
    assert re.search(r"^id [0-9a-f]{24}, good until \d{4}-\d\d-\d\d .* UTC$", printed.err)
    carried = {"LEADERBOARD_URL": server.url, "LEADERBOARD_TOKEN": printed.out.strip()}
    score = ("--player", "ann", "--score", "5")
    published = await run("publish", "/leaderboard/cup", *score, **carried)
    assert (published.code, published.out) == (0, "ann: score 5, rank 1\n")
    watched = await run("watch", "/leaderboard/cup", "--count", "1", "--json", **carried)
    assert watched.json["rows"][0]["player"] == "ann"
    # it counts before a key, and beyond its channel it does not count
    refused = await run("publish", "/leaderboard/other", *score, **carried, LEADERBOARD_KEY=ADMIN)
    assert refused.code == 1
    assert refused.err.startswith("error: UnauthorizedException: ")
    assert "LEADERBOARD_TOKEN" in refused.err
    assert carried["LEADERBOARD_TOKEN"] not in refused.err


async def test_a_token_for_machines_has_its_id_and_its_end(run: Run, start: Start) -> None:
    server = await start(secret=SECRET)
    printed = await run(*PLAYER, "--for", "90s", "--json", LEADERBOARD_SECRET=SECRET)
    lives = datetime.fromisoformat(printed.json["ends"]) - datetime.now(UTC)
    assert 60 < lives.total_seconds() <= 90
    admin = await server.http(ADMIN)
    assert (await admin.delete(f"/api/tokens/{printed.json['id']}")).status_code == 204
    carried = {"LEADERBOARD_URL": server.url, "LEADERBOARD_TOKEN": printed.json["token"]}
    refused = await run("watch", "/leaderboard/cup", "--count", "1", **carried)
    assert (refused.code, "This token was revoked." in refused.err) == (1, True)


async def test_no_token_is_printed_that_no_server_would_take(run: Run) -> None:
    ephemeral = await run(*PLAYER)
    assert (ephemeral.code, ephemeral.out) == (1, "")
    assert ephemeral.err.startswith("error: no server would take this token: without the setting")
    assert "LEADERBOARD_SECRET" in ephemeral.err
    for arguments, reason in (
        (("--for", "25h"), "no server would take this token: it is to live 1 s to 24 h"),
        (("--channel", "/game/*"), "a player's is for one channel, not for a wildcard"),
        (("--role", "host"), "only a player's names a player"),
        (("--player", "a\nb"), "--player is 1 to 128 characters"),
        (("--player", "a" * 129), "--player is 1 to 128 characters"),
    ):
        ended = await run(*PLAYER, *arguments, LEADERBOARD_SECRET=SECRET)
        assert (ended.code, ended.out) == (1, "")
        assert reason in ended.err
        assert SECRET not in ended.err
    later = await run(
        *PLAYER, LEADERBOARD_SECRET=SECRET, LEADERBOARD_TOKENS_NOT_BEFORE="2100-01-01T00:00:00Z"
    )
    assert (later.code, "tokens_not_before" in later.err) == (1, True)


@pytest.mark.parametrize("arguments", [("--for", "soon"), ("--for", "0s"), ("--role", "root")])
async def test_token_called_wrongly_is_a_usage_error(run: Run, arguments: tuple[str, ...]) -> None:
    assert (await run(*PLAYER, *arguments, LEADERBOARD_SECRET=SECRET)).code == 2


async def test_config_masks_the_secret(run: Run) -> None:
    for form in ((), ("--json",)):
        ended = await run("config", *form, LEADERBOARD_SECRET=SECRET)
        assert (ended.code, SECRET in ended.out) == (0, False)
        assert "****" in ended.out


# -- publish -----------------------------------------------------------------------------------------------------------


async def test_publish_tells_where_a_score_led(server: Server, run: Run) -> None:
    ended = await run(
        "publish", ARCADE, "--player", "ann", "--score", "120", "--name", "Ann", "--meta", '{"a":1}',
        **keyed(server),
    )  # fmt: skip
    assert (ended.code, ended.out, ended.err) == (0, "ann: score 120, rank 1\n", "")
    async with (
        connect_client(server.url, VIEWER) as client,
        client.subscribe(ARCADE) as board,
    ):
        (row,) = (await anext(board)).rows
        assert (row.player, row.score, row.name, row.meta) == ("ann", 120, "Ann", {"a": 1})


async def test_publish_sends_raw_events_as_they_are(server: Server, run: Run) -> None:
    async with (
        connect_client(server.url, ADMIN) as client,
        client.events("/default/news") as events,
    ):
        ended = await run(
            "publish", "/default/news", "--event", '{"player":"a","score":1}', "--event", "[1.0]",
            **keyed(server),
        )  # fmt: skip
        assert (ended.code, ended.out) == (0, "published\npublished\n")
        assert [await anext(events), await anext(events)] == [{"player": "a", "score": 1}, [1.0]]


async def test_publish_fails_if_one_event_does_and_says_which(server: Server, run: Run) -> None:
    ended = await run(
        "publish", ARCADE, "--event", '{"player":"ann","score":7}', "--event", '{"score":7}',
        **keyed(server),
    )  # fmt: skip
    assert (ended.code, ended.out) == (1, "ann: score 7, rank 1\n")
    assert ended.err == "error: event 2: InvalidEvent: player is missing or empty\n"


async def test_publish_that_is_refused_says_why_and_what_may_help(server: Server, run: Run) -> None:
    for key in (VIEWER, "da2-nobody-knows-me"):
        ended = await run("publish", ARCADE, "--player", "a", "--score", "1", **keyed(server, key))
        assert ended.code == 1
        assert ended.err.startswith("error: UnauthorizedException: ")
        assert "LEADERBOARD_KEY" in ended.err
        assert key not in ended.err
    ended = await run("publish", ARCADE, "--player", "a", "--score", "1")
    assert ended.code == 1
    assert "publishing needs a key: set LEADERBOARD_KEY" in ended.err


async def test_publish_reads_events_from_stdin(server: Server, run: Run) -> None:
    lines = [json.dumps({"player": f"p{n}", "score": n}) for n in range(12)]
    ended = await run("publish", "/game/pipe", "-", stdin="\n".join(lines), **keyed(server))
    assert (ended.code, len(ended.out.splitlines())) == (0, 12)
    lines = ['{"player":"p1","score":1}', "", "nope", '{"op":"remove","player":"p0"}']
    ended = await run("publish", "/game/pipe", "-", stdin="\n".join(lines), **keyed(server, ADMIN))
    assert (ended.code, ended.out) == (1, "p1: score 2, rank 10\np0: removed\n")
    assert ended.err.startswith("error: line 3: JSON is malformed")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--player", "ann"),
        ("--player", "ann", "--score", "1", "--event", "{}"),
        ("--event", "{"),
        ("--player", "ann", "--score", "1", "--meta", "{"),
        ("events.jsonl",),
        ("--event", "1") * 6,
        ("--player", "ann", "--score", "1", "--url", "localhost:8000"),
    ],
)
async def test_publish_called_wrongly_is_a_usage_error(
    run: Run, arguments: tuple[str, ...]
) -> None:
    assert (await run("publish", ARCADE, *arguments, LEADERBOARD_KEY=ADMIN)).code == 2


# -- control -----------------------------------------------------------------------------------------------------------


async def test_control_does_what_a_host_does(server: Server, run: Run) -> None:
    async def control(*arguments: str) -> Ended:
        return await run("control", "/game/KX7M", *arguments, **keyed(server, HOST))

    async def board(query: str = "") -> Any:
        return (await (await server.http()).get(f"/api/boards/game/KX7M{query}")).json()

    for arguments in (
        ("props", '{"public":{"title":"Light Nine"}}'),
        ("open", "--for", "5m"),
    ):
        ended = await control(*arguments)
        assert (ended.code, ended.out, ended.err) == (0, "published\n", "")
    opened = await board()
    assert opened["round"]["props"] == {"title": "Light Nine"}
    assert 0 < opened["ends_in_ms"] <= 300_000
    await run("publish", "/game/KX7M", "--player", "ann", "--score", "5", **keyed(server, HOST))
    for command in ("freeze", "reveal --every 10s", "ban ann", "clear"):
        assert (await control(*command.split())).code == 0
    assert (await board())["round"]["number"] == 2
    assert (await board("?round=1"))["total"] == 0
    for command in ("enter bob --name Bob", "freeze", "reveal --steps 1", "clear --players"):
        assert (await control(*command.split())).code == 0
    kept = await board()
    assert kept["round"]["number"] == 3
    assert [(row["name"], row["score"]) for row in kept["rows"]] == [("Bob", 0)]
    ended = await control("reveal")
    assert (ended.code, ended.err) == (
        1,
        "error: NotFrozen: only a frozen board can be revealed\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("jump",),
        ("ban",),
        ("close", "ann"),
        ("props", "{"),
        ("close", "--for", "3s"),
        ("open", "--every", "3s"),
        ("open", "--for", "soon"),
        ("open", "--steps", "1"),
    ],
)
async def test_control_called_wrongly_is_a_usage_error(
    run: Run, arguments: tuple[str, ...]
) -> None:
    assert (await run("control", ARCADE, *arguments, LEADERBOARD_KEY=ADMIN)).code == 2


async def test_nobody_there_is_one_line(server: Server, run: Run) -> None:
    await server.stop()
    for command in (("watch", ARCADE), ("publish", ARCADE, "--event", "1"), ("simulate", ARCADE)):
        ended = await run(*command, **keyed(server))
        assert ended.code == 1
        assert ended.err == (
            f"error: cannot connect to ws://127.0.0.1:{server.port}/event/realtime:"
            " connection refused. Is the server running?\n"
        )


# -- watch -------------------------------------------------------------------------------------------------------------


async def test_watch_prints_a_line_per_snapshot_where_there_is_no_terminal(
    server: Server, run: Run
) -> None:
    async with connect_client(server.url, ADMIN) as client:
        await client.publish(ARCADE, {"player": "ann", "score": 1234, "name": "[red]Ann[/]"})
    ended = await run("watch", ARCADE, "--count", "1", LEADERBOARD_URL=server.url)
    assert ended.code == 0
    assert re.fullmatch(r"\d\d:\d\d:\d\d  1 player  1\. \[red\]Ann\[/\] 1,234\n", ended.out)


async def test_watch_prints_snapshots_as_json_in_ascii(server: Server, run: Run) -> None:
    async with connect_client(server.url, ADMIN) as client:
        await client.publish(ARCADE, {"player": "ann", "score": 1, "name": "李\u0085 Ann"})
    ended = await run(
        "watch", ARCADE, "--json", "--count", "1", "--around", "ann", LEADERBOARD_URL=server.url
    )
    assert (ended.code, ended.out.isascii()) == (0, True)
    assert ended.json["type"] == "snapshot"
    assert ended.json["rows"] == [
        {"rank": 1, "position": 1, "player": "ann", "name": "李 Ann", "score": 1}
    ]
    assert [row["player"] for row in ended.json["around"]] == ["ann"]


async def test_watch_of_a_wildcard_names_the_boards(server: Server, run: Run) -> None:
    async with connect_client(server.url, ADMIN) as client:
        await client.publish("/leaderboard/a/b", {"player": "ann", "score": 1})
    ended = await run("watch", "/leaderboard/*", "--count", "1", LEADERBOARD_URL=server.url)
    assert "  /leaderboard/a/b  1 player  1. ann 1\n" in ended.out


async def test_watch_shows_a_host_what_a_frozen_board_has_become(server: Server, run: Run) -> None:
    async with connect_client(server.url, ADMIN) as client:
        await client.publish(ARCADE, {"player": "ann", "score": 1})
        await client.publish(ARCADE, {"op": "freeze"}, {"player": "bob", "score": 2})
    once = ("watch", ARCADE, "--count", "1")
    ended = await run(*once, **keyed(server, HOST))
    assert "  1 player  frozen  1. ann 1\n" in ended.out
    ended = await run(*once, "--live", **keyed(server, HOST))
    assert "  2 players  frozen  1. bob 2  2. ann 1\n" in ended.out
    ended = await run(*once, "--live", LEADERBOARD_URL=server.url)
    assert ended.code == 1
    assert ended.err.startswith("error: UnauthorizedException: ")


async def test_watch_of_what_may_not_be_seen_is_one_line(start: Start, run: Run) -> None:
    server = await start(viewer_key="")
    ended = await run("watch", ARCADE, LEADERBOARD_URL=server.url)
    assert ended.code == 1
    assert ended.err.startswith("error: UnauthorizedException: ")
    assert len(ended.err.splitlines()) == 1


class Terminal:
    """A process on a pseudo terminal of 80 x 12, and what its screen shows."""

    SIZE = (12, 80)

    def __init__(self, master: int, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.raw = ""
        self._master = master
        self._news = asyncio.Event()
        self._lines = [""] * self.SIZE[0]
        self._row = 0
        asyncio.get_running_loop().add_reader(master, self._read)

    @property
    def screen(self) -> str:
        return "\n".join(self._lines)

    async def shows(self, pattern: str) -> None:
        """Wait until the screen shows it."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not re.search(pattern, self.screen):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pytest.fail(f"{pattern!r} is not on the screen:\n{self.screen}")

    async def ends(self) -> int:
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
        await asyncio.sleep(0)
        self._read()
        return code

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def _read(self) -> None:
        try:
            text = os.read(self._master, 65536).decode(errors="replace")
        except OSError:  # the other side has closed
            asyncio.get_running_loop().remove_reader(self._master)
            return
        self.raw += text
        # As much of a terminal as the table uses: colours are passed over, cells are placed, lines are erased.
        for control, plain in re.findall(r"(\x1b\[[?\d;]*[A-Za-z])|([^\x1b]+)", text):
            if control.endswith("H"):
                self._row = int(control[2:-1].partition(";")[0] or 1) - 1
            elif control.endswith("K"):
                self._lines[self._row] = ""
            elif control.endswith("G"):
                column = int(control[2:-1]) - 1
                self._lines[self._row] = self._lines[self._row].ljust(column)[:column]
            elif plain:
                self._lines[self._row] += plain
        self._news.set()


@asynccontextmanager
async def on_a_terminal(*arguments: str, **variables: str) -> AsyncIterator[Terminal]:
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *Terminal.SIZE, 0, 0))

    def own_the_terminal() -> None:
        os.setsid()
        ioctl(slave, termios.TIOCSCTTY, 0)

    env = environment(**variables)
    for name in ("COLUMNS", "LINES"):  # the terminal itself tells
        env.pop(name, None)
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments,
        stdin=slave, stdout=slave, stderr=slave, env=env, preexec_fn=own_the_terminal,
    )  # fmt: skip
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        asyncio.get_running_loop().remove_reader(master)
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(master)


async def test_watch_is_a_live_table_that_ends_cleanly(server: Server) -> None:
    async with connect_client(server.url, ADMIN) as client:
        await client.publish(
            ARCADE,
            {"player": "ann", "score": 1200, "name": "[bold red]Ann[/]"},
            {"player": "bob", "score": 7},
        )
        async with on_a_terminal("watch", ARCADE, LEADERBOARD_URL=server.url) as terminal:
            await terminal.shows(r"/leaderboard/arcade +● Live")
            await terminal.shows(r"\n +1 +\[bold red\]Ann\[/\] +1,200\n +2 +bob +7 +1,193\n")
            await client.publish(ARCADE, {"player": "bob", "score": 2000})
            await terminal.shows(
                r"\n +1 +▲1 +bob +2,000\n +2 +▼1 +\[bold red\]Ann\[/\] +1,200 +800\n"
            )
            await terminal.shows(r"2 players · 1 watching · 2 playing +Ctrl-C ends")
            terminal.type(b"\x03")
            assert await terminal.ends() == 0
            left = terminal.raw.rpartition("\x1b[?1049l")[2]
            assert "\x1b[?7h" in terminal.raw
            assert "\x1b[?25h" in terminal.raw
            assert "bob" in left, "the last table stays"
            assert "Traceback" not in terminal.raw
            assert "Aborted" not in terminal.raw


async def test_watch_waits_for_a_server_that_goes_away(start: Start) -> None:
    first = await start()
    async with on_a_terminal("watch", ARCADE, LEADERBOARD_URL=first.url) as terminal:
        await terminal.shows("● Live")
        await first.stop()
        await terminal.shows("○ Reconnecting")
        await start(port=first.port)
        await terminal.shows("● Live")
        terminal.process.send_signal(signal.SIGTERM)
        assert await terminal.ends() == 0
        assert "\x1b[?1049l" in terminal.raw


async def test_watch_asks_for_as_many_rows_as_the_terminal_has_room_for(server: Server) -> None:
    async with connect_client(server.url, ADMIN) as client:
        for start in range(0, 20, 5):
            await client.publish(
                ARCADE, *({"player": f"p{n}", "score": n} for n in range(start, start + 5))
            )
    async with on_a_terminal(
        "watch", ARCADE, "--around", "p3", "--radius", "1", LEADERBOARD_URL=server.url
    ) as terminal:
        rows = [r" +1 +p19 +19", r" +2 +p18 +18 +1", r" +3 +p17 +17 +1", r" +⋯"]
        near = [r" +16 +p4 +4", r" +17 +p3 +3 +1", r" +18 +p2 +2 +1\n"]
        await terminal.shows("\n".join([*rows, *near]))


async def test_watch_tells_the_place_of_the_player_that_it_looks_around(
    server: Server, run: Run
) -> None:
    async with connect_client(server.url, ADMIN) as client:
        scores = {"ann": 50, "bob": 40, "eve": 40, "zoe": 30}
        await client.publish(ARCADE, *({"player": p, "score": s} for p, s in scores.items()))
        where = {"LEADERBOARD_URL": server.url}
        async with on_a_terminal("watch", ARCADE, "--around", "eve", "--me", **where) as terminal:
            await terminal.shows(
                "You are 2nd of 4 · same score, reached later · 1 more point to pass"
            )
            await client.publish(ARCADE, {"player": "eve", "score": 41})
            await terminal.shows(r"You are 2nd of 4 · 9 points to 1st · ahead of 50%")
            terminal.type(b"\x03")
            assert await terminal.ends() == 0
    ended = await run("watch", ARCADE, "--me")
    assert ended.code == 2
    assert "--around" in ended.err


# -- simulate ----------------------------------------------------------------------------------------------------------


async def test_simulate_prints_figures_for_people(server: Server, run: Run) -> None:
    ended = await run("simulate", ARCADE, "--seconds", "0.5", "--rate", "40", **keyed(server))
    assert (ended.code, ended.err) == (0, "")
    assert re.search(r"^publish to snapshot( +[\d.]+){4} *$", ended.out, re.MULTILINE)
    assert re.search(r"^scores +20 answered, 0 failed, 0 unanswered *$", ended.out, re.MULTILINE)


async def test_simulate_prints_consistent_figures_for_machines(server: Server, run: Run) -> None:
    ended = await run(
        "simulate", ARCADE, "--json", "--seconds", "0.5", "--rate", "40", "--players", "7",
        "--seed", "3", "--watchers", "2", "--connections", "4", "--mode", "random",
        **keyed(server),
    )  # fmt: skip
    report = ended.json
    assert report["sent"] == report["answered"] + report["failed"] + report["unanswered"] == 20
    asked = ("players", "seed", "watchers", "connections", "mode")
    assert [report[name] for name in asked] == [7, 3, 2, 4, "random"]
    spread = report["publish_to_snapshot_ms"]
    assert spread["p50"] <= spread["p95"] <= spread["p99"] <= spread["max"]


async def test_simulate_that_loses_scores_says_so_by_its_exit_code(start: Start, run: Run) -> None:
    server = await start(namespaces={"small": Namespace(max_entries=1)})
    ended = await run("simulate", "/small/a", "--seconds", "0.5", **keyed(server))
    assert ended.code == 1
    assert re.search(r"^ +\d+ × BoardFull *$", ended.out, re.MULTILINE)


async def test_simulate_shows_a_bar_and_ends_early_with_its_figures(start: Start) -> None:
    server = await start(limits=Limits())
    async with on_a_terminal("simulate", ARCADE, "--seconds", "60", **keyed(server)) as terminal:
        await terminal.shows(r"\d scores .*━")
        terminal.type(b"\x03")
        assert await terminal.ends() == 0
        assert "publish to snapshot" in terminal.raw
        assert "answered, 0 failed" in terminal.raw


# -- the rest ----------------------------------------------------------------------------------------------------------


async def test_amplify_outputs_are_what_an_amplify_app_imports(run: Run) -> None:
    ended = await run("amplify-outputs", "--url", "https://scores.example/")
    assert ended.code == 0
    assert ended.err == ""
    assert ended.json == {
        "version": "1.3",
        "custom": {
            "events": {
                "url": "https://scores.example/event",
                "aws_region": "us-east-1",
                "default_authorization_type": "API_KEY",
                "api_key": "pk_viewer",
            }
        },
    }


@pytest.mark.parametrize("mode", ["OPENID_CONNECT", "AMAZON_COGNITO_USER_POOLS", "AWS_LAMBDA"])
async def test_amplify_outputs_of_other_modes_carry_no_key(run: Run, mode: str) -> None:
    ended = await run("amplify-outputs", "--mode", mode, LEADERBOARD_KEY="da2-mine")
    events = json.loads(ended.out)["custom"]["events"]
    assert events["default_authorization_type"] == mode
    assert "api_key" not in events
    assert "da2-mine" not in ended.out + ended.err


@pytest.mark.parametrize(
    "arguments", [("--url", "http://h:8000"), ("--url", "https://h:8000", "--plain-http")]
)
async def test_amplify_outputs_for_plain_http_keep_amplify_from_tls(
    run: Run, arguments: tuple[str, ...]
) -> None:
    ended = await run("amplify-outputs", *arguments, LEADERBOARD_KEY="da2-mine")
    assert ended.json["custom"]["events"]["url"] == "HTTP://h:8000/event"
    assert ended.json["custom"]["events"]["api_key"] == "da2-mine"
    assert "TLS" in ended.err
    assert "the key becomes part of the app" in ended.err


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "watch",
        "publish",
        "simulate",
        "config",
        "token",
        "control",
        "link",
        "links",
        "revoke",
        "amplify-outputs",
    ],
)
async def test_help_has_examples_and_no_secret(run: Run, command: str) -> None:
    ended = await run(command, "--help", LEADERBOARD_KEY="da2-very-secret")
    assert ended.code == 0
    assert f"leaderboard {command}" in ended.out.partition("Examples")[2]
    assert "very-secret" not in ended.out


async def test_the_version_is_printed(run: Run) -> None:
    ended = await run("--version")
    assert (ended.code, bool(re.fullmatch(r"\d+\.\d+\.\d+\n", ended.out))) == (0, True)
