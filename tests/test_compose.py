"""compose.yaml says what it shall, and its `scale` profile works: as plain processes, since no container runs here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
import yaml

from leaderboard.lights import lights_of
from leaderboard.metrics import Metrics
from leaderboard.sources import load
from tests.amplify import application
from tests.appsync import Client, Snapshot, connect
from tests.balancer import balancer
from tests.checkout import ROOT
from tests.conftest import ADMIN
from tests.processes import PATIENCE, Serve, serve
from tests.redis_server import RedisServer

DEPLOY = ROOT / "docs" / "deploy"
APPS = ("app1", "app2", "app3")
BOARD = "/leaderboard/arcade"
compose: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


# -- what it says ------------------------------------------------------------------------------------------------------


def test_without_a_profile_there_is_one_server_on_the_memory_engine() -> None:
    default = {name: service for name, service in compose.items() if "profiles" not in service}
    assert set(default) == {"leaderboard"}
    assert "LEADERBOARD_ENGINE_URL" not in default["leaderboard"]["environment"]


@pytest.mark.parametrize("name", compose)
def test_every_service_is_confined(name: str) -> None:
    service = compose[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "cpus"} <= service.keys()
    if "build" in service:  # the image says both
        assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()
        assert re.search(r"^USER \d+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    else:
        assert "healthcheck" in service
        assert (
            service.get("user", "101").partition(":")[0] != "0"
            or "unprivileged" in service["image"]
        )
    assert all(volume.endswith(":ro") for volume in service.get("volumes", ()))


def test_what_is_mounted_is_there() -> None:
    for service in compose.values():
        for volume in service.get("volumes", ()):
            assert (ROOT / volume.partition(":")[0]).is_file(), volume


def test_valkey_keeps_nothing_and_evicts_nothing() -> None:
    command = " ".join(compose["valkey"]["command"])
    assert "--save  --appendonly no" in command
    assert "--maxmemory-policy noeviction" in command


def test_the_settings_of_the_apps_are_settings() -> None:
    given = {**compose["app1"]["environment"]}
    given["LEADERBOARD_SECRET"] = "s" * 32
    given["LEADERBOARD_API_KEYS"] = given["LEADERBOARD_API_KEYS"].replace(
        "${LEADERBOARD_KEY:-}", ADMIN
    )
    given["LEADERBOARD_PUBLIC_URL"] = ""
    assert load(environ=given).settings.engine_url == "redis://valkey:6379"
    assert all(compose[app]["environment"] == compose["app1"]["environment"] for app in APPS)


def test_balancer_and_prometheus_know_every_app() -> None:
    asked = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"][0]
    balanced = re.findall(r"server (\S+):8000 ", (DEPLOY / "nginx.conf").read_text())
    assert balanced == list(APPS)
    assert asked["static_configs"][0]["targets"] == [f"{app}:8000" for app in APPS]


def test_the_dashboard_asks_for_metrics_that_are_there() -> None:
    there = Metrics().render().decode()
    panels = json.loads((DEPLOY / "grafana" / "leaderboard.json").read_text())["panels"]
    asked = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"\b(?:leaderboard|process)_\w+", target["expr"])
    }
    assert len(asked) > 15
    assert not [name for name in asked if f"# TYPE {name} " not in there]


# -- that it works -----------------------------------------------------------------------------------------------------


class Topology:
    """Redis, three servers and nginx as plain processes."""

    def __init__(self, url: str, apps: list[Serve], urls: list[str]) -> None:
        self.url = url
        self.apps = apps
        self.urls = urls

    @property
    def socket(self) -> str:
        return self.url.replace("http", "ws") + "/event/realtime"

    async def connections(self) -> list[int]:
        """How many each server has."""
        async with httpx.AsyncClient() as http:
            shown = [(await http.get(f"{url}/metrics")).text for url in self.urls]
        return [
            int(float(re.findall(r"^leaderboard_active_connections (\S+)", s, re.MULTILINE)[0]))
            for s in shown
        ]


@pytest.fixture
async def scaled(tmp_path: Path) -> AsyncIterator[Topology]:
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(RedisServer(tmp_path))
        settings: dict[str, Any] = {
            "engine_url": redis.url,
            "secret": "s" * 32,
            "trusted_proxies": ["127.0.0.1"],
        }
        apps = [await stack.enter_async_context(serve(**settings)) for _ in APPS]
        urls = await asyncio.gather(*(app.url() for app in apps))
        url = stack.enter_context(balancer(tmp_path, urls))
        yield Topology(url, apps, urls)


@pytest.mark.timeout(150)
async def test_three_servers_behind_a_balancer_are_one(scaled: Topology) -> None:
    async with AsyncExitStack() as stack:
        clients: list[Client] = [
            await stack.enter_async_context(connect(scaled.socket, ADMIN)) for _ in range(6)
        ]
        assert await scaled.connections() == [2, 2, 2]
        boards = [await client.subscribe(BOARD) for client in clients]
        for number, client in enumerate(clients):
            answer = await client.publish(BOARD, {"player": f"p{number}", "score": number})
            assert answer["type"] == "publish_success"
        for client, board in zip(clients, boards, strict=True):
            snapshot = await client.snapshot(board, version=6)
            assert [row["player"] for row in snapshot["rows"]] == [
                "p5",
                "p4",
                "p3",
                "p2",
                "p1",
                "p0",
            ]
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{scaled.url}/metrics")).status_code == 404
            body = {"channel": BOARD, "events": ['{"player":"ann","score":99}']}
            posted = await http.post(f"{scaled.url}/event", json=body, headers={"x-api-key": ADMIN})
            assert len(posted.json()["successful"]) == 1
        for client, board in zip(clients, boards, strict=True):
            assert (await client.snapshot(board, version=7))["rows"][0]["player"] == "ann"


@pytest.mark.timeout(150)
async def test_a_server_that_is_killed_is_passed_by(scaled: Topology) -> None:
    async with httpx.AsyncClient() as http:
        body = {"channel": BOARD, "events": ['{"player":"ann","score":5}']}
        answer = await http.post(f"{scaled.url}/event", json=body, headers={"x-api-key": ADMIN})
        assert len(answer.json()["successful"]) == 1
        scaled.apps[0].process.kill()
        await scaled.apps[0].process.wait()
        for _ in range(9):  # whoever is asked: the two that are left
            read = await http.get(f"{scaled.url}/api/boards{BOARD}")
            assert (read.status_code, read.json()["total"]) == (200, 1)
    async with asyncio.timeout(PATIENCE), connect(scaled.socket, ADMIN) as client:
        board = await client.subscribe(BOARD)
        assert (await client.snapshot(board, version=1))["rows"][0]["player"] == "ann"


def hides(places: int, snapshot: Snapshot) -> bool:
    return bool(snapshot["round"].get("hidden", 0) == places)


@pytest.mark.timeout(150)
async def test_a_room_is_one_whichever_server_its_people_are_at(scaled: Topology) -> None:
    """Made at one, led from another, watched at all: round, presence, freezing and the reveal."""
    async with AsyncExitStack() as stack:
        one, two, three = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=url)) for url in scaled.urls
        ]
        room = (await one.post("/api/rooms", json={"round_ms": 60_000, "seed": 7})).json()
        channel, host = room["channel"], {"authorization": room["host_token"]}

        async def led(http: httpx.AsyncClient, **event: Any) -> None:
            answer = await http.post(f"/api/boards{channel}", json=event, headers=host)
            assert answer.json()["failed"] == [], answer.text

        joined = [
            (await http.post(f"/api/rooms/{room['code']}/players", json={"name": "Ann"})).json()
            for http in (one, two, three)
        ]
        assert [each["name"] for each in joined] == ["Ann", "Ann 2", "Ann 3"]
        watchers = [
            await stack.enter_async_context(connect(scaled.socket, "pk_viewer")) for _ in range(3)
        ]
        assert await scaled.connections() == [1, 1, 1]
        seen = [await each.subscribe(channel) for each in watchers]
        for watcher, board in zip(watchers, seen, strict=True):
            everybody = await watcher.until(board, lambda each: each["watching"] == 3)
            assert (everybody["total"], everybody["round"]["state"]) == (3, "closed")
        await led(two, op="open", for_ms=60_000)
        for watcher, board in zip(watchers, seen, strict=True):
            await watcher.until(board, lambda each: each["round"]["state"] == "open")
        # Whoever plays goes from one server to another, and its combo goes along.
        lights = lights_of(7, 1, 60_000)
        player = joined[0]
        for light, http in enumerate((three, one, three)):
            hits = [{"tile": lights[light], "at": 100 * light}]
            event = {
                "player": player["player"],
                "hits": hits,
                "round": 1,
                "by": "a",
                "n": light + 1,
            }
            body = {"channel": channel, "events": [json.dumps(event)]}
            sent = await http.post("/event", json=body, headers={"authorization": player["token"]})
            assert sent.json()["failed"] == [], sent.text
        points = 7 + 8 + 9
        for watcher, board in zip(watchers, seen, strict=True):
            scored = await watcher.until(board, lambda each: each["rows"][0]["score"] == points)
            assert scored["playing"] == 1
        await led(three, op="freeze")
        await led(one, op="close")
        for watcher, board in zip(watchers, seen, strict=True):
            await watcher.until(board, lambda each: each["round"]["frozen"])
        for http, left in ((one, 2), (two, 1), (three, 0)):
            await led(http, op="reveal", steps=1)
            for watcher, board in zip(watchers, seen, strict=True):
                shown = await watcher.until(board, partial(hides, left))
                assert len(shown["rows"]) == 3 - left
        scaled.apps[0].process.kill()  # and those who watched there count for some seconds only
        for watcher, board in zip(watchers, seen, strict=True):
            with contextlib.suppress(websockets.ConnectionClosed):
                await watcher.until(board, lambda each: each["watching"] == 2)


@pytest.mark.timeout(150)
async def test_amplify_publishes_by_one_server_and_sees_it_by_another(scaled: Topology) -> None:
    async with application({}) as publisher, application({}) as watcher:
        for app in (publisher, watcher):
            endpoint = f"{scaled.url.replace('http', 'HTTP')}/event"
            events = {"endpoint": endpoint, "defaultAuthMode": "apiKey", "apiKey": ADMIN}
            await app.configure({"API": {"Events": events}})
        seen = await (await watcher.connect(BOARD)).subscribe()
        assert (await seen.event())["rows"] == []
        channel = await publisher.connect(BOARD)
        assert sorted(await scaled.connections()) == [0, 1, 1], "they are on two servers"
        await channel.publish({"player": "ann", "score": 12})
        assert [row["player"] for row in (await seen.event())["rows"]] == ["ann"]
