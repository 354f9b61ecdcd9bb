"""`serve --workers`: refused where it could not work; workers are watched, replaced, and ended together."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.appsync import connect, eventually
from tests.conftest import ADMIN
from tests.processes import PATIENCE, Serve, serve

CREW = ("tests.crew",)
pytestmark = pytest.mark.timeout(120)  # processes start slowly where others work too


async def pids(url: str, ports: list[int]) -> list[int]:
    """The process behind each worker's own port."""
    found = []
    async with httpx.AsyncClient(headers={"x-api-key": ADMIN}) as http:
        for port in ports:
            shown = (await http.get(f"http://127.0.0.1:{port}/-/now")).text
            assert "process" in shown, shown[:3000]
            found.append(int(re.findall(r"<dt>process</dt><dd>(\d+)", shown)[0]))
    return found


async def ports(server: Serve) -> list[int]:
    return [int(port) for port in (await server.says(r"workers at \[(.*?)\]"))[1].split(", ")]


async def ended(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


async def until_changed(url: str, own: list[int], before: list[int]) -> list[int]:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                now = await pids(url, own)
            except (httpx.TransportError, IndexError):
                now = before
            if not set(now) & set(before):
                return now
            await asyncio.sleep(0.1)


async def test_workers_without_an_engine_that_they_share_are_refused() -> None:
    async with serve("--workers", "3") as server:
        assert await server.ends(None) == 1
        assert "3 workers need an engine that they share: set LEADERBOARD_ENGINE_URL" in server.said
        assert len(server.said.splitlines()) == 1


async def test_workers_share_a_port_and_end_together() -> None:
    async with serve("3", program=CREW) as server:
        url, own = await server.url(), await ports(server)
        processes = await pids(url, own)
        assert len(set(processes)) == 3
        socket = url.replace("http", "ws") + "/event/realtime"
        async with connect(socket, ADMIN) as client:
            assert await client.alive()
            server.process.send_signal(signal.SIGTERM)
            assert await client.closed() == 1012
        assert await server.ends(None) == 0
        for process in processes:
            with pytest.raises(ProcessLookupError):
                os.kill(process, 0)


async def test_connections_reach_every_worker() -> None:
    async with serve("2", program=CREW) as server:
        url, own = await server.url(), await ports(server)
        seen: Counter[int] = Counter()
        async with httpx.AsyncClient(headers={"x-api-key": ADMIN, "connection": "close"}) as http:
            for _ in range(60):
                shown = (await http.get(f"{url}/-/now")).text
                seen[int(re.findall(r"<dt>process</dt><dd>(\d+)", shown)[0])] += 1
        assert set(seen) == set(await pids(url, own)), seen


async def test_a_worker_that_is_killed_is_replaced() -> None:
    async with serve("2", program=CREW) as server:
        url, own = await server.url(), await ports(server)
        first, second = await pids(url, own)
        os.kill(first, signal.SIGKILL)
        (_, other) = [await until_changed(url, own[:1], [first]), await pids(url, own[1:])]
        assert other == [second], "the other one was left alone"
        assert "worker 0 has died (-9)" in server.said


async def test_hangup_replaces_all_one_by_one_and_nobody_is_turned_away() -> None:
    async with serve("2", program=CREW) as server:
        url, own = await server.url(), await ports(server)
        before = await pids(url, own)
        stop = asyncio.Event()
        answers: Counter[int] = Counter()

        async def ask() -> None:
            while not stop.is_set():
                async with httpx.AsyncClient() as http:  # a connection of its own for each
                    answers[(await http.get(f"{url}/healthz")).status_code] += 1

        async with asyncio.TaskGroup() as group:
            group.create_task(ask())
            server.process.send_signal(signal.SIGHUP)
            await server.says("restarted 2 workers")
            stop.set()
        assert not set(before) & set(await pids(url, own))
        assert set(answers) == {200}
        assert answers[200] > 10


async def test_a_restart_with_wrong_settings_leaves_the_workers_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "leaderboard.toml"
    file.write_text('rooms = "host"\n')
    async with serve("2", program=CREW, config=str(file)) as server:
        url, own = await server.url(), await ports(server)
        before = await pids(url, own)
        file.write_text('rooms = "nobody"\n')
        server.process.send_signal(signal.SIGHUP)
        await server.says("not restarted, the workers go on: .*rooms")
        assert await pids(url, own) == before


async def test_workers_end_when_their_parent_is_gone() -> None:
    async with serve("2", program=CREW) as server:
        url, own = await server.url(), await ports(server)
        processes = await pids(url, own)
        server.process.kill()
        await server.process.wait()
        for process in processes:
            await eventually(partial(ended, process))


async def test_metrics_of_a_shared_port_say_where_to_ask() -> None:
    async with serve("2", program=CREW) as server:
        url, own = await server.url(), await ports(server)
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{url}/metrics")
            assert answer.status_code == 404
            assert "worker_port" in answer.json()["message"]
            if own[1] == own[0] + 1:  # the kernel mostly gives them in a row
                assert (await http.get(f"http://127.0.0.1:{own[1]}/metrics")).status_code == 200
