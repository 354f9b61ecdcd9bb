"""Two servers on one Redis: what is done at one is seen at the other, and trouble is shown for what it is."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.appsync import Snapshot, error_types, eventually
from tests.conftest import ADMIN, SCOREKEEPER, VIEWER, Server, running
from tests.hosting import Deciding, op, score
from tests.needs import needs
from tests.redis_server import RedisServer

BOARD = "/leaderboard/arcade"
SECRET = "a secret that both of the processes of a test have"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that may be harmed."""
    with RedisServer(tmp_path) as redis:
        yield redis


async def test_a_score_at_one_process_is_seen_at_the_other(redis: RedisServer) -> None:
    both: dict[str, Any] = {"engine_url": redis.url, "secret": SECRET}
    async with running(**both) as one, running(**both) as other:
        keeper, watcher = await one.client(SCOREKEEPER), await other.client(VIEWER)
        below = await other.client(VIEWER)
        exact, wild = await watcher.subscribe(BOARD), await below.subscribe("/leaderboard/*")
        await keeper.publish(BOARD, score("ann", 5), score("bob", 7))
        for client, subscription in ((watcher, exact), (below, wild)):
            seen = await client.until(subscription, lambda each: each["total"] == 2)
            assert [row["player"] for row in seen["rows"]] == ["bob", "ann"]
        here = await keeper.subscribe(BOARD)
        await keeper.until(here, lambda each: each["watching"] == 2)
        await watcher.until(exact, lambda each: each["watching"] == 2)
        http = await one.http()
        assert (await http.get(f"/api/boards{BOARD}")).json()["watching"] == 2


async def test_a_host_at_one_process_decides_for_the_other(redis: RedisServer) -> None:
    both: dict[str, Any] = {"engine_url": redis.url, "secret": SECRET}
    async with running(**both) as one, running(**both) as other:
        host, watcher = Deciding(one, BOARD), await other.client(VIEWER)
        exact = await watcher.subscribe(BOARD)
        keeper = await other.client(SCOREKEEPER)
        await keeper.publish(BOARD, score("ann", 5), score("bob", 7))
        await host.done(op("hide", player="bob"), op("freeze"))
        await keeper.publish(BOARD, score("cid", 9))
        frozen = await watcher.until(exact, lambda each: each["round"]["frozen"])
        assert [row["player"] for row in frozen["rows"]] == ["ann"]
        await host.done(op("open", for_ms=300), op("unfreeze"))
        closed = await watcher.until(exact, lambda each: each["round"]["state"] == "closed")
        assert [row["player"] for row in closed["rows"]] == ["cid", "ann"]


async def test_relayed_events_reach_subscribers_of_every_process(redis: RedisServer) -> None:
    both: dict[str, Any] = {"engine_url": redis.url, "secret": SECRET}
    async with running(**both) as one, running(**both) as other:
        sender, receiver = await one.client(ADMIN), await other.client(VIEWER)
        subscription = await receiver.subscribe("/default/chat")
        await sender.publish("/default/chat", {"hello": 1})
        assert await receiver.event(subscription) == {"hello": 1}


async def test_while_redis_is_away_what_is_shown_is_stale_and_publishes_fail(
    redis: RedisServer,
) -> None:
    async with running(engine_url=redis.url, secret=SECRET) as server:
        http = await server.http()
        assert (await http.get("/readyz")).status_code == 200
        keeper, watcher = await server.client(SCOREKEEPER), await server.client(VIEWER)
        exact = await watcher.subscribe(BOARD)
        mine = await watcher.subscribe(BOARD, view={"around": "ann"})
        await keeper.publish(BOARD, score("ann", 5))
        seen = await watcher.until(exact, lambda each: each["total"] == 1)
        await watcher.until(mine, lambda each: each["total"] == 1)
        assert "stale" not in seen
        redis.kill()
        stale = await watcher.until(exact, lambda each: each.get("stale") is True)
        assert stale["rows"] == seen["rows"]
        await watcher.until(mine, lambda each: each.get("stale") is True)
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get(f"/api/boards{BOARD}")).status_code == 503
        assert "leaderboard_engine_reached 0.0" in (await http.get("/metrics")).text
        answer = await keeper.publish(BOARD, score("ann", 6))
        assert error_types(answer) == ["EngineUnavailable"]
        redis.start()
        back = await watcher.until(exact, lambda each: "stale" not in each)
        assert (back["epoch"], back["total"]) == ("", 0)
        await keeper.publish(BOARD, score("bob", 1))
        again = await watcher.until(exact, lambda each: each["total"] == 1)
        assert again["reset"] is True
        assert (await http.get("/readyz")).status_code == 200


@pytest.mark.parametrize("plain_asgi", [False, True])
async def test_an_answer_for_whom_has_gone_is_no_trouble(
    redis: RedisServer, caplog: pytest.LogCaptureFixture, plain_asgi: bool
) -> None:
    async with running(
        engine_url=redis.patient_url, secret=SECRET, plain_asgi=plain_asgi
    ) as server:
        keeper, watcher = await server.client(SCOREKEEPER), await server.client(VIEWER)
        board = await watcher.subscribe(BOARD)
        assert (await watcher.snapshot(board))["total"] == 0
        redis.pause()
        await keeper.send(
            type="publish",
            id="p1",
            channel=BOARD,
            events=[json.dumps(score("ann", 5))],
            authorization={"x-api-key": SCOREKEEPER},
        )
        await eventually(lambda: taken(server))
        keeper.socket.transport.abort()
        await eventually(lambda: gone(server))
        redis.resume()
        seen = await watcher.until(board, lambda each: each["total"] == 1)
        assert seen["rows"][0]["player"] == "ann"
        assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def taken(server: Server) -> bool:
    """The publish has come too, beside a subscribe and two that open."""
    text = (await (await server.http()).get("/metrics")).text
    found = re.findall(r"^leaderboard_inbound_messages_total\S* (\S+)", text, re.MULTILINE)
    return sum(map(float, found)) >= 4


async def gone(server: Server) -> bool:
    return len(server.app.state.realtime) == 1


@pytest.fixture
def jumping(tmp_path: Path) -> Iterator[tuple[RedisServer, Path]]:
    """A server on a machine whose clock jumps, and the file that says how far."""
    library, jump = tmp_path / "jumping.so", tmp_path / "jump"
    source = Path(__file__).with_name("jumping.c")
    compile_: list[Path | str] = [needs("cc"), "-O1", "-shared", "-fPIC", "-o", library, source]
    subprocess.run(compile_, check=True)
    jump.write_text("0")
    environment = {"LD_PRELOAD": str(library), "JUMP": str(jump)}
    with RedisServer(tmp_path, environment=environment) as redis:
        yield redis, jump


async def test_when_the_clock_of_redis_jumps_all_processes_go_by_it(
    jumping: tuple[RedisServer, Path],
) -> None:
    """Rounds and times jump with it, the same for all; rows and versions go on, and nobody has to wait it out."""
    redis, jump = jumping
    both: dict[str, Any] = {"engine_url": redis.patient_url, "secret": SECRET}
    async with running(**both) as one, running(**both) as other:
        wanted = {"role": "scorekeeper", "channel": BOARD, "rate": 2}
        token = (await (await one.http(ADMIN)).post("/api/links", json=wanted)).json()["token"]
        host, keeper = await one.client(ADMIN), await other.client(SCOREKEEPER)
        limited = await other.client(token=token)
        watches = [(client, await client.subscribe(BOARD)) for client in (host, keeper)]

        async def all_see(player: str, value: float, state: str) -> list[Snapshot]:
            """The snapshots in which all processes agree on who leads and on the round."""
            row = {"rank": 1, "position": 1, "player": player, "score": value}

            def holds(seen: Snapshot) -> bool:
                return bool(seen["rows"][:1] == [row] and seen["round"]["state"] == state)

            return [await client.until(id_, holds) for client, id_ in watches]

        async def opened() -> None:
            answer = await host.publish(BOARD, op("open", for_ms=600_000))
            assert answer["type"] == "publish_success"

        await opened()
        await keeper.publish(BOARD, score("ann", 5))
        before, *_ = await all_see("ann", 5, "open")

        jump.write_text("3600")
        answer = await keeper.publish(BOARD, score("ann", 6))
        assert error_types(answer) == ["RoundClosed"], "its end has passed"
        for seen in await all_see("ann", 5, "closed"):
            assert (seen["epoch"], seen["version"]) == (before["epoch"], before["version"] + 1)
            assert 3000 < seen["time"] / 1000 - time.time() < 4200
        await opened()
        await keeper.publish(BOARD, score("ann", 7))
        for seen in await all_see("ann", 7, "open"):
            assert 0 < seen["ends_in_ms"] <= 600_000
        while (answer := await limited.publish(BOARD, score("bob", 1)))["type"] != "publish_error":
            pass
        assert error_types(answer) == ["LimitExceededError"]

        jump.write_text("-3600")

        async def taken() -> bool:
            answer = await limited.publish(BOARD, score("bob", 8))
            return bool(answer["type"] == "publish_success")

        await eventually(taken)  # and not in two hours
        for seen in await all_see("bob", 8, "open"):
            assert seen["epoch"] == before["epoch"]
            assert 7_200_000 < seen["ends_in_ms"] <= 7_800_000, "the round lasts as much longer"
            assert seen["playing"] == 1, "ann was active in what is the future now"
