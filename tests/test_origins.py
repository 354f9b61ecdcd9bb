"""Keys that are bound to sites: pages of others are refused by every door, programs are not."""

from __future__ import annotations

import json

import pytest
from pydantic import SecretStr

from leaderboard.settings import ApiKey
from tests.appsync import error_types
from tests.conftest import ADMIN, Server, Start

BOARD = "/leaderboard/cup"
KEY = "pk_of_a_blog"
REFUSED = [
    {"errorType": "UnauthorizedException", "message": "This key is not for pages of this site."}
]
GOOD = ["https://blog.example", "https://BLOG.example", "https://a.shop.example", None]
BAD = [
    "https://evil.example",
    "http://blog.example",
    "https://blog.example:8443",
    "https://blog.example.evil.example",
    "https://evilblog.example",
    "https://shop.example",
    "https://evilshop.example",
    "https://a.shop.example.evil.example",
    "null",
    "",
]


@pytest.fixture
async def server(start: Start) -> Server:
    origins = ("https://Blog.example", "https://*.shop.example")
    keys = (
        ApiKey(key=SecretStr(KEY), role="scorekeeper", origins=origins),
        ApiKey(key=SecretStr(ADMIN), role="admin"),
    )
    return await start(api_keys=keys)


async def answers(server: Server, key: str, origin: str | None) -> list[list[dict[str, str]]]:
    """The errors by which each door refuses; empty for those that do not."""
    headers = {} if origin is None else {"origin": origin}
    http = await server.http(key)
    body = {"channel": BOARD, "events": [json.dumps({"player": "ann", "score": 1})]}
    published = await http.post("/event", json=body, headers=headers)
    read = await http.get(f"/api/boards{BOARD}", headers=headers)
    options = {} if origin is None else {"origin": origin}
    # Opened by a key that is not bound, so that the messages' own counts.
    client = await server.client(ADMIN, **options)
    authorization = {"x-api-key": key}
    subscribed = await client.subscribing(BOARD, authorization=authorization)
    opened = await server.client(key, init=False, **options)
    await opened.send(type="connection_init")
    connected = await opened.expect("connection_ack", "connection_error")
    told = [published.json(), read.json(), subscribed, connected]
    return [answer.get("errors", []) for answer in told]


@pytest.mark.parametrize("origin", GOOD)
async def test_pages_of_its_sites_and_programs_may_use_it(
    server: Server, origin: str | None
) -> None:
    assert await answers(server, KEY, origin) == [[]] * 4


@pytest.mark.parametrize("origin", BAD)
async def test_pages_of_other_sites_may_not(server: Server, origin: str) -> None:
    assert await answers(server, KEY, origin) == [REFUSED] * 4


async def test_a_key_that_is_not_bound_is_for_all(server: Server) -> None:
    assert await answers(server, ADMIN, "https://evil.example") == [[]] * 4


async def test_an_unknown_key_is_refused_the_same_from_anywhere(server: Server) -> None:
    http = await server.http("pk_of_nobody")
    for headers in ({}, {"origin": "https://blog.example"}, {"origin": "https://evil.example"}):
        answer = await http.get(f"/api/boards{BOARD}", headers=headers)
        assert error_types(answer.json()) == ["UnauthorizedException"]
        assert answer.json()["message"] == "You are not authorized to make this call."
