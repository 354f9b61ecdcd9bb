"""The description of the WebSocket is valid, and says what really goes over it."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from typing import Any, get_args

import msgspec
import pytest

from leaderboard import asyncapi, messages
from leaderboard.asyncapi import SENT
from tests.amplify import APPLICATION
from tests.appsync import Frame
from tests.checkout import ROOT
from tests.conftest import Server
from tests.needs import needs

BASE = "https://scores.example"
OPERATIONS = {
    "connectionInit",
    "subscribe",
    "unsubscribe",
    "publish",
    "keepAlive",
    "deliver",
    "complain",
}


async def parsed(document: object) -> dict[str, Any]:
    """What AsyncAPI's own parser finds in a document."""
    needs("node_modules")
    process = await asyncio.create_subprocess_exec(
        *(needs("node"), "asyncapi.js"), cwd=APPLICATION.parent, stdin=PIPE, stdout=PIPE
    )
    async with asyncio.timeout(50):
        out, _ = await process.communicate(json.dumps(document).encode())
    found: dict[str, Any] = json.loads(out)
    return found


async def test_the_official_parser_finds_no_fault() -> None:
    found = await parsed(asyncapi.document(BASE))
    assert found["faults"] == []
    assert set(found["operations"]) == OPERATIONS


async def test_the_official_parser_would_have_found_one() -> None:
    document = asyncapi.document(BASE)
    del document["components"]["schemas"]["ViewSpec"]
    found = await parsed(document)
    assert any(fault["severity"] == 0 for fault in found["faults"])


async def test_a_server_tells_where_it_is(server: Server) -> None:
    answer = await (await server.http()).get("/asyncapi.json")
    document = answer.json()
    assert document == asyncapi.document(server.url)
    (here,) = document["servers"].values()
    assert (here["protocol"], here["host"]) == ("ws", f"127.0.0.1:{server.port}")
    (here,) = asyncapi.document(BASE)["servers"].values()
    assert (here["protocol"], here["host"]) == ("wss", "scores.example")


def test_every_message_of_a_client_is_described() -> None:
    received = asyncapi.document(BASE)["operations"].values()
    described = {
        each["messages"][0]["$ref"].rpartition("/")[2]
        for each in received
        if each["action"] == "receive"
    }
    names = {kind.__name__ for kind in get_args(messages.Message)}
    assert described == {name[0].lower() + name[1:] for name in names}


def test_every_reference_inside_an_event_resolves() -> None:
    """Which the parser does not follow: they stand in an extension of the schema language."""
    schemas = asyncapi.document(BASE)["components"]["schemas"]
    text = json.dumps(schemas)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= schemas.keys()
    inside = schemas["Publish"]["properties"]["events"]["items"]["x-content-schema"]["anyOf"]
    assert {"BoardEvent", "Open", "Reveal"} <= {each["$ref"].rpartition("/")[2] for each in inside}


async def every_answer(server: Server) -> list[Frame]:
    """What the server says in a conversation in which everything goes well and everything goes wrong."""
    client = await server.client(init=False)
    frames = []
    await client.send(type="connection_init")
    frames += [await client.expect("connection_ack"), await client.expect("ka")]
    wanted = {"type": "subscribe", "id": "s", "authorization": client.authorization}
    frames.append(await client.ask(**wanted, channel="/leaderboard/a"))
    frames.append(await client.ask(**wanted, channel="/leaderboard/a"))
    score = {"player": "ann", "score": 1}
    frames.append(await client.publish("/leaderboard/a", score, {"player": "bob"}, results=True))
    frames.append(await client.publish("/leaderboard/a", score, by="k", n=1))
    frames.append(await client.publish("/leaderboard/a", "no JSON"))
    frames.append(await client.expect("data"))
    frames.append(await client.ask(type="unsubscribe", id="s"))
    frames.append(await client.ask(type="unsubscribe", id="s"))
    frames.append(await client.ask(type="dance", id="d"))
    await client.send_raw("[]")
    frames.append(await client.expect("error"))
    burst = [client.publication("/leaderboard/a", score) for _ in range(26)]
    frames += await client.publish_all(burst)
    assert any("retryAfterMs" in str(frame) for frame in frames)
    stranger = await server.client("da2-nobody-was-given-this-one", init=False)
    await stranger.send(type="connection_init")
    frames.append(await stranger.expect("connection_error"))
    return frames


async def test_real_frames_have_exactly_the_members_that_are_described(server: Server) -> None:
    frames = await every_answer(server)
    for frame in frames:
        assert msgspec.to_builtins(msgspec.convert(frame, SENT)) == frame
    assert {frame["type"] for frame in frames} == {
        kind.__struct_config__.tag for kind in get_args(SENT)
    }
    snapshot = json.loads(next(each["event"] for each in frames if each["type"] == "data"))
    known = asyncapi.schemas()["Snapshot"]
    assert set(known["required"]) <= snapshot.keys() <= known["properties"].keys()


@pytest.mark.parametrize("extension", ["view", "results"])
def test_extensions_are_described_and_called_so(extension: str) -> None:
    document = asyncapi.document(BASE)
    assert f"`{extension}`" in document["info"]["description"]
    members = [
        schema.get("properties", {}) for schema in document["components"]["schemas"].values()
    ]
    assert any(extension in each for each in members)


def test_the_doors_say_where_it_is() -> None:
    assert "`GET /asyncapi.json`" in (ROOT / "docs" / "doors.md").read_text("utf-8")
