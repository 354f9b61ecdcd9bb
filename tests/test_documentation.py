"""Each block of code in README and docs does what it is there for, against a server like anyone's.

Those that need a browser are in tests/browser/test_documentation.py, handlers in test_examples.py, and Amplify's in
test_amplify.py.
"""

from __future__ import annotations

import ast
import asyncio
import gzip
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from leaderboard import snapshots
from leaderboard.assets import STATIC
from leaderboard.client import OutcomeUnknown, connect
from leaderboard.packing import pack
from leaderboard.sources import load
from tests.appsync import eventually
from tests.checkout import ROOT
from tests.conftest import ADMIN, VIEWER, Server, Start
from tests.documents import Block, block, blocks, documents
from tests.link_facts import FINAL, STATES
from tests.needs import needs
from tests.redis_server import rule

TESTS = ROOT / "tests"
PATIENCE = 30.0
IN_A_PAGE = "tests/browser/test_documentation.py"
JS = {
    "aws-amplify": "tests/test_amplify.py",
    **dict.fromkeys(["standing.js", "lb:state", "OutcomeUnknown", "(error, again)"], IN_A_PAGE),
}
"""Programs in JavaScript by a word in them, and the file that runs them."""


def shown(*languages: str) -> pytest.MarkDecorator:
    """Each block of these languages is a test."""
    return pytest.mark.parametrize("shown", blocks(*languages), ids=str)


def test_there_is_no_language_that_nothing_runs() -> None:
    known = {"json", "toml", "python", "sh", "js", "html"}
    known.add("css")  # in tests/browser/test_budgets.py
    assert {each.language for each in blocks()} <= known
    for each in blocks("js"):
        (file,) = [file for word, file in JS.items() if word in each.text]
        assert (ROOT / file).is_file()


@pytest.mark.parametrize("document", documents())
def test_links_between_documents_lead_somewhere(document: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / document).read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#[^)]*)?\)", text):
        file = ((ROOT / document).parent / target).resolve()
        written = "reference" in Path(target).parts  # from the code, when the pages are built
        charted = file.suffix == ".svg" and document == "docs/performance.md"
        assert target == "" or file.exists() or written or charted, target


@pytest.mark.parametrize("document", [*documents(), "SECURITY.md"])
def test_tests_that_a_document_names_are_there(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    for file, name in re.findall(r"`(test_\w+\.py)`: `(\w+)`", text):
        path = next(each for each in (TESTS / file, TESTS / "browser" / file) if each.exists())
        assert f"def test_{name}(" in path.read_text("utf-8"), f"{file} has no test_{name}"


# -- JSON and TOML -----------------------------------------------------------------------------------------------------


@shown("json")
def test_json_is_json_and_a_snapshot_is_one(shown: Block) -> None:
    value = json.loads(shown.text)
    if value.get("type") == "snapshot":
        msgspec.json.decode(shown.text, type=snapshots.Snapshot)


@shown("toml")
def test_settings_can_be_loaded(shown: Block, tmp_path: Path) -> None:
    file = tmp_path / "leaderboard.toml"
    file.write_text(shown.here("", ADMIN), "utf-8")
    assert load(file, environ={}).sources


# -- Python ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shown", [each for each in blocks("python") if "asyncio.run(" in each.text], ids=str
)
async def test_a_program_scores(shown: Block, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(shown.here(server.url, ADMIN), "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, file), env={**os.environ, "LEADERBOARD_KEY": ADMIN}
    )
    http = await server.http(ADMIN)

    async def scored() -> bool:
        assert process.returncode in (None, 0)
        boards = (await http.get("/api/boards")).json()["boards"]
        return any(each["total"] for each in boards)

    try:
        await eventually(scored, PATIENCE)  # it has to start first, on a busy machine
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


Said = asyncio.Queue[tuple[Any, ...]]
"""What a program prints."""


@asynccontextmanager
async def running(with_: str, server: Server, **names: object) -> AsyncIterator[Said]:
    """The one block of Python in which a text stands, which awaits at its top."""
    shown = block("python", with_)
    text = shown.here(server.url, ADMIN)
    program = compile(text, str(shown), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    said: Said = asyncio.Queue()
    names["print"] = lambda *values: said.put_nowait(values)
    task = asyncio.ensure_future(eval(program, names))  # noqa: S307, our own
    async with asyncio.timeout(PATIENCE):
        yield said
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def test_a_row_explains_itself_as_it_is_written(server: Server) -> None:
    async with connect(server.url, ADMIN) as client:
        scores = [{"player": "bob", "score": 132}, {"player": "ann", "score": 120}]
        await client.publish("/leaderboard/arcade", *scores)
        async with running("standings.of", server, client=client) as said:
            sentence, figures = await said.get(), await said.get()
    assert "12 points to 1st" in str(sentence)
    assert figures[:3] == (12, 13, False)


async def test_relayed_events_are_read(server: Server) -> None:
    async with (
        connect(server.url, ADMIN) as client,
        running("client.events(", server, client=client) as said,
    ):
        while said.empty():  # until it has subscribed
            await client.publish("/default/chat", {"text": "hi"})
        assert await said.get() == ({"text": "hi"},)


async def test_a_program_hears_how_its_connection_stands(server: Server) -> None:
    async with running("on_state=tell", server) as said:
        assert [await said.get() for _ in range(3)] == [
            ("as of now",),
            ("live",),
            ("closed: what you see may be old",),
        ]


async def test_a_program_is_told_what_went_wrong(server: Server) -> None:
    async with (
        connect(server.url, ADMIN) as client,
        running("except OutcomeUnknown", server, client=client) as said,
    ):
        assert await said.get() == ("rank", 1)
    async with (
        connect(server.url, VIEWER) as client,
        running("except OutcomeUnknown", server, client=client) as said,
    ):
        assert (await said.get())[0] == "UnauthorizedException"
    await server.stop()
    async with running("except OutcomeUnknown", server, client=Away()) as said:
        assert await said.get() == ("it was sent, and nobody knows",)


class Away:
    """A client whose connection is lost before the answer comes."""

    async def publish(self, *_: object, **__: object) -> None:
        raise OutcomeUnknown


def test_the_page_of_the_clients_says_what_they_do() -> None:
    text = (ROOT / "docs" / "clients.md").read_text("utf-8")
    assert tuple(re.findall(r"^\| `([a-z]+)` \|", text, re.MULTILINE)) == STATES
    assert all(f"`{name}`" in text for name in FINAL)


def test_the_page_for_browsers_says_what_the_modules_weigh() -> None:
    text = (ROOT / "docs" / "how-to" / "browser.md").read_text("utf-8")
    told = re.findall(r"^\| (`.*) \| (\d+) kB \| (\d+) kB \|$", text, re.MULTILINE)
    assert len(told) == 4
    for what, plain, packed in told:
        if "/widget.js" in what:
            files = [pack(STATIC / "js" / "widget.js").encode()]
        else:
            files = [(STATIC / "js" / name).read_bytes() for name in re.findall(r"`(.*?)`", what)]
        assert round(sum(map(len, files)) / 1000) == int(plain), what
        weight = sum(len(gzip.compress(file, 9)) for file in files) / 1000
        assert round(weight) == int(packed), what


async def test_a_token_that_is_written_by_hand_is_taken(start: Start) -> None:
    secret = "a secret of thirty-two characters"
    server = await start(secret=secret)
    names: dict[str, Any] = {"secret": secret}
    exec(block("python", "jwt.encode").text, names)  # noqa: S102, our own
    client = await server.client(token=names["token"])
    answer = await client.publish("/leaderboard/cup", {"player": "ann", "score": 1})
    assert answer["type"] == "publish_success"


# -- the shell ---------------------------------------------------------------------------------------------------------

TEMPLATE = ROOT / "tests" / "template.json"
SHORTER: list[tuple[str, str]] = [
    (r"\.venv/bin/", ""),
    (r"(simulate \S+)", r"\1 --seconds 0.3"),
    (r"(watch \S+)", r"\1 --count 1"),
    (r"leaderboard serve &", "leaderboard serve --port 0 &"),
    (r"cdk\.out/\S+", str(TEMPLATE)),
    (r"npm test", "true"),
    (r"\bcurl ", "curl --silent --show-error --fail "),
    (r"http\.server 9000", "http.server 0 & sleep 0.5 # "),
]
"""What is written for a person at leisure, and how a test does the same without waiting."""


def dry(line: str) -> bool:
    """A target of make is there."""
    done = subprocess.run(
        ["make", "--dry-run", *line.split()[1:]], check=False, capture_output=True, cwd=ROOT
    )
    return done.returncode == 0


def composed(line: str) -> bool:
    """What compose.yaml starts when no profile is asked for is one service that builds from what is here."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"].values()
    (service,) = (service for service in services if "profiles" not in service)
    return line == "docker compose up" and "build" in service


def ruled(line: str) -> bool:
    """The user that the tests of engines are."""
    return shlex.split(line) == rule()


NOT_RUN: dict[str, Callable[[str], bool]] = {
    "make": dry,
    "docker": composed,
    "git": bool,
    "redis-cli": ruled,
}
"""Commands that a test would set up or take down too much with, and what is looked at instead."""


STAYS = re.compile(
    r"(?:leaderboard|python) .*(?:serve --(?:workers|host|tls|port 8001)|-m (?:benchmarks|tests\.test_redis_equal))\b"
)
"""A server for several machines, or a measurement: here is only looked at whether it may be called so."""


def understood(line: str) -> bool:
    """A command that stays has the options that it is given."""
    program, *words = line.split()
    if not program.endswith("leaderboard"):
        module = ROOT / words[1].replace(".", "/")
        return module.is_dir() or module.with_suffix(".py").exists()
    usage = subprocess.run(
        [sys.executable, "-m", "leaderboard", words[0], "--help"],
        check=True, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"},
    ).stdout  # fmt: skip
    return all(word in usage for word in words if word.startswith("--"))


@shown("sh")
async def test_a_shell_does_as_it_is_told(shown: Block, server: Server, tmp_path: Path) -> None:
    text = shown.here(server.url, ADMIN)
    whole = text.replace("\\\n", "")
    lines = [line.partition("  #")[0].rstrip() for line in whole.splitlines()]
    commands = [line for line in lines if line and not line.startswith("#")]
    if commands[0].split()[0] in NOT_RUN:
        for command in commands:
            assert NOT_RUN[command.split()[0]](command), command
        return
    if any(STAYS.match(command.removeprefix(".venv/bin/")) for command in commands):
        for command in filter(lambda command: STAYS.search(command), commands):
            assert understood(command), command
        return
    for pattern, instead in SHORTER:
        text = re.sub(pattern, instead, text)
    if "/api/rooms/KX7M" in text:  # whose code is another each time
        room = (await (await server.http()).post("/api/rooms", json={})).json()
        text = text.replace("KX7M", room["code"])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "LEADERBOARD_KEY": ADMIN}
    process = await asyncio.create_subprocess_exec(
        *(needs("bash"), "-euo", "pipefail", "-c", url_of(text, server)),
        stdout=PIPE, stderr=STDOUT, cwd=tmp_path, env=environment, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            code = await process.wait()
        assert code == 0, (await process.stdout.read(10_000)).decode()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it left running


def url_of(text: str, server: Server) -> str:
    """Commands that name no server mean the one at the usual place: here, ours."""
    return f"export LEADERBOARD_URL={server.url}\n{text}"
