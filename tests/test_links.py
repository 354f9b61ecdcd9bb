"""Links that carry a role: what they are good for, who makes, sees and revokes them, and that no token is kept."""

from __future__ import annotations

import json
import re
import sys
import time
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from typing import Any

import httpx
import pytest

from tests.appsync import error_types, players
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, Start

BOARD = "/leaderboard/cup"


async def make(http: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    answer = await http.post("/api/links", json={"role": "viewer", "channel": BOARD, **wanted})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


@pytest.mark.parametrize(
    ("role", "may_score", "may_control"),
    [
        ("viewer", False, False),
        ("player", True, False),
        ("scorekeeper", True, False),
        ("game-server", True, False),
        ("presenter", True, True),
    ],
)
async def test_a_link_is_worth_its_role(
    server: Server, role: str, may_score: bool, may_control: bool
) -> None:
    player = {"player": "ann"} if role == "player" else {}
    made = await make(await server.http(HOST), role=role, **player)
    client = await server.client(None, token=made["token"])
    await client.subscribe(BOARD)
    scored = await client.publish(BOARD, {"player": "ann", "score": 1})
    assert (scored["type"] == "publish_success") is may_score
    controlled = await client.publish(BOARD, {"op": "close"})
    assert (controlled["type"] == "publish_success") is may_control
    elsewhere = await client.subscribing("/leaderboard/other")
    assert error_types(elsewhere) == ["UnauthorizedException"]


async def test_a_link_has_its_token_behind_the_hash_and_a_code_to_scan(server: Server) -> None:
    http = await server.http(HOST)
    room = "/game/KX7M"
    for wanted, page in (
        ({"role": "viewer"}, f"/l{BOARD}#token="),
        ({"role": "presenter"}, f"/l{BOARD}#token="),
        ({"role": "player", "player": "ann"}, f"/l{BOARD}#token="),
        ({"role": "scorekeeper", "channel": "/leaderboard/*"}, "/l#token="),
        ({"role": "game-server"}, "/credential#token="),
        ({"role": "presenter", "channel": room}, "/r/KX7M/present#token="),
        ({"role": "player", "player": "Ann & Bob", "channel": room}, "/r/KX7M#seat="),
    ):
        made = await make(http, **wanted)
        named = "&name=Ann%20%26%20Bob" if "#seat=" in page else ""
        assert made["url"] == f"{server.url}{page}{made['token']}{named}"
        assert made["qr"].startswith("<svg")


async def test_what_is_listed_has_no_token(server: Server) -> None:
    http = await server.http(HOST)
    first = await make(http, label="door", rate=5, seconds=600)
    second = await make(http, role="player", player="ann")
    answer = await http.get("/api/links")
    newest, oldest = answer.json()["links"]
    assert newest["id"] == second["id"]
    assert oldest == {
        "id": first["id"],
        "role": "viewer",
        "channel": BOARD,
        "issued": first["issued"],
        "ends": first["issued"] + 600,
        "rate": 5,
        "label": "door",
    }
    for made in (first, second):
        assert made["token"] not in answer.text
        assert made["token"] not in repr(vars(server.app.state.links))


async def test_a_revoked_link_ends_what_it_has_opened(server: Server) -> None:
    http = await server.http(HOST)
    made = await make(http)
    opened_by, client = await server.client(None, token=made["token"]), await server.client()
    id_ = await client.subscribe(BOARD, authorization={"Authorization": made["token"]})
    assert (await http.delete(f"/api/links/{made['id']}")).status_code == 204
    assert error_types(await client.expect("subscribe_error", id=id_)) == ["UnauthorizedException"]
    assert await client.alive()
    assert error_types(await opened_by.expect("connection_error")) == ["UnauthorizedException"]
    assert await opened_by.closed() == 1000
    again = await (await server.http(token=made["token"])).get(f"/api/boards{BOARD}")
    assert again.status_code == 401
    assert (await http.get("/api/links")).json()["links"] == []
    assert (await http.delete(f"/api/links/{made['id']}")).status_code == 404


async def test_a_host_has_to_do_with_links_to_its_own_channels_alone(server: Server) -> None:
    admin = await server.http(ADMIN)
    elsewhere = await make(admin, channel="/leaderboard/other")
    made = await make(admin, role="presenter")
    host = await server.http(token=made["token"])
    assert [each["id"] for each in (await host.get("/api/links")).json()["links"]] == [made["id"]]
    for channel in ("/leaderboard/other", "/leaderboard/*", "/*", "/nowhere/a"):
        answer = await host.post("/api/links", json={"role": "viewer", "channel": channel})
        assert answer.json()["message"] == "Only a host of a channel makes links to it.", channel
    unknown = await host.delete("/api/links/unknown")
    foreign = await host.delete(f"/api/links/{elsewhere['id']}")
    assert (unknown.status_code, unknown.json()) == (404, foreign.json())


@pytest.mark.parametrize("key", [VIEWER, SCOREKEEPER, "no key", None])
async def test_no_other_role_makes_sees_or_revokes_links(server: Server, key: str | None) -> None:
    made = await make(await server.http(HOST))
    http = await server.http(key)
    wanted = {"role": "viewer", "channel": BOARD}
    assert (await http.post("/api/links", json=wanted)).status_code == 401
    assert (await http.get("/api/links")).status_code == 401
    assert (await http.delete(f"/api/links/{made['id']}")).status_code == 401
    assert len((await (await server.http(HOST)).get("/api/links")).json()["links"]) == 1


async def test_a_link_ends_with_the_credential_that_made_it(server: Server) -> None:
    admin = await server.http(ADMIN)
    made = await make(admin, role="presenter", seconds=600)
    child = await make(await server.http(token=made["token"]), role="presenter", seconds=3600)
    grandchild = await make(await server.http(token=child["token"]))
    assert made["issued"] + 598 <= child["ends"] <= made["ends"]
    watcher = await server.client(None, token=grandchild["token"])
    assert (await admin.delete(f"/api/tokens/{made['id']}")).status_code == 204
    assert await watcher.closed() == 1000
    for each in (child, grandchild):
        answer = await (await server.http(token=each["token"])).get(f"/api/boards{BOARD}")
        assert answer.json()["message"] == "This token was revoked."
    assert (await admin.get("/api/links")).json()["links"] == []


async def test_the_rate_of_a_link_is_that_of_all_who_have_it(server: Server) -> None:
    made = await make(await server.http(HOST), role="scorekeeper", rate=3)
    one, other = [await server.client(None, token=made["token"]) for _ in range(2)]
    began = time.monotonic()
    answers = [
        await client.publish(BOARD, {"player": "ann", "score": score})
        for score, client in enumerate((one, other, one, other, one))
    ]
    assert time.monotonic() - began < 1.0, "too slow a machine to tell"
    refused = [error_types(answer) for answer in answers if answer["type"] == "publish_error"]
    assert refused == [["LimitExceededError"]] * 2
    http = await server.http(token=made["token"])
    event = {"channel": BOARD, "events": ['{"player":"ann","score":9}']}
    assert (await http.post("/event", json=event)).status_code == 429


@pytest.mark.parametrize(
    "wanted",
    [
        {"role": "root"},
        {"role": "admin"},
        {"role": "player"},
        {"role": "player", "player": "ann", "channel": "/leaderboard/*"},
        {"role": "viewer", "player": "ann"},
        {"channel": "no channel"},
        {"channel": "/a/*/b"},
        {"seconds": 0},
        {"seconds": 86_401},
        {"rate": 0},
        {"rate": 1001},
        {"label": "x" * 61},
        {"unknown": 1},
    ],
    ids=json.dumps,
)
async def test_a_link_that_cannot_be_is_not_made(server: Server, wanted: dict[str, Any]) -> None:
    http = await server.http(ADMIN)
    answer = await http.post("/api/links", json={"role": "viewer", "channel": BOARD, **wanted})
    assert (answer.status_code, error_types(answer.json())) == (400, ["BadRequestException"])
    assert (await http.get("/api/links")).json()["links"] == []


async def run(server: Server, *arguments: str) -> tuple[int, str, str]:
    """What the command printed, with the host's key."""
    program = "from leaderboard.cli import main; main()"
    environ = {"LEADERBOARD_KEY": HOST, "LEADERBOARD_URL": server.url}
    process = await create_subprocess_exec(
        *(sys.executable, "-c", program, *arguments),
        env={**environ, "PATH": "", "COLUMNS": "200"},
        stdout=PIPE,
        stderr=PIPE,
    )
    told, complained = await process.communicate()
    return process.returncode or 0, told.decode(), complained.decode()


async def test_the_command_makes_lists_and_revokes_links(start: Start) -> None:
    server = await start()
    asked = ("link", "--role", "scorekeeper", "--channel", BOARD, "--for", "10m", "--rate", "5")
    code, told, _ = await run(server, *asked, "--label", "door")
    assert code == 0
    address, tail = told.splitlines()[0], told.splitlines()[-1]
    token = address.partition("#token=")[2]
    client = await server.client(None, token=token)
    await client.publish(BOARD, {"player": "ann", "score": 1})
    assert players(await client.look(BOARD)) == ["ann"]
    name = re.match(r"id (\S+), good until", tail)
    assert name is not None
    code, told, _ = await run(server, "links")
    assert name[1] in told
    assert "door" in told
    assert token not in told
    code, told, _ = await run(server, "revoke", name[1])
    assert (code, told) == (0, f"Revoked {name[1]}.\n")
    assert await client.closed() == 1000
    code, _, complained = await run(server, "revoke", "unknown")
    assert code == 1
    assert "only an admin of all channels may revoke a token" in complained


async def test_the_command_answers_programs_in_json_and_says_in_a_line_what_it_cannot(
    start: Start,
) -> None:
    server = await start()
    asked = ("link", "--role", "player", "--channel", BOARD, "--player", "ann", "--json")
    code, told, _ = await run(server, *asked)
    made = json.loads(told)
    assert (code, made["url"].partition("#")[0]) == (0, f"{server.url}/l{BOARD}")
    code, told, _ = await run(server, "links", "--json")
    (listed,) = json.loads(told)
    assert (code, listed["id"], listed["player"]) == (0, made["id"], "ann")
    assert made["url"].partition("#token=")[2] not in told

    for words, reason in (
        ((*asked, "--for", "2d"), "--for is 1s to 24h"),
        ((*asked, "--key", VIEWER), "Only a host of a channel makes links to it."),
        (("links", "--url", "http://127.0.0.1:1"), "http://127.0.0.1:1 cannot be reached"),
    ):
        code, told, complained = await run(server, *words)
        assert (code, told) == (1, "")
        assert reason in complained
        assert "Traceback" not in complained
