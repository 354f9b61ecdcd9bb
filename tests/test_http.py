"""HTTP: publishing as AppSync's SDKs do it, reading boards, and what operators and other sites may ask for."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx
import pytest
import pytest_asyncio

from leaderboard.events import MAX_PLAYER
from tests.appsync import error_types, players
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

PART = "da2-key-for-a-part-of-the-boards"
ORIGIN = {"origin": "https://game.example"}
KEYS = (
    {"key": ADMIN, "role": "admin"},
    {"key": HOST, "role": "host"},
    {"key": SCOREKEEPER, "role": "scorekeeper", "channels": ["/leaderboard/*", "/default/*"]},
    {"key": PART, "role": "viewer", "channels": ["/leaderboard/part/*", "/leaderboard/zone"]},
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_server() -> AsyncIterator[Server]:
    """One door is enough: both are WebSocket doors, HTTP is the same behind either."""
    async with running(api_keys=KEYS, limits={"publishes_per_second": 0}) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def closed() -> AsyncIterator[Server]:
    """A server without public viewing."""
    async with running(api_keys=KEYS, viewer_key="") as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def http(shared: Server) -> httpx.AsyncClient:
    """A caller that may do everything."""
    return await shared.http(ADMIN)


def score(player: str, value: float, **members: Any) -> str:
    return json.dumps({"player": player, "score": value, **members})


async def publish(
    http: httpx.AsyncClient, channel: str, *events: str, **members: Any
) -> dict[str, Any]:
    """Publish, and be served; the answer."""
    body = {"channel": channel, "events": events, **members}
    answer = await http.post("/event", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def fill(http: httpx.AsyncClient, channel: str, count: int) -> list[str]:
    """A board of p001, p002 … with falling scores; its players in order."""
    names = [f"p{number:03}" for number in range(1, count + 1)]
    events = [score(name, 1000 - place) for place, name in enumerate(names)]
    for start in range(0, count, 5):
        await publish(http, channel, *events[start : start + 5])
    return names


def assert_refused(answer: httpx.Response, status: int, error_type: str) -> str:
    """Refused as AppSync's SDKs read it: amplify-js looks at the header and at the top-level message; the message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-amzn-errortype"] == error_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    body = answer.json()
    assert set(body) == {"errors", "message"}
    assert error_types(body) == [error_type]
    assert body["errors"][0]["message"] == body["message"]
    return str(body["message"])


# -- POST /event -------------------------------------------------------------------------------------------------------


async def test_the_answer_names_every_event(http: httpx.AsyncClient, board: str) -> None:
    answer = await publish(http, board, *(score(f"p{number}", number) for number in range(5)))
    assert set(answer) == {"successful", "failed"}
    assert answer["failed"] == []
    assert [item["index"] for item in answer["successful"]] == [0, 1, 2, 3, 4]
    assert all(set(item) == {"identifier", "index"} for item in answer["successful"])
    assert len({item["identifier"] for item in answer["successful"]}) == 5
    snapshot = (await http.get(f"/api/boards{board}")).json()
    assert players(snapshot) == ["p4", "p3", "p2", "p1", "p0"]
    assert snapshot["version"] == 1, "a batch is one step"


async def test_a_partly_failed_publish_is_200_with_both_lists(
    http: httpx.AsyncClient, board: str
) -> None:
    answer = await publish(http, board, score("ann", 1), "not JSON", score("bob", 2), "{}")
    assert [item["index"] for item in answer["successful"]] == [0, 2]
    assert [item["index"] for item in answer["failed"]] == [1, 3]
    for item in answer["failed"]:
        assert set(item) == {"identifier", "index", "code", "errorType", "message"}
        assert (item["code"], item["errorType"]) == (400, "InvalidEvent")
    assert players((await http.get(f"/api/boards{board}")).json()) == ["bob", "ann"]


async def test_a_publish_of_which_all_failed_is_200_with_nothing_successful(
    http: httpx.AsyncClient, board: str
) -> None:
    answer = await publish(http, board, "null", score("ann", 2.0**53))
    assert answer["successful"] == []
    assert [item["errorType"] for item in answer["failed"]] == ["InvalidEvent", "ScoreOutOfRange"]
    assert (await http.get(f"/api/boards{board}")).json()["epoch"] == "", "no board was made"


async def test_results_tell_where_each_event_left_its_player(
    http: httpx.AsyncClient, board: str
) -> None:
    await publish(http, board, score("ann", 5))
    answer = await publish(http, board, score("bob", 9), "{}", score("ann", 4), results=True)
    assert answer["results"] == [
        {"player": "bob", "score": 9, "rank": 1, "version": 2},
        None,
        {"player": "ann", "score": 5, "rank": 2, "version": 2},
    ]


async def test_six_events_are_too_many(http: httpx.AsyncClient, board: str) -> None:
    events = [score(f"p{number}", 1) for number in range(6)]
    answer = await http.post("/event", json={"channel": board, "events": events})
    message = assert_refused(answer, 400, "BadRequestException")
    assert message == "Input exceeded 5 event limit"
    assert (await http.get(f"/api/boards{board}")).json()["total"] == 0


async def test_an_event_above_240_kb_is_refused(http: httpx.AsyncClient) -> None:
    events = [json.dumps("x" * 240 * 1024)]
    answer = await http.post("/event", json={"channel": "/default/chat", "events": events})
    assert_refused(answer, 400, "InvalidInputError")


@pytest.mark.parametrize("key", [None, "da2-no-such-key", VIEWER, PART])
async def test_who_may_not_publish_is_told_so(shared: Server, board: str, key: str | None) -> None:
    http = await shared.http(key)
    answer = await http.post("/event", json={"channel": board, "events": [score("ann", 1)]})
    message = assert_refused(answer, 401, "UnauthorizedException")
    assert message == "You are not authorized to make this call."
    snapshot = (await (await shared.http(ADMIN)).get(f"/api/boards{board}")).json()
    assert snapshot["total"] == 0


async def test_a_key_publishes_only_where_its_channels_are(shared: Server, board: str) -> None:
    http = await shared.http(SCOREKEEPER)
    await publish(http, board, score("ann", 1))
    body = {"channel": "/game/ABCD", "events": [score("ann", 1)]}
    assert_refused(await http.post("/event", json=body), 401, "UnauthorizedException")


async def test_a_namespace_that_does_not_exist_is_unauthorized(http: httpx.AsyncClient) -> None:
    answer = await http.post("/event", json={"channel": "/nope/x", "events": ["1"]})
    assert "nope" in assert_refused(answer, 401, "UnauthorizedException")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{nonsense",
        b"null",
        b"[]",
        b"17",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        b'{"channel":"/leaderboard/x"}',
        b'{"channel":"/leaderboard/x","events":[]}',
        b'{"channel":"/leaderboard/x","events":{}}',
        b'{"channel":"/leaderboard/x","events":[{"player":"ann","score":1}]}',
        b'{"channel":7,"events":["1"]}',
        b'{"channel":"/leaderboard/*","events":["1"]}',
        b'{"channel":"not a channel","events":["1"]}',
        b'{"events":["1"]}',
        b'{"channel":"/leaderboard/x","events":["1"],"results":"yes"}',
    ],
    ids=lambda body: repr(body[:60]),
)
async def test_a_body_that_is_no_publish_is_refused(http: httpx.AsyncClient, body: bytes) -> None:
    assert assert_refused(await http.post("/event", content=body), 400, "BadRequestException")


async def test_a_body_may_be_as_large_as_a_frame_and_no_larger(
    shared: Server, http: httpx.AsyncClient, board: str
) -> None:
    limit = shared.settings.limits.frame
    body = json.dumps({"channel": board, "events": [score("ann", 1)]}).encode()
    fits, too_large = body.ljust(limit), body.ljust(limit + 1)
    assert (await http.post("/event", content=fits)).status_code == 200
    answer = await http.post("/event", content=too_large)
    assert str(limit) in assert_refused(answer, 400, "BadRequestException")
    assert (await http.get("/healthz")).status_code == 200


async def test_a_body_without_a_length_is_read_and_limited_too(
    shared: Server, http: httpx.AsyncClient, board: str
) -> None:
    async def chunks(padding: int) -> AsyncIterator[bytes]:
        body = json.dumps({"channel": board, "events": [score("ann", 1)]}).encode()
        yield body[:10]
        yield body[10:]
        for _ in range(padding // 65_536):
            yield b" " * 65_536

    assert (await http.post("/event", content=chunks(0))).status_code == 200
    endless = chunks(shared.settings.limits.frame + 65_536)
    assert_refused(await http.post("/event", content=endless), 400, "BadRequestException")


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "text/plain", "application/x-www-form-urlencoded"]
)
async def test_any_content_type_will_do(
    http: httpx.AsyncClient, board: str, content_type: str | None
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    body = json.dumps({"channel": board, "events": [score("ann", 1)]})
    answer = await http.post("/event", content=body.encode(), headers=headers)
    assert answer.status_code == 200
    assert len(answer.json()["successful"]) == 1


async def test_a_score_reaches_those_who_watch(
    shared: Server, http: httpx.AsyncClient, board: str
) -> None:
    client = await shared.client(VIEWER)
    id_ = await client.subscribe(board)
    await publish(http, board, score("ann", 7))
    snapshot = await client.snapshot(id_, version=1)
    assert snapshot["rows"] == [{"rank": 1, "position": 1, "player": "ann", "score": 7}]


async def test_events_of_a_relay_channel_arrive_as_they_were_sent(
    shared: Server, http: httpx.AsyncClient
) -> None:
    client = await shared.client()
    id_ = await client.subscribe("/default/from-http")
    sent = ['{"b" : 1, "a":"é☃"}', "null", '"text"']
    answer = await publish(http, "/default/from-http", sent[0], "not JSON", *sent[1:])
    assert [item["index"] for item in answer["successful"]] == [0, 2, 3]
    assert [item["index"] for item in answer["failed"]] == [1]
    assert [(await client.expect("data", id=id_))["event"] for _ in sent] == sent


# -- other sites -------------------------------------------------------------------------------------------------------


async def test_the_preflight_of_a_browser_is_granted(shared: Server) -> None:
    asked = {
        **ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-amz-user-agent,x-api-key",
        "sec-fetch-mode": "cors",
        "sec-fetch-site": "cross-site",
    }
    answer = await (await shared.http()).options("/event", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert allowed >= {"content-type", "x-amz-user-agent", "x-api-key"}
    assert int(answer.headers["access-control-max-age"]) >= 600
    assert "access-control-allow-credentials" not in answer.headers, "no cookie is accepted"


@pytest.mark.parametrize(
    "path", ["/api/boards", "/api/boards/leaderboard/x", "/api/boards/nope/x", "/static/js/link.js"]
)
async def test_other_sites_may_read_boards_and_scripts(shared: Server, path: str) -> None:
    answer = await (await shared.http()).get(path, headers=ORIGIN)
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_other_sites_may_read_why_a_publish_was_refused(shared: Server) -> None:
    answer = await (await shared.http()).post("/event", content=b"{}", headers=ORIGIN)
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = answer.headers["access-control-expose-headers"]
    assert {"x-amzn-errortype", "etag"} <= {name.strip() for name in exposed.split(",")}


@pytest.mark.parametrize("path", ["/", "/l", "/docs", "/metrics", "/healthz", "/openapi.json"])
async def test_other_sites_may_read_nothing_else(shared: Server, path: str) -> None:
    http = await shared.http()
    answer = await http.get(path, headers=ORIGIN)
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    preflight = {**ORIGIN, "access-control-request-method": "GET"}
    refused = await http.options(path, headers=preflight)
    assert "access-control-allow-origin" not in refused.headers


# -- GET /api/boards ---------------------------------------------------------------------------------------------------


async def pages(http: httpx.AsyncClient, **query: str | int) -> list[list[str]]:
    """All pages of a listing, followed by `next`: the channels of each."""
    found = []
    after: str | None = ""
    while after is not None:
        answer = await http.get("/api/boards", params={**query, "after": after})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found.append([board["channel"] for board in page["boards"]])
        after = page["next"]
    return found


async def test_a_listing_tells_of_each_board_what_one_needs_to_choose(
    shared: Server, http: httpx.AsyncClient, board: str
) -> None:
    await fill(http, f"{board}/a", 3)
    client = await shared.client(VIEWER)
    await client.subscribe(f"{board}/a")
    answer = (await http.get("/api/boards", params={"under": board})).json()
    assert answer["next"] is None
    [listed] = answer["boards"]
    assert listed["channel"] == f"{board}/a"
    assert listed["total"] == 3
    assert listed["watching"] == 1


async def test_pages_hold_every_board_once_and_in_order(
    http: httpx.AsyncClient, board: str
) -> None:
    names = [f"{board}/{letter}" for letter in "edcba"]
    for name in names:
        await publish(http, name, score("ann", 1))
    a, b, c, d, e = sorted(names)
    assert await pages(http, under=board, limit=2) == [[a, b], [c, d], [e]]
    assert await pages(http, under=board, limit=5) == [[a, b, c, d, e]], "nothing follows"
    assert await pages(http, under=board) == [[a, b, c, d, e]]


async def test_under_is_every_depth_below_and_not_the_channel_itself(
    http: httpx.AsyncClient, board: str
) -> None:
    for name in (board, f"{board}/a", f"{board}/a/b", f"{board}-other"):
        await publish(http, name, score("ann", 1))
    assert await pages(http, under=board) == [[f"{board}/a", f"{board}/a/b"]]
    assert await pages(http, under=board[1:] + "/a/") == [[f"{board}/a/b"]]
    [everything] = await pages(http, limit=1000)
    assert {board, f"{board}/a/b", f"{board}-other"} <= set(everything)
    assert everything == sorted(everything)


async def test_a_listing_holds_what_the_credential_covers_and_its_pages_are_full(
    shared: Server, http: httpx.AsyncClient
) -> None:
    seen = [*(f"/leaderboard/part/{number}" for number in range(3)), "/leaderboard/zone"]
    unseen = [f"/leaderboard/quiet-{number}" for number in range(8)]
    for name in (*seen, *unseen, "/leaderboard/part", "/leaderboard/zone/a"):
        await publish(http, name, score("ann", 1))
    part = await shared.http(PART)
    assert await pages(part, limit=2) == [seen[:2], seen[2:]]
    assert await pages(part, under="/leaderboard/part") == [seen[:3]]
    assert await pages(part, under="/game") == [[]]


# -- GET /api/boards/{channel} -----------------------------------------------------------------------------------------


async def test_a_board_is_read_as_a_subscriber_gets_it(
    shared: Server, http: httpx.AsyncClient, board: str
) -> None:
    await publish(http, board, score("ann", 2.5, name="Ann ☃", meta={"team": "é"}))
    client = await shared.client(VIEWER)
    subscribed = await client.look(board)
    answer = await http.get(f"/api/boards{board}")
    assert answer.headers["content-type"] == "application/json"
    moment = {"time": 0, "watching": 0}
    assert answer.json() | moment == {k: v for k, v in subscribed.items() if k != "reset"} | moment


async def test_the_namespace_says_how_many_rows_are_read_by_default(
    shared: Server, http: httpx.AsyncClient, board: str
) -> None:
    names = await fill(http, board, 15)
    snapshot = (await http.get(f"/api/boards{board}")).json()
    assert players(snapshot) == names[: shared.settings.namespaces["leaderboard"].top]
    assert snapshot["total"] == 15
    assert "around" not in snapshot


async def test_top_and_offset_choose_the_rows(http: httpx.AsyncClient, board: str) -> None:
    names = await fill(http, board, 15)

    async def read(**query: int) -> list[str]:
        return players((await http.get(f"/api/boards{board}", params=query)).json())

    assert await read(top=3) == names[:3]
    assert await read(top=100) == names
    assert await read(top=3, offset=4) == names[4:7]
    assert await read(offset=10) == names[10:]
    assert await read(offset=15) == []
    assert await read(offset=10_000_000) == []


async def test_around_is_a_player_with_neighbours(http: httpx.AsyncClient, board: str) -> None:
    names = await fill(http, board, 15)

    async def read(**query: str | int) -> dict[str, Any]:
        return dict((await http.get(f"/api/boards{board}", params=query)).json())

    snapshot = await read(around="p008")
    assert [row["player"] for row in snapshot["around"]] == names[5:10]
    assert "rows" not in snapshot
    alone = await read(around="p001", radius=0)
    assert [(row["player"], row["rank"]) for row in alone["around"]] == [("p001", 1)]
    both = await read(around="p015", radius=1, top=2)
    assert players(both) == names[:2]
    assert [row["player"] for row in both["around"]] == names[13:]


async def test_around_a_player_who_is_not_there_is_an_empty_list(
    http: httpx.AsyncClient, board: str
) -> None:
    await fill(http, board, 3)
    snapshot = (await http.get(f"/api/boards{board}", params={"around": "nobody"})).json()
    assert snapshot["around"] == []
    assert snapshot["total"] == 3


async def test_a_board_that_nobody_has_played_on_is_empty(
    http: httpx.AsyncClient, board: str
) -> None:
    snapshot = (await http.get(f"/api/boards{board}")).json()
    assert (snapshot["epoch"], snapshot["version"], snapshot["total"]) == ("", 0, 0)
    assert snapshot["rows"] == []
    assert board not in [name for page in await pages(http) for name in page], "reading makes none"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("top=0", "top"),
        ("top=101", "top"),
        ("top=ten", "top"),
        ("top=" + "9" * 30, "top"),
        ("offset=-1", "offset"),
        ("offset=10000001", "offset"),
        ("around=", "around"),
        ("around=" + "x" * (MAX_PLAYER + 1), "around"),
        ("around=ann&radius=51", "radius"),
        ("around=ann&radius=-1", "radius"),
        ("top=0&radius=51", "top"),
        ("top=0&radius=51", "radius"),
    ],
)
async def test_a_wrong_parameter_is_named(
    http: httpx.AsyncClient, board: str, query: str, named: str
) -> None:
    answer = await http.get(f"/api/boards{board}?{query}")
    assert f"{named}: " in assert_refused(answer, 400, "BadRequestException")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "under=a b", "under=/game/*"]
)
async def test_a_wrong_parameter_of_the_listing_is_refused(
    http: httpx.AsyncClient, query: str
) -> None:
    assert_refused(await http.get(f"/api/boards?{query}"), 400, "BadRequestException")


@pytest.mark.parametrize("channel", ["", "-x", "leaderboard/*", "a/b/c/d/e/f", "leaderboard/a%20b"])
async def test_what_is_no_channel_is_refused(http: httpx.AsyncClient, channel: str) -> None:
    assert_refused(await http.get(f"/api/boards/{channel}"), 400, "BadRequestException")


# -- asking again ------------------------------------------------------------------------------------------------------


async def test_nothing_is_sent_again_while_nothing_has_changed(
    http: httpx.AsyncClient, board: str
) -> None:
    await publish(http, board, score("ann", 1))
    first = await http.get(f"/api/boards{board}")
    tag = first.headers["etag"]
    again = await http.get(f"/api/boards{board}", headers={"if-none-match": tag})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == tag
    assert again.headers["vary"] == first.headers["vary"]

    await publish(http, board, score("bob", 2))
    changed = await http.get(f"/api/boards{board}", headers={"if-none-match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert players(changed.json()) == ["bob", "ann"]


async def test_an_event_that_changes_nothing_changes_no_tag(
    http: httpx.AsyncClient, board: str
) -> None:
    await publish(http, board, score("ann", 5))
    tag = (await http.get(f"/api/boards{board}")).headers["etag"]
    await publish(http, board, score("ann", 4))
    again = await http.get(f"/api/boards{board}", headers={"if-none-match": tag})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("{tag}", 304),
        ("{strong}", 304),  # If-None-Match compares weakly: RFC 9110, 13.1.2
        ('"other", {tag}', 304),
        ('"other",{strong} , "another"', 304),
        ("*", 304),
        ('"other"', 200),
        ('W/"other"', 200),
        ("", 200),
    ],
)
async def test_a_condition_is_a_list_of_tags_compared_weakly(
    http: httpx.AsyncClient, board: str, condition: str, status: int
) -> None:
    await publish(http, board, score("ann", 1))
    tag = (await http.get(f"/api/boards{board}")).headers["etag"]
    assert tag.startswith('W/"'), "`time` and `watching` move while the tag stays"
    headers = {"if-none-match": condition.format(tag=tag, strong=tag.removeprefix("W/"))}
    assert (await http.get(f"/api/boards{board}", headers=headers)).status_code == status


async def test_views_have_tags_of_their_own(http: httpx.AsyncClient, board: str) -> None:
    await fill(http, board, 5)
    queries = ["", "?top=1", "?top=2", "?top=2&offset=1", "?around=p001", "?around=p001&radius=1"]
    answers = [await http.get(f"/api/boards{board}{query}") for query in queries]
    assert len({answer.headers["etag"] for answer in answers}) == len(queries)
    spelt_out = await http.get(f"/api/boards{board}?top=10")
    assert spelt_out.headers["etag"] == answers[0].headers["etag"], "the same view by another name"


@pytest.mark.parametrize("form", ["", ".csv", ".jsonl"])
async def test_caches_ask_again_and_tell_callers_apart(
    http: httpx.AsyncClient, board: str, form: str
) -> None:
    answer = await http.get(f"/api/boards{board}{form}")
    assert answer.headers["cache-control"] == "no-cache"
    assert {"x-api-key", "authorization"} <= set(answer.headers["vary"].lower().split(", "))


# -- exports -----------------------------------------------------------------------------------------------------------


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


async def test_a_board_as_csv(http: httpx.AsyncClient, board: str) -> None:
    events = (
        score("ann", 2.5, name='Ann "the ☃", 王', meta={"a": 1}),
        score("bob", 2.5),
        score("cid", -1),
    )
    await publish(http, board, *events)
    answer = await http.get(f"/api/boards{board}.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    name = board[1:].replace("/", "-")
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.csv"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text.count("\r\n") == 4, "RFC 4180"
    assert rows_of(answer.content.decode()) == [
        ["rank", "position", "player", "name", "score", "meta"],
        ["1", "1", "ann", 'Ann "the ☃", 王', "2.5", '{"a":1}'],
        ["1", "2", "bob", "", "2.5", ""],
        ["3", "3", "cid", "", "-1", ""],
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\N{FULLWIDTH EQUALS SIGN}1", "'\N{FULLWIDTH EQUALS SIGN}1"),
        ("x;=1+1;y; @z;a=b", "x;'=1+1;y;' @z;a=b"),
    ],
)
async def test_a_spreadsheet_takes_no_cell_of_a_csv_for_a_formula(
    http: httpx.AsyncClient, board: str, text: str, told: str
) -> None:
    await publish(http, board, score(text, -5, name=text))
    _, [_, _, player, name, shown, _] = rows_of((await http.get(f"/api/boards{board}.csv")).text)
    assert (player, name) == (told, unicodedata.normalize("NFKC", told))
    assert shown == "-5", "a number stays one"


async def test_a_board_as_json_lines_is_exact(http: httpx.AsyncClient, board: str) -> None:
    await publish(http, board, score("=1+1", 2, name="王 ☃", meta={"é": [1]}), score("-b", -0.5))
    answer = await http.get(f"/api/boards{board}.jsonl")
    assert answer.headers["content-type"] == "application/jsonl; charset=utf-8"
    assert answer.headers["content-disposition"].endswith('.jsonl"')
    lines = answer.content.decode().removesuffix("\n").split("\n")
    assert [json.loads(line) for line in lines] == (await http.get(f"/api/boards{board}")).json()[
        "rows"
    ]


async def test_a_large_board_is_exported_whole_and_in_order(
    shared: Server, http: httpx.AsyncClient, board: str
) -> None:
    count = 2500  # more than two pages of the reader's
    client = await shared.client()
    events = [{"player": f"p{number}", "score": count - number} for number in range(count)]
    batches = (events[start : start + 5] for start in range(0, count, 5))
    await client.publish_all(client.publication(board, *batch) for batch in batches)
    expected = [event["player"] for event in events]

    _, *rows = rows_of((await http.get(f"/api/boards{board}.csv")).text)
    assert [row[2] for row in rows] == expected
    assert [int(row[1]) for row in rows] == list(range(1, count + 1))
    lines = (await http.get(f"/api/boards{board}.jsonl")).text.splitlines()
    assert [json.loads(line)["player"] for line in lines] == expected


async def test_an_empty_board_is_exported_as_no_rows(http: httpx.AsyncClient, board: str) -> None:
    assert len(rows_of((await http.get(f"/api/boards{board}.csv")).text)) == 1
    assert (await http.get(f"/api/boards{board}.jsonl")).text == ""


@pytest.mark.parametrize("suffix", [".pdf", ".json", ".CSV", ".csv.gz", ".", ".csv/"])
async def test_there_are_no_other_forms(http: httpx.AsyncClient, board: str, suffix: str) -> None:
    assert_refused(await http.get(f"/api/boards{board}{suffix}"), 404, "ResourceNotFound")


# -- who may read ------------------------------------------------------------------------------------------------------

READS = ("/api/boards", "/api/boards/leaderboard/x", "/api/boards/leaderboard/x.csv")


@pytest.mark.parametrize("path", READS)
async def test_with_public_viewing_everybody_reads(shared: Server, path: str) -> None:
    for key in (None, VIEWER, ADMIN):
        assert (await (await shared.http(key)).get(path)).status_code == 200


@pytest.mark.parametrize("path", READS)
async def test_without_public_viewing_only_keys_read(closed: Server, path: str) -> None:
    assert_refused(await (await closed.http()).get(path), 404, "ResourceNotFound")
    assert_refused(await (await closed.http(VIEWER)).get(path), 401, "UnauthorizedException")
    assert (await (await closed.http(ADMIN)).get(path)).status_code == 200


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("credential", [{"x-api-key": "da2-wrong"}, {"authorization": "da2-wrong"}])
async def test_a_credential_that_is_wrong_is_not_taken_for_the_public(
    shared: Server, path: str, credential: Mapping[str, str]
) -> None:
    answer = await (await shared.http()).get(path, headers=credential)
    assert_refused(answer, 401, "UnauthorizedException")


@pytest.mark.parametrize("form", ["", ".csv", ".jsonl"])
async def test_a_key_reads_only_what_it_covers(shared: Server, form: str) -> None:
    http = await shared.http(PART)
    assert (await http.get(f"/api/boards/leaderboard/part/1{form}")).status_code == 200
    for channel in ("/leaderboard/part", "/leaderboard/zone/a", "/game/ABCD"):
        answer = await http.get(f"/api/boards{channel}{form}")
        assert_refused(answer, 401, "UnauthorizedException")


async def test_a_namespace_that_does_not_exist_is_not_found_by_the_public(shared: Server) -> None:
    path = "/api/boards/nope/x"
    assert_refused(await (await shared.http()).get(path), 404, "ResourceNotFound")
    assert_refused(await (await shared.http(ADMIN)).get(path), 401, "UnauthorizedException")


async def test_a_relay_channel_has_no_ranking(shared: Server) -> None:
    for key in (None, ADMIN):
        http = await shared.http(key)
        for form in ("", ".csv"):
            answer = await http.get(f"/api/boards/default/chat{form}")
            assert "relay" in assert_refused(answer, 404, "ResourceNotFound")


# -- operators, and everything else ------------------------------------------------------------------------------------


async def test_the_server_says_that_it_lives_and_is_ready(closed: Server) -> None:
    http = await closed.http()  # no credential is needed, whoever may view
    for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
        answer = await http.get(path)
        assert answer.status_code == 200
        assert answer.json() == {"status": status}


def references(node: Any) -> Iterator[str]:
    """Every `$ref` in a JSON document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


async def test_the_openapi_document_describes_publishing_and_reading(shared: Server) -> None:
    document = (await (await shared.http()).get("/openapi.json")).json()
    paths = document["paths"]
    assert set(paths["/event"]) == {"post"}
    body = paths["/event"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/HttpPublish"}
    assert "/api/boards" in paths
    read = paths["/api/boards/{channel}"]["get"]
    names = {parameter["name"] for parameter in read["parameters"]}
    assert names == {"channel", "top", "offset", "around", "radius", "round", "live"}
    assert {"200", "304", "4XX"} <= set(read["responses"])
    assert not any(path.startswith(("/l", "/ui")) for path in paths), "pages are no interface"


async def test_every_reference_of_the_openapi_document_resolves(shared: Server) -> None:
    document = (await (await shared.http()).get("/openapi.json")).json()
    found = set(references(document))
    assert "#/components/schemas/Published" in found
    for reference in found:
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in target, f"{reference} points nowhere"
            target = target[step]


@pytest.mark.parametrize("path", [*READS, "/healthz", "/readyz", "/static/js/link.js", "/", "/no"])
async def test_no_browser_guesses_types(shared: Server, path: str) -> None:
    answer = await (await shared.http()).get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/nope", "/api/nope", "/static/nope.js", "/event/nope"])
async def test_an_unknown_path_is_answered_in_the_language_of_who_asks(
    shared: Server, path: str
) -> None:
    http = await shared.http()
    assert_refused(await http.get(path), 404, "ResourceNotFound")
    page = await http.get(path, headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.status_code == 404
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is nothing here" in page.text


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/event"), ("PUT", "/event"), ("DELETE", "/api/boards/leaderboard/x"), ("POST", "/l")],
)
async def test_a_method_that_is_not_there_is_refused(
    shared: Server, method: str, path: str
) -> None:
    answer = await (await shared.http(ADMIN)).request(method, path)
    assert_refused(answer, answer.status_code, "BadRequestException")
    assert 400 <= answer.status_code < 500


async def test_a_method_that_is_not_there_is_405_and_names_those_that_are(shared: Server) -> None:
    answer = await (await shared.http(ADMIN)).delete("/event")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.json()["errors"][0]["errorType"] == "BadRequestException"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/api/boards"])
async def test_head_is_answered_wherever_get_is(shared: Server, path: str) -> None:
    answer = await (await shared.http()).head(path)
    assert answer.status_code == 200
    assert answer.content == b""


async def test_a_refusal_is_not_kept_for_another_credential(shared: Server) -> None:
    answer = await (await shared.http()).get("/api/boards/nowhere/a")
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-cache"
    assert "x-api-key" in answer.headers["vary"]
