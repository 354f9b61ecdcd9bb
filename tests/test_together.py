"""Processes of `leaderboard serve` on one Redis: rates, links and bots are those of all of them together, and who goes
from one to another is shown nothing older."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from leaderboard.app import create_app
from leaderboard.client import Client as Publisher
from leaderboard.client import connect as publisher
from leaderboard.settings import ConfigError, Settings
from tests.appsync import Client, connect, error_types, eventually
from tests.balancer import balancer
from tests.conftest import ADMIN
from tests.processes import PATIENCE, Serve, serve
from tests.redis_server import RedisServer

BOARD = "/leaderboard/cup"
TALLY = "/tally/cup"
SECRET = "a secret that all processes of a test have"
pytestmark = pytest.mark.timeout(150)  # processes start slowly where others work too


class Node:
    """One process, and who speaks to it."""

    def __init__(self, served: Serve, url: str, stack: AsyncExitStack) -> None:
        self.served = served
        self.url = url
        self._stack = stack

    async def http(self, token: str | None = None) -> httpx.AsyncClient:
        """As an admin, or by a token."""
        headers = {"x-api-key": ADMIN} if token is None else {"authorization": token}
        client = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20)
        return await self._stack.enter_async_context(client)

    async def client(self, token: str | None = None) -> Client:
        socket = self.url.replace("http", "ws") + "/event/realtime"
        key = ADMIN if token is None else None
        return await self._stack.enter_async_context(connect(socket, key, token=token))

    async def events(self) -> float:
        """Events of the game that this process has applied."""
        text = (await (await self.http()).get("/metrics")).text
        found = re.findall(
            r'^leaderboard_successful_events_total\{.*"game".*\} (\S+)', text, re.MULTILINE
        )
        return sum(map(float, found))


Start = Callable[..., Awaitable[Node]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts one process more."""
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(RedisServer(tmp_path))

        async def start(**given: Any) -> Node:
            settings: dict[str, Any] = {
                "engine_url": redis.patient_url,
                "secret": SECRET,
                "limits": {"publishes_per_second": 0},
            }
            served = await stack.enter_async_context(serve(**settings, **given))
            return Node(served, await served.url(), stack)

        yield start


async def link(http: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    answer = await http.post("/api/links", json={"role": "viewer", "channel": BOARD, **wanted})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def links(http: httpx.AsyncClient) -> list[str]:
    return [each["id"] for each in (await http.get("/api/links")).json()["links"]]


# -- how they begin ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "secret and api_keys"),
        ({"secret": SECRET}, "api_keys"),
        ({"api_keys": [{"key": ADMIN, "role": "admin"}]}, "secret"),
    ],
)
@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "redis+cluster://127.0.0.1:1"])
def test_an_application_without_what_its_processes_share_is_refused(
    url: str, given: dict[str, Any], missing: str
) -> None:
    with pytest.raises(ConfigError, match=f"every process needs the same {missing}: set"):
        create_app(Settings(engine_url=url, **given))
    create_app(Settings(**given))


async def test_settings_that_differ_between_processes_are_said_in_the_log_of_each(
    start: Start,
) -> None:
    """Each may have an interval of its own, as while servers are restarted one by one; a mode only one of them."""
    tables = [{"leaderboard": {"interval_ms": ms, "mode": "best"}} for ms in (50, 50, 250)]
    tables[2] |= {"leaderboard": {"interval_ms": 250, "mode": "latest"}, "cup": {}}
    one, twin, other = [await start(namespaces=each) for each in tables]
    for each in (one, twin):
        said = await each.served.says(r"another process has other settings: (.*)")
        assert "namespaces.cup is there alone" in said[1]
        assert "namespaces.leaderboard.interval_ms is 250 there, 50 here" in said[1]
        assert "namespaces.leaderboard.mode is 'latest' there, 'best' here" in said[1]
        assert "max_entries" not in said[1]
    await other.served.says("namespaces.leaderboard.interval_ms is 50 there, 250 here")
    await (await one.client()).publish(BOARD, {"player": "ann", "score": 1})
    refused = await (await other.client()).publish(BOARD, {"player": "ann", "score": 2})
    assert error_types(refused) == ["ConfigMismatch"]
    for each in (one, twin, other):
        assert each.served.said.count("another process has other settings") == 1


ONE_STEP = f"""
{sys.executable} -m leaderboard publish /leaderboard/cup --player ann --score 7 &&
{sys.executable} -m leaderboard watch /leaderboard/cup --count 1 && exit 3
"""


async def test_a_command_runs_beside_workers_and_ends_them(tmp_path: Path) -> None:
    """Secret and key are made for the run, and the command has the key."""
    with RedisServer(tmp_path) as redis:
        settings: dict[str, Any] = {"engine_url": redis.patient_url, "api_keys": None}
        begun = ("--workers", "2", "--")
        async with serve(*begun, "sh", "-c", ONE_STEP, **settings) as server:
            assert await server.ends(None) == 3, server.said
            assert "ann 7" in server.said
            assert server.said.endswith("Stopped.\n")
        async with serve(*begun, "sleep", "600", **settings) as server:
            await server.says("is ready at")
            assert await server.ends() == 0
        async with serve(*begun, "no-such-command", **settings) as server:
            assert await server.ends(None) == 127


# -- clocks ------------------------------------------------------------------------------------------------------------


async def test_a_clock_that_jumps_at_one_process_moves_no_board(
    tmp_path: Path, start: Start
) -> None:
    """Redis' clock is what rounds, snapshots and the life of boards go by; a process' own says if a token is good."""
    jump = tmp_path / "jump"
    jump.write_text("0")
    one, other = await start(), await start(program=("tests.jumping", str(jump), "serve"))
    made = await link(await one.http(), role="scorekeeper", seconds=600)
    host, away = await one.client(), await other.client()
    watches = [(client, await client.subscribe(BOARD)) for client in (host, away)]
    opened = await host.publish(BOARD, {"op": "open", "for_ms": 600_000})
    assert opened["type"] == "publish_success"
    by_token = await other.http(made["token"])
    score = {"channel": BOARD, "events": [json.dumps({"player": "bob", "score": 1})]}
    assert (await by_token.post("/event", json=score)).status_code == 200
    for points, hours in ((2, 12), (3, -12)):
        jump.write_text(str(3600 * hours))
        answer = await away.publish(BOARD, {"player": "ann", "score": points})
        assert answer["type"] == "publish_success", "its round is open, its board lives"
        for client, id_ in watches:
            seen = await client.until(id_, lambda each, n=points: each["rows"][:1] == top("ann", n))  # type: ignore[misc]
            assert seen["round"]["state"] == "open"
            assert 0 < seen["ends_in_ms"] <= 600_000
            assert abs(seen["time"] / 1000 - time.time()) < 600
        look = await away.look(BOARD)
        assert abs(look["time"] / 1000 - time.time()) < 600
        assert (await by_token.post("/event", json=score)).status_code == 401
    jump.write_text("0")
    assert (await by_token.post("/event", json=score)).status_code == 200


def top(player: str, value: float) -> list[dict[str, Any]]:
    return [{"rank": 1, "position": 1, "player": player, "score": value}]


# -- who goes from one process to another ------------------------------------------------------------------------------


async def test_who_comes_from_another_process_is_shown_nothing_older(start: Start) -> None:
    """It may know more of a board than the process that it comes to has heard of by then."""
    one, other = await start(), await start()
    host, resident, comer = await one.client(), await other.client(), await other.client()
    await host.publish(BOARD, {"player": "ann", "score": 1})
    await resident.snapshot(await resident.subscribe(BOARD), version=1)  # so it is at hand there
    watched = await host.subscribe(BOARD)
    await host.snapshot(watched, version=1)
    process = other.served.process
    process.send_signal(signal.SIGSTOP)  # it hears of nothing
    try:
        await host.publish(BOARD, {"player": "ann", "score": 2})
        last = await host.snapshot(watched, version=2)
        await comer.send(
            type="subscribe",
            id="s",
            channel=BOARD,
            authorization=comer.authorization,
            view={"since": f"{last['epoch']}.{last['version']}"},
        )
    finally:
        process.send_signal(signal.SIGCONT)
    first = await comer.snapshot("s")
    assert (first["epoch"], first["version"]) == (last["epoch"], last["version"])
    assert first["rows"] == top("ann", 2)


class Follower:
    """Watches a board wherever the balancer leads, and comes back at once with what it has seen last."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self.seen: list[tuple[str, int]] = []
        self.rows: dict[str, float] = {}
        self.connections = 0

    async def follow(self) -> None:
        while True:
            with contextlib.suppress(websockets.WebSocketException, OSError):
                async with connect(self._socket, ADMIN) as client:
                    last = self.seen[-1:]
                    view = {"since": "{}.{}".format(*last[0])} if last else {}
                    board = await client.subscribe(TALLY, view=view)
                    self.connections += 1
                    while True:
                        snapshot = await client.snapshot(board)
                        self.seen.append((snapshot["epoch"], snapshot["version"]))
                        self.rows = {row["player"]: row["score"] for row in snapshot["rows"]}


async def test_a_process_that_is_killed_under_load_takes_nothing_back(
    tmp_path: Path, start: Start
) -> None:
    """Its clients land on others: no snapshot is older than their last, and each score counts once."""
    nodes = [await start(namespaces={"tally": {"mode": "sum"}}) for _ in range(3)]
    async with AsyncExitStack() as stack:
        url = stack.enter_context(balancer(tmp_path, [node.url for node in nodes]))
        socket = url.replace("http", "ws") + "/event/realtime"
        publishers = [await stack.enter_async_context(publisher(url, ADMIN)) for _ in range(6)]
        counts = dict.fromkeys(("p0", "p1", "p2", "p3", "p4", "p5"), 0)
        ended = asyncio.Event()

        async def publish(player: str, client: Publisher) -> None:
            while not ended.is_set():
                await client.publish(TALLY, {"player": player, "score": 1})
                counts[player] += 1
                await asyncio.sleep(0.005)

        followers = [Follower(socket) for _ in range(6)]

        async def beyond(before: dict[str, int]) -> bool:
            """Every publisher has gone on since then, and everybody sees it."""
            far = {player: count + 20 for player, count in before.items()}
            return all(each.rows.get(p, 0) > far[p] for each in followers for p in far)

        async with asyncio.TaskGroup() as group:
            follows = [group.create_task(each.follow()) for each in followers]
            for player, client in zip(counts, publishers, strict=True):
                group.create_task(publish(player, client))
            await eventually(partial(beyond, dict(counts)), PATIENCE)
            nodes[0].served.process.kill()
            await nodes[0].served.process.wait()
            await eventually(partial(beyond, dict(counts)), PATIENCE)
            ended.set()

            async def complete() -> bool:
                return all(each.rows == counts for each in followers)

            await eventually(complete, PATIENCE)
            for task in follows:
                task.cancel()
    assert sum(each.connections for each in followers) > len(followers), "some were there"
    for each in followers:
        assert len({epoch for epoch, _ in each.seen}) == 1
        versions = [version for _, version in each.seen]
        assert versions == sorted(versions)


# -- rates -------------------------------------------------------------------------------------------------------------


async def publish_for(client: Client, seconds: float) -> int:
    """Publish again and again: how many of them were taken."""
    loop = asyncio.get_running_loop()
    end, taken = loop.time() + seconds, 0
    while loop.time() < end:
        answer = await client.publish(BOARD, {"player": "ann", "score": taken})
        if answer["type"] == "publish_success":
            taken += 1
        else:
            assert error_types(answer) == ["LimitExceededError"]
            assert 0 < answer["errors"][0]["retryAfterMs"] <= 1000
            await asyncio.sleep(0.005)
    return taken


async def test_the_rate_of_a_credential_is_that_of_all_processes(start: Start) -> None:
    one, other = await start(), await start()
    made = await link(await one.http(), role="scorekeeper", rate=40)
    clients = [await node.client(made["token"]) for node in (one, other, one, other)]
    seconds = 4.0
    taken = sum(await asyncio.gather(*(publish_for(client, seconds) for client in clients)))
    # Each by itself would let 40 through in any second: 320 to 400 of them.
    assert 0.75 * 40 * seconds <= taken <= 1.125 * 40 * (seconds + 1)
    event = {"channel": BOARD, "events": [json.dumps({"player": "ann", "score": 1})]}
    doors = [await node.http(made["token"]) for node in (one, other)]
    answers = await asyncio.gather(*(each.post("/event", json=event) for each in doors * 40))
    codes = [answer.status_code for answer in answers]
    assert 429 in codes, "HTTP is counted with it"
    assert codes.count(200) < 60, "by each process alone it would be all of them"


async def test_who_is_at_one_process_alone_has_the_whole_rate(start: Start) -> None:
    one, _ = await start(), await start()
    made = await link(await one.http(), role="scorekeeper", rate=40)
    client = await one.client(made["token"])
    loop = asyncio.get_running_loop()
    began = loop.time()
    answers = [
        (await client.publish(BOARD, {"player": "ann", "score": n}))["type"] for n in range(45)
    ]
    if loop.time() - began < 1.0:  # else the machine is too slow to tell
        assert answers == ["publish_success"] * 40 + ["publish_error"] * 5


# -- links -------------------------------------------------------------------------------------------------------------


async def test_a_link_is_listed_and_revoked_at_every_process(start: Start) -> None:
    one, other = await start(), await start()
    here, there = await one.http(), await other.http()
    first, second = await link(here, label="door"), await link(there)
    assert await links(here) == await links(there) == [second["id"], first["id"]]
    watcher = await one.client(first["token"])
    await watcher.subscribe(BOARD)
    assert (await there.delete(f"/api/links/{first['id']}")).status_code == 204
    assert error_types(await watcher.expect("connection_error")) == ["UnauthorizedException"]
    assert await watcher.closed() == 1000
    assert await links(here) == await links(there) == [second["id"]]
    assert (await here.delete(f"/api/links/{first['id']}")).status_code == 404


async def test_what_was_made_by_a_revoked_link_ends_at_every_process(start: Start) -> None:
    one, other = await start(), await start()
    made = await link(await one.http(), role="presenter")
    child = await link(await other.http(made["token"]), role="presenter")
    grandchild = await link(await one.http(child["token"]), role="scorekeeper")
    unrelated = await link(await other.http(), role="scorekeeper")
    watchers = [
        await node.client(each["token"])
        for node in (one, other)
        for each in (made, child, grandchild)
    ]
    stays = await other.client(unrelated["token"])
    admin = await other.http()
    assert (await admin.delete(f"/api/links/{made['id']}")).status_code == 204
    for watcher in watchers:
        assert await watcher.closed() == 1000
    assert await stays.alive()
    assert await links(admin) == [unrelated["id"]]
    late = await start()

    async def known() -> bool:
        answer = await (await late.http(grandchild["token"])).get(f"/api/boards{BOARD}")
        return answer.status_code == 401

    await eventually(known)
    for node in (one, other, late):
        for each in (made, child, grandchild):
            answer = await (await node.http(each["token"])).get(f"/api/boards{BOARD}")
            assert answer.json()["message"] == "This token was revoked."


# -- bots --------------------------------------------------------------------------------------------------------------


async def rows(node: Node, channel: str) -> dict[str, float]:
    board = (await (await node.http()).get(f"/api/boards{channel}?top=50")).json()
    return {row["player"]: row["score"] for row in board["rows"]}


async def until_more(node: Node, channel: str, before: float) -> float:
    """Until the bots have more points than before: how many."""
    async with asyncio.timeout(PATIENCE):
        while (total := sum((await rows(node, channel)).values())) <= before:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return total


@pytest.mark.parametrize("ends", [signal.SIGKILL, signal.SIGTERM])
async def test_bots_play_once_and_go_on_when_their_process_is_gone(
    start: Start, ends: signal.Signals
) -> None:
    nodes = [await start(), await start(), await start()]
    wanted = {"bots": 6, "rate": 20, "round_ms": 120_000}
    room = (await (await nodes[0].http()).post("/api/rooms", json=wanted)).json()
    channel = room["channel"]
    host = await nodes[1].http(room["host_token"])
    # Asked for at every process, as from pages of hosts on each.
    for node in nodes:
        form = {"token": room["host_token"]}
        headers = {"origin": node.url}
        page = await node.http()
        path = f"/ui/room/{room['code']}"
        await page.post(f"{path}/host", data=form, headers=headers)
        await page.post(f"{path}/bots", data={"bots": "6", "rate": "20"}, headers=headers)
    opened = await host.post(f"/api/boards{channel}", json={"op": "open", "for_ms": 120_000})
    assert opened.json()["failed"] == []
    await until_more(nodes[1], channel, 100)
    assert len(await rows(nodes[1], channel)) == 6
    applied = [await node.events() for node in nodes]
    # One has played; the host's control is one event of the second.
    busy = [index for index, count in enumerate(applied) if count > 5]
    assert len(busy) == 1, applied
    gone = nodes.pop(busy[0])
    await gone.served.ends(ends)
    before = sum((await rows(nodes[0], channel)).values())
    counts = [await node.events() for node in nodes]
    loop = asyncio.get_running_loop()
    began = loop.time()
    await until_more(nodes[0], channel, before + 50)
    assert loop.time() - began < 20, "seconds, where nothing else is going on"
    assert len(await rows(nodes[0], channel)) == 6
    now = [await node.events() for node in nodes]
    grown = [new - old for new, old in zip(now, counts, strict=True)]
    assert min(grown) == 0 < max(grown), "one of the two that are left has taken over"


async def test_bots_that_a_host_adds_elsewhere_play_too(start: Start) -> None:
    one, other = await start(), await start()
    room = (await (await one.http()).post("/api/rooms", json={"round_ms": 120_000})).json()
    page = await other.http()
    path, headers = f"/ui/room/{room['code']}", {"origin": other.url}
    form = {"token": room["host_token"]}
    assert (await page.post(f"{path}/host", data=form, headers=headers)).status_code == 204
    await page.post(f"{path}/bots", data={"bots": "3"}, headers=headers)

    async def seated() -> bool:
        return len(await rows(one, room["channel"])) == 3

    await eventually(seated)
