"""What a host decides: by either way, by nobody else, and nothing that makes no sense."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.appsync import Snapshot, error_types, players
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, Start
from tests.hosting import WAYS, Deciding, Event, by_either_way, op, refusals, score
from tests.witness import nobody_else_notices

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTROLS = [
    op("open", in_ms=1000, for_ms=1000),
    op("close"),
    op("clear"),
    op("freeze"),
    op("unfreeze"),
    op("reveal", steps=1),
    op("reveal", every_ms=1000),
    op("props", props={"public": {"title": "x"}}),
    op("hide", player="ann"),
    op("show", player="ann"),
    op("ban", player="ann"),
    op("unban", player="ann"),
    op("remove", player="ann"),
    op("undo"),
]


async def playing(server: Server, board: str) -> None:
    """Two players on the board."""
    keeper = await server.client(SCOREKEEPER)
    assert refusals(await keeper.publish(board, score("ann", 2), score("bob", 1))) == []


async def look(server: Server, board: str, **view: Any) -> Snapshot:
    return await (await server.client(HOST)).look(board, **view)


# -- who may -----------------------------------------------------------------------------------------------------------


@by_either_way
@pytest.mark.parametrize("key", [HOST, ADMIN], ids=["host", "admin"])
async def test_a_host_does_everything_by_either_way(
    shared: Server, board: str, way: str, key: str
) -> None:
    host = Deciding(shared, board, way, key)
    await playing(shared, board)

    async def shows(*expected: str, **round: Any) -> Snapshot:
        snapshot = await look(shared, board)
        assert players(snapshot) == list(expected)
        assert {**snapshot["round"], **round} == snapshot["round"]
        return snapshot

    await host.done(op("open", in_ms=60_000, for_ms=30_000))
    snapshot = await shows("ann", "bob", state="soon")
    assert 50_000 < snapshot["starts_in_ms"] <= 60_000
    assert 80_000 < snapshot["ends_in_ms"] <= 90_000
    await host.done(op("open"))
    await shows("ann", "bob", state="open")
    await host.done(op("close"))
    await shows("ann", "bob", state="closed", number=1)
    await host.done(op("clear"))
    await shows(state="closed", number=2)
    await host.done(op("open"))
    await playing(shared, board)
    await host.done(op("hide", player="ann"))
    assert (await shows("bob"))["total"] == 1
    await host.done(op("show", player="ann"), op("remove", player="bob"))
    await shows("ann")
    await host.done(op("undo"), op("ban", player="ann"))
    await shows("bob")
    await host.done(op("unban", player="ann"))
    await playing(shared, board)
    await host.done(op("freeze"))
    await shows("ann", "bob", frozen=True)
    await host.done(op("reveal", steps=1))
    await shows("bob", frozen=True, hidden=1)
    await host.done(op("unfreeze"))
    await shows("ann", "bob", frozen=False)
    await host.done(op("props", props={"public": {"title": "x"}, "seed": 7}))
    await shows("ann", "bob", props={"title": "x"})


@by_either_way
@pytest.mark.parametrize(
    ("key", "refusal"),
    [(VIEWER, "UnauthorizedException"), (SCOREKEEPER, "NotAllowed")],
    ids=["viewer", "scorekeeper"],
)
async def test_every_control_is_refused_for_lower_roles(
    shared: Server, board: str, way: str, key: str, refusal: str
) -> None:
    await playing(shared, board)
    before = await look(shared, board)
    lower = Deciding(shared, board, way, key)
    assert await lower.refused(*CONTROLS) == [refusal] * len(CONTROLS)
    after = await look(shared, board)
    same = ("epoch", "version", "round", "total", "rows")
    assert [after[member] for member in same] == [before[member] for member in same]


async def test_who_has_no_key_controls_nothing(shared: Server, board: str) -> None:
    http = await shared.http()
    answer = await http.post(f"/api/boards{board}", json=op("close"))
    assert (answer.status_code, error_types(answer.json())) == (401, ["UnauthorizedException"])


async def test_a_control_among_scores_fails_alone(shared: Server, board: str) -> None:
    keeper = await shared.client(SCOREKEEPER)
    answer = await keeper.publish(board, score("ann", 1), op("close"), score("bob", 2))
    assert answer["type"] == "publish_success"
    assert [(each["index"], each["errorType"]) for each in answer["failed"]] == [(1, "NotAllowed")]
    assert [each["index"] for each in answer["successful"]] == [0, 2]


@by_either_way
@pytest.mark.asyncio(loop_scope="function")  # it has a server of its own
async def test_a_host_of_some_boards_is_none_of_the_others(start: Start, way: str) -> None:
    part = {"key": "da2-host-of-a-part", "role": "host", "channels": ["/leaderboard/part/*"]}
    server = await start(api_keys=[part])
    for board, expected in [
        ("/leaderboard/part/x", []),
        ("/leaderboard/other", ["UnauthorizedException"]),
        ("/game/KX7M", ["UnauthorizedException"]),
    ]:
        assert await Deciding(server, board, way, "da2-host-of-a-part").refused(op("close")) == (
            expected
        )


async def test_controls_of_one_publish_are_one_step(shared: Server, board: str) -> None:
    client = await shared.client(HOST)
    subscription = await client.subscribe(board)
    assert (await client.snapshot(subscription))["version"] == 0
    await client.publish(
        board,
        op("props", props={"public": {"title": "Finals"}}),
        op("open", for_ms=60_000),
        score("ann", 1),
        op("freeze"),
        score("ann", 2),
    )
    snapshot = await client.snapshot(subscription, version=1)
    assert snapshot["round"] == {
        "number": 1,
        "state": "open",
        "frozen": True,
        "props": {"title": "Finals"},
    }
    assert [row["score"] for row in snapshot["rows"]] == [1]


# -- what makes no sense -----------------------------------------------------------------------------------------------

YEAR = 365 * 86_400_000
DEEP = "[" * 1000 + "]" * 1000
NONSENSE: list[tuple[Event | str, str, str]] = [
    (op("open", for_ms=-1), "InvalidEvent", "for_ms"),
    (op("open", for_ms=0), "InvalidEvent", "for_ms"),
    (op("open", for_ms=YEAR), "InvalidEvent", "for_ms"),
    (op("open", for_ms="30000"), "InvalidEvent", "for_ms"),
    (op("open", for_ms=0.5), "InvalidEvent", "for_ms"),
    ('{"op":"open","for_ms":1e400}', "InvalidEvent", ""),
    (op("open", in_ms=-1), "InvalidEvent", "in_ms"),
    (op("open", in_ms=None), "InvalidEvent", "in_ms"),
    (op("open", in_ms=3_600_001), "InvalidEvent", "in_ms"),
    (op("reveal"), "NotFrozen", "frozen"),
    (op("reveal", steps=0), "InvalidEvent", "steps"),
    (op("reveal", steps=101), "InvalidEvent", "steps"),
    (op("reveal", every_ms=1), "InvalidEvent", "every_ms"),
    (op("reveal", every_ms=60_001), "InvalidEvent", "every_ms"),
    (op("props"), "InvalidEvent", "props"),
    (op("props", props=[]), "InvalidEvent", "props"),
    (op("props", props="title"), "InvalidEvent", "props"),
    (op("props", props=None), "InvalidEvent", "props"),
    (op("props", props={"public": "x" * 4096}), "InvalidEvent", "4096"),
    (f'{{"op":"props","props":{{"public":{DEEP}}}}}', "InvalidEvent", "deep"),
    (op("hide"), "InvalidEvent", "player"),
    (op("ban"), "InvalidEvent", "player"),
    (op("ban", player=""), "InvalidEvent", "player"),
    (op("hide", player=7), "InvalidEvent", "player"),
    (op("hide", player="x" * 129), "InvalidEvent", "player"),
    (op("show"), "InvalidEvent", "player"),
    (op("unban", player=None), "InvalidEvent", "player"),
    (op("undo"), "NothingToUndo", "removed"),
    (op("restart"), "InvalidEvent", "restart"),
    (op("OPEN"), "InvalidEvent", "OPEN"),
    ({"op": None}, "InvalidEvent", "op"),
    ({"op": ["open"]}, "InvalidEvent", "op"),
]


@by_either_way
async def test_nonsense_is_refused_with_the_reason_and_changes_nothing(
    shared: Server, board: str, way: str
) -> None:
    async with nobody_else_notices(shared):
        await playing(shared, board)
        before = await look(shared, board)
        answers = await Deciding(shared, board, way).answers(*(event for event, *_ in NONSENSE))
        for (event, refusal, hint), answer in zip(NONSENSE, answers, strict=True):
            assert refusals(answer) == [refusal], event
            [told] = answer.get("failed") or answer["errors"]
            assert hint in told["message"], (event, told)
            assert len(told["message"]) < 300
        after = await look(shared, board)
        same = ("version", "round", "rows")
        assert [after[member] for member in same] == [before[member] for member in same]


@pytest.mark.parametrize(
    ("body", "status", "refusal"),
    [
        (b"", 200, "InvalidEvent"),
        (b"{", 200, "InvalidEvent"),
        (b"[]", 200, "InvalidEvent"),
        (b'"open"', 200, "InvalidEvent"),
        (b'\xff{"op":"close"}', 400, "BadRequestException"),
        (b'{"op":"close","x":"' + b"x" * 240 * 1024 + b'"}', 400, "BadRequestException"),
    ],
    ids=["nothing", "half", "array", "string", "no UTF-8", "too long"],
)
async def test_a_body_that_is_no_control_is_refused(
    shared: Server, board: str, body: bytes, status: int, refusal: str
) -> None:
    http = await shared.http(HOST)
    answer = await http.post(f"/api/boards{board}", content=body)
    assert (answer.status_code, refusals(answer.json())) == (status, [refusal])


@pytest.mark.parametrize("channel", ["/default/chat", "/nowhere/x", "/leaderboard/*", "/bad path"])
async def test_where_there_can_be_no_board_nothing_is_controlled(
    shared: Server, channel: str
) -> None:
    client, http = await shared.client(HOST), await shared.http(HOST)
    chat = await client.subscribe("/default/chat")
    answer = await http.post(f"/api/boards{channel}", json=op("close"))
    assert answer.status_code in (400, 401, 404)
    assert answer.json()["errors"]
    await client.publish("/default/chat", "1")
    assert await client.event(chat) == 1, "nothing was relayed before it"


@by_either_way
async def test_what_is_so_already_is_no_error_and_no_change(
    shared: Server, board: str, way: str
) -> None:
    await playing(shared, board)
    host = Deciding(shared, board, way)
    for event in (
        op("close"),
        op("open"),
        op("freeze"),
        op("unfreeze"),
        op("hide", player="ann"),
        op("show", player="ann"),
        op("ban", player="ann"),
        op("unban", player="ann"),
        op("remove", player="ann"),
        op("props", props={"seed": 1}),
    ):
        await host.done(event)
        before = await look(shared, board, live=True)
        await host.done(event)
        assert (await look(shared, board, live=True))["version"] == before["version"], event


async def test_a_frozen_board_cannot_be_cleared_before_it_is_shown(
    shared: Server, board: str
) -> None:
    await playing(shared, board)
    host = Deciding(shared, board)
    await host.done(op("freeze"))
    assert await host.refused(op("clear")) == ["Frozen"]
    await host.done(op("unfreeze"), op("clear"))


async def test_two_hosts_at_once_leave_one_state_that_all_see(shared: Server, board: str) -> None:
    await playing(shared, board)
    watcher = await shared.client(VIEWER)
    subscription = await watcher.subscribe(board)
    hosts = [Deciding(shared, board, way) for way in WAYS * 2]
    round_: list[Event] = [
        op("open", for_ms=60_000),
        op("freeze"),
        op("reveal"),
        op("unfreeze"),
        op("hide", player="ann"),
        op("clear"),
        op("close"),
    ]
    answers = await asyncio.gather(*(host.answers(*round_, *round_) for host in hosts))
    refused = {name for told in answers for answer in told for name in refusals(answer)}
    assert refused <= {"Frozen", "NotFrozen"}, "each is done whole, or refused for what it met"
    await hosts[0].done(op("unfreeze"), op("close"), op("props", props={"public": {"end": True}}))
    end = await watcher.until(subscription, lambda each: "end" in each["round"]["props"])
    again = await look(shared, board)
    same = ("version", "round", "total", "rows")
    assert [end[member] for member in same] == [again[member] for member in same]
    cleared = sum(not refusals(answer) for told in answers for answer in told[5::7])
    assert end["round"]["number"] == 1 + cleared


async def test_properties_are_told_to_all_but_what_is_not_public(
    shared: Server, board: str
) -> None:
    host = Deciding(shared, board)
    await host.done(op("props", props={"public": {"title": "Finals"}, "seed": "hush"}))
    client, http = await shared.client(VIEWER), await shared.http()
    told = [await client.look(board), (await http.get(f"/api/boards{board}")).json()]
    assert [each["round"]["props"] for each in told] == [{"title": "Finals"}] * 2
    assert "hush" not in json.dumps(told)
    await host.done(op("props", props={}))
    assert (await client.look(board))["round"]["props"] == {}


def nested(levels: int) -> str:
    """Props of so many levels: the object itself is the first."""
    deep = "[" * (levels - 2) + "{}" + "]" * (levels - 2)
    return f'{{"op":"props","props":{{"public":{deep}}}}}'


@by_either_way
async def test_props_may_have_32_levels_and_no_depth_is_a_fault(
    shared: Server, board: str, way: str
) -> None:
    host = Deciding(shared, board, way)
    assert await host.refused(nested(32)) == []
    depths = [33, 100, 500, *range(880, 1000, 4), 1900]
    assert await host.refused(*map(nested, depths)) == ["InvalidEvent"] * len(depths)


async def test_props_may_have_4_kb(shared: Server, board: str) -> None:
    largest = {"public": "é" * ((4096 - len('{"public":""}')) // 2)}
    host = Deciding(shared, board)
    await host.done(op("props", props=largest))
    assert (await look(shared, board))["round"]["props"] == largest["public"]
    assert await host.refused(op("props", props={"public": largest["public"] + "éé"})) == [
        "InvalidEvent"
    ]
