"""Controls that make no sense: refused with the reason, by either way, and nothing is changed."""

from __future__ import annotations

import pytest

from tests.conftest import HOST, Server
from tests.hosting import Deciding, Event, by_either_way, look, op, playing, refusals
from tests.witness import nobody_else_notices

pytestmark = pytest.mark.asyncio(loop_scope="module")

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


async def test_a_frozen_board_cannot_be_cleared_before_it_is_shown(
    shared: Server, board: str
) -> None:
    await playing(shared, board)
    host = Deciding(shared, board)
    await host.done(op("freeze"))
    assert await host.refused(op("clear")) == ["Frozen"]
    await host.done(op("unfreeze"), op("clear"))


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
