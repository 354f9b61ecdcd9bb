"""The examples in docs/examples do what they say, as `leaderboard serve --config` starts them."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import pytest

from leaderboard.sources import load
from tests.appsync import Frame, error_types
from tests.checkout import ROOT
from tests.conftest import HOST, VIEWER, Server, Start
from tests.documents import block
from tests.handled import placed

EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture
async def server(start: Start, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server with the examples' settings, whose handlers have seen nothing yet."""
    for name in ("referee", "enricher", "gate"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(EXAMPLES)
    settings = load(EXAMPLES / "leaderboard.toml", environ={}).settings
    return await start(namespaces=settings.namespaces)


def token(server: Server, channel: str, player: str = "ann") -> dict[str, str]:
    text, _ = server.app.state.auth.issue("player", channel, player, 60)
    return {"Authorization": text}


def scores(snapshot: dict[str, Any]) -> dict[str, float]:
    return {row["player"]: row["score"] for row in snapshot["rows"]}


# -- the guide's -------------------------------------------------------------------------------------------------------


async def test_the_handler_of_the_guide_does_what_its_comments_say(start: Start) -> None:
    names: dict[str, Any] = {}
    exec(block("python", "on_publish").text, names)  # noqa: S102, our own
    server = await start(namespaces={"game": {"on_publish": placed(names["on_publish"])}})
    client = await server.client()
    refused = await client.publish("/game/closed", {"player": "ann", "score": 1})
    assert refused["errors"] == [{"errorType": "Refused", "message": "This room is closed."}]
    events: list[Any] = [{"id": "ann", "score": 1}, {"player": "bob", "score": 1001}, [1]]
    answer = await client.publish("/game/a", *events)
    assert [each["index"] for each in answer["successful"]] == [0]
    assert [each["errorType"] for each in answer["failed"]] == ["Refused", "InvalidEvent"]
    await client.publish("/game/a", {"player": "ann", "score": 2, "name": "Ann"})
    (row,) = (await client.look("/game/a"))["rows"]
    assert row["name"] == "Ann"


# -- the referee -------------------------------------------------------------------------------------------------------

TOO_FAST = "nobody gains more than 50 points a second"


def told(answer: Frame) -> list[str]:
    return [each["message"] for each in answer.get("errors") or answer["failed"]]


async def test_the_referee_lets_pass_what_can_be_true(server: Server) -> None:
    client = await server.client()
    own = token(server, "/game/a")
    burst = [{"player": "ann", "score": 50}] * 3
    assert (await client.publish("/game/a", *burst, authorization=own))["failed"] == []
    refused = await client.publish("/game/a", {"player": "ann", "score": 50}, authorization=own)
    assert told(refused) == [TOO_FAST]
    # another player, and the same on another board, have purses of their own
    assert (await client.publish("/game/a", {"player": "bob", "score": 150}))["failed"] == []
    assert (await client.publish("/game/b", {"player": "ann", "score": 150}))["failed"] == []
    assert scores(await client.look("/game/a")) == {"ann": 150, "bob": 150}


async def test_the_referee_fills_the_purse_as_time_goes_by(server: Server) -> None:
    client = await server.client()
    began = time.monotonic()
    gained = 150
    await client.publish("/game/a", {"player": "ann", "score": gained})
    for _ in range(20):
        answer = await client.publish("/game/a", {"player": "ann", "score": 10})
        gained += 10 * (answer["type"] == "publish_success")
        assert gained <= 150 + 50 * (time.monotonic() - began)
        await asyncio.sleep(0.05)
    assert gained > 150


@pytest.mark.parametrize(
    "event",
    [
        {"id": "ann", "score": 151},
        {"player": "ann", "score": 1e300},
        {"player": "ann", "id": "bob", "score": 151},
        {"player": "ann", "score": 2**70},
    ],
)
async def test_the_referee_is_not_got_round(server: Server, event: dict[str, Any]) -> None:
    client = await server.client()
    assert told(await client.publish("/game/a", event)) == [TOO_FAST]
    assert scores(await client.look("/game/a")) == {}


async def test_the_referee_has_no_say_in_what_is_no_gain(server: Server) -> None:
    client = await server.client()
    events = [{"player": "ann", "score": -1000}, {"op": "remove", "player": "ann"}]
    assert (await client.publish("/game/a", *events))["failed"] == []
    for event in ({"player": "ann", "score": "200"}, [200], {"player": "ann"}):
        assert error_types(await client.publish("/game/a", event)) == ["InvalidEvent"]


async def test_the_referee_remembers_so_many_players(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    referee = sys.modules["referee"]
    monkeypatch.setattr(referee, "PLAYERS", 3)
    client = await server.client()
    for player in ("ann", "bob", "ann", "cid", "dan"):
        await client.publish("/game/a", {"player": player, "score": 1})
    assert [player for _, player in referee.purses] == ["ann", "cid", "dan"]


# -- the enricher ------------------------------------------------------------------------------------------------------


async def test_the_enricher_adds_what_the_roster_has_of_a_new_player(server: Server) -> None:
    client = await server.client()
    await client.publish("/league/a", {"player": "p1", "score": 1}, {"id": "p9", "score": 2})
    rows = (await client.look("/league/a"))["rows"]
    assert [(row["player"], row.get("name"), row.get("meta")) for row in rows] == [
        ("p9", None, None),
        ("p1", "Ada", {"team": "blue"}),
    ]
    await client.publish("/league/a", {"player": "p1", "score": 3, "name": "The Countess"})
    row = (await client.look("/league/a"))["rows"][0]
    assert (row["name"], row["score"]) == ("The Countess", 3)


async def test_the_enricher_leaves_all_else_as_it_is(server: Server) -> None:
    client = await server.client()
    assert error_types(await client.publish("/league/a", {"player": "p1"})) == ["InvalidEvent"]
    assert error_types(await client.publish("/league/a", "[]")) == ["InvalidEvent"]


# -- the gate ----------------------------------------------------------------------------------------------------------


async def test_the_gate_lets_in_players_and_staff(server: Server) -> None:
    client = await server.client(VIEWER)
    own = token(server, "/final/1")
    assert error_types(await client.subscribing("/final/1")) == ["Unauthorized"]
    await client.subscribe("/final/1", authorization=own)
    assert error_types(await client.subscribing("/final/2", authorization=own)) == [
        "UnauthorizedException"
    ]
    scorekeeper = await server.client("da2-scorekeeper-key-of-the-tests")
    await scorekeeper.subscribe("/final/1")
    assert error_types(await scorekeeper.subscribing("/final/*")) == ["OneAtATime"]
    host = await server.client(HOST)
    await host.subscribe("/final/*")


async def test_the_gate_stands_before_http_too(server: Server) -> None:
    admin = await server.client()
    await admin.publish("/final/1", {"player": "ann", "score": 1})
    public = await server.http()
    assert (await public.get("/api/boards/final/1")).status_code == 404
    assert (await public.get("/l/final/1")).status_code == 403
    headers = token(server, "/final/1")
    assert (await public.get("/api/boards/final/1", headers=headers)).json()["total"] == 1
