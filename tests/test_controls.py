"""What a host decides: by either way, by nobody else, and nothing that makes no sense."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from leaderboard import tokens
from tests.appsync import Snapshot, error_types, players
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, Start
from tests.hosting import WAYS, Deciding, Event, by_either_way, look, op, playing, refusals, score

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
    op("enter", player="ann"),
    op("hide", player="ann"),
    op("show", player="ann"),
    op("ban", player="ann"),
    op("unban", player="ann"),
    op("remove", player="ann"),
    op("undo"),
]


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


@by_either_way
@pytest.mark.asyncio(loop_scope="function")  # it has a server of its own
async def test_a_player_controls_nothing_and_takes_off_nobody_but_itself(
    start: Start, way: str
) -> None:
    board, secret = "/leaderboard/x", "a secret of the tests, 32 bytes or more"
    server = await start(secret=secret)
    await playing(server, board)
    own = tokens.sign(tokens.new_claims("player", board, "ann", 60), secret)
    ann = Deciding(server, board, way, None, own)
    leave = op("remove", player="ann")
    others = [op("remove", player="bob"), *(event for event in CONTROLS if event != leave)]
    assert await ann.refused(*others) == ["NotAllowed"] * len(others)
    assert players(await look(server, board)) == ["ann", "bob"]
    assert await ann.refused(leave) == []
    assert players(await look(server, board)) == ["bob"]


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
