"""A frozen board: everybody sees it as it was, by whatever way they look, and only a host sees behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.appsync import Client, Snapshot, error_types, players
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, Start
from tests.hosting import Deciding, op, score

BOARD = "/leaderboard/final"
SHOWN = {"leaderboard": {"events": True}}
SECRET = "newcomer"
"""Who comes first when the board is frozen, which nobody may learn."""
LOWER = pytest.mark.parametrize("key", [None, VIEWER, SCOREKEEPER])


@dataclass
class Frozen:
    """A board that is frozen with ann before bob; behind it a newcomer leads and ann has 50."""

    server: Server
    keeper: Client
    host: Deciding
    before: dict[str, str]
    """What everybody could read just after it was frozen, by address."""

    async def read(self, path: str, key: str | None = None, **headers: str) -> httpx.Response:
        return await (await self.server.http(key)).get(path, headers=headers)


ADDRESSES = [
    f"/api/boards{BOARD}",
    f"/api/boards{BOARD}?top=100",
    f"/api/boards{BOARD}?offset=1",
    f"/api/boards{BOARD}?around=ann",
    f"/api/boards{BOARD}?around=bob&radius=50&top=1",
    f"/api/boards{BOARD}?around={SECRET}",
    f"/api/boards{BOARD}?round=1",
    f"/api/boards{BOARD}.csv",
    f"/api/boards{BOARD}.csv?round=1",
    f"/api/boards{BOARD}.jsonl",
    "/api/boards",
    "/api/boards?under=/leaderboard",
    "/l",
    "/ui/boards",
    f"/l{BOARD}",
    f"/l{BOARD}?top=100&around=ann",
    f"/l{BOARD}.svg",
    f"/embed{BOARD}",
    f"/overlay{BOARD}",
]
JSON = [path for path in ADDRESSES if path.startswith("/api/boards/") and "." not in path]


def timeless(answer: httpx.Response) -> str:
    """What was read, without what changes by itself."""
    if answer.headers["content-type"] != "application/json":
        return answer.text
    told = answer.json()
    return json.dumps({name: told[name] for name in told if name not in ("time", "playing")})


@pytest.fixture
async def frozen(start: Start) -> Frozen:
    server = await start(namespaces=SHOWN)
    keeper, host = await server.client(SCOREKEEPER), Deciding(server, BOARD)
    await keeper.publish(BOARD, score("ann", 2, name="Ann"), score("bob", 1))
    await host.done(op("freeze"))
    board = Frozen(server, keeper, host, {})
    for path in ADDRESSES:
        board.before[path] = timeless(await board.read(path))
    await keeper.publish(BOARD, score(SECRET, 999), score("ann", 50, name="Anna"))
    await keeper.publish(BOARD, score("bob", 1, meta={"x": 1}))
    return board


def is_as_it_was(snapshot: Snapshot) -> bool:
    seen = [(row["player"], row["score"]) for row in snapshot["rows"]]
    where = (snapshot["version"], snapshot["total"], snapshot["round"]["frozen"])
    return seen == [("ann", 2), ("bob", 1)] and where == (2, 2, True)


# -- nothing leaks -----------------------------------------------------------------------------------------------------


async def test_whatever_can_be_read_is_as_it_was(frozen: Frozen) -> None:
    for path, before in frozen.before.items():
        for key in (None, VIEWER, SCOREKEEPER, HOST):
            after = await frozen.read(path, key)
            assert after.is_success
            assert timeless(after) == before, f"{path}: hosts see what everybody sees"


async def test_no_tag_tells_that_anything_happens(frozen: Frozen) -> None:
    tags = {path: (await frozen.read(path)).headers["etag"] for path in JSON}
    await frozen.keeper.publish(BOARD, score("ann", 60), score("one more", 70))
    for path, tag in tags.items():
        answer = await frozen.read(path, **{"if-none-match": tag})
        assert (answer.status_code, answer.headers["etag"]) == (304, tag)
    for event in (op("props", props={"public": 1}), op("close"), op("hide", player="bob")):
        tag = (await frozen.read(JSON[0])).headers["etag"]
        await frozen.host.done(event)
        answer = await frozen.read(JSON[0], **{"if-none-match": tag})
        assert answer.status_code == 200, "but of what is shown it does tell"


@pytest.mark.parametrize(
    "view",
    [
        {},
        {"top": 100},
        {"top": 100, "around": "ann", "radius": 50},
        {"top": 100, "of": [SECRET, "ann", "bob"]},
        {"top": 100, "around": SECRET},
        {"top": 100, "since": "an-epoch.99"},
    ],
)
async def test_who_subscribes_to_a_frozen_board_sees_it_as_it_was(
    frozen: Frozen, view: dict[str, Any]
) -> None:
    snapshot = await frozen.keeper.look(BOARD, **view)
    assert is_as_it_was(snapshot)
    seen = {row["player"] for rows in ("around", "of") for row in snapshot.get(rows, ())}
    assert seen <= {"ann", "bob"}
    assert SECRET not in json.dumps(snapshot)


@pytest.mark.parametrize("channel", [BOARD, "/leaderboard/*"])
async def test_who_watches_is_sent_nothing_of_what_happens_behind(
    frozen: Frozen, channel: str
) -> None:
    watcher = await frozen.server.client(VIEWER)
    subscription = await watcher.subscribe(channel, view={"top": 100})
    assert is_as_it_was(await watcher.snapshot(subscription))
    for n in range(3):
        await frozen.keeper.publish(BOARD, score("ann", 60 + n), score(f"{SECRET} {n}", n))
        await frozen.host.done(op("props", props={"public": n}))  # this is told, and ends the wait

        def told(snapshot: Snapshot, n: int = n) -> bool:
            assert is_as_it_was(snapshot)
            return bool(snapshot["round"]["props"] == n)

        await watcher.until(subscription, told)


@pytest.mark.parametrize("channel", [BOARD, "/leaderboard/*"])
async def test_raw_events_of_a_frozen_board_are_for_hosts_alone(
    frozen: Frozen, channel: str
) -> None:
    clients = {key: await frozen.server.client(key) for key in (VIEWER, SCOREKEEPER, HOST, ADMIN)}
    raw = {key: await each.subscribe(channel, view="events") for key, each in clients.items()}
    hidden, shown = score("ann", 60), score("ann", 70)
    await frozen.keeper.publish(BOARD, hidden)
    await frozen.host.done({"op": "remove", "player": "bob"}, op("unfreeze"))
    await frozen.keeper.publish(BOARD, shown)
    for key in (VIEWER, SCOREKEEPER):
        assert await clients[key].event(raw[key]) == shown, "nothing before it"
    for key in (HOST, ADMIN):
        heard = [await clients[key].event(raw[key]) for _ in range(3)]
        assert heard == [hidden, op("remove", player="bob"), shown]


async def test_results_of_a_frozen_board_are_for_hosts_alone(frozen: Frozen) -> None:
    answer = await frozen.keeper.publish(BOARD, score("ann", 60), results=True)
    assert answer["type"] == "publish_success"
    assert "results" not in answer
    body = {"channel": BOARD, "events": [json.dumps(score("ann", 61))], "results": True}
    over_http = await (await frozen.server.http(SCOREKEEPER)).post("/event", json=body)
    assert "results" not in over_http.json()
    host = await frozen.server.client(HOST)
    [result] = (await host.publish(BOARD, score("ann", 62), results=True))["results"]
    assert (result["score"], result["rank"]) == (62, 2)


@LOWER
async def test_only_a_host_sees_behind_it(frozen: Frozen, key: str | None) -> None:
    for path in (f"/api/boards{BOARD}", f"/api/boards{BOARD}.csv", f"/api/boards{BOARD}.jsonl"):
        answer = await frozen.read(f"{path}?live=true", key)
        assert (answer.status_code, error_types(answer.json())) == (401, ["UnauthorizedException"])
    answer = await frozen.read(f"/api/players{BOARD}", key)
    assert answer.status_code == 401
    assert SECRET not in answer.text
    client = await frozen.server.client(key or VIEWER)
    for channel in (BOARD, "/leaderboard/*"):
        refused = await client.subscribing(channel, view={"live": True})
        assert refused["type"] == "subscribe_error"
        assert error_types(refused) == ["UnauthorizedException"]


@pytest.mark.parametrize("key", [HOST, ADMIN], ids=["host", "admin"])
async def test_a_host_sees_behind_it_when_it_asks_to(frozen: Frozen, key: str) -> None:
    host = await frozen.server.client(key)
    live = await host.subscribe(BOARD, view={"live": True, "of": ["ann"], "top": 10})
    below = await host.subscribe("/leaderboard/*", view={"live": True})
    for subscription in (live, below):
        snapshot = await host.snapshot(subscription)
        assert players(snapshot) == [SECRET, "ann", "bob"]
        assert (snapshot["version"], snapshot["total"]) == (4, 3)
        assert snapshot["round"]["frozen"]
    assert is_as_it_was(await host.look(BOARD))
    await frozen.keeper.publish(BOARD, score("bob", 2000))
    for subscription in (live, below):
        await host.until(subscription, lambda each: players(each) == ["bob", SECRET, "ann"])
    answer = await frozen.read(f"/api/boards{BOARD}?live=true", key)
    assert players(answer.json()) == ["bob", SECRET, "ann"]
    for form in ("csv", "jsonl"):
        assert SECRET in (await frozen.read(f"/api/boards{BOARD}.{form}?live=true", key)).text
    found = (await frozen.read(f"/api/players{BOARD}?prefix={SECRET}", key)).json()
    assert [each["row"]["rank"] for each in found["players"]] == [2]


# -- and then it is shown ----------------------------------------------------------------------------------------------


async def test_unfreezing_shows_all_of_it_at_once(frozen: Frozen) -> None:
    watcher = await frozen.server.client(VIEWER)
    exact, below = await watcher.subscribe(BOARD), await watcher.subscribe("/leaderboard/*")
    for subscription in (exact, below):
        assert is_as_it_was(await watcher.snapshot(subscription))
    tag = (await frozen.read(f"/api/boards{BOARD}")).headers["etag"]
    await frozen.host.done(op("unfreeze"))
    for subscription in (exact, below):
        shown = await watcher.until(subscription, lambda each: not each["round"]["frozen"])
        assert players(shown) == [SECRET, "ann", "bob"]
        assert (shown["version"], shown["total"]) == (5, 3)
    answer = await frozen.read(f"/api/boards{BOARD}", **{"if-none-match": tag})
    assert (answer.status_code, answer.json()["version"]) == (200, 5)
    listed = (await frozen.read("/api/boards")).json()["boards"]
    assert [(each["version"], each["total"]) for each in listed] == [(5, 3)]


async def test_the_round_goes_on_before_the_eyes_of_all(frozen: Frozen) -> None:
    watcher = await frozen.server.client(VIEWER)
    subscription = await watcher.subscribe(BOARD)
    await frozen.host.done(op("open", for_ms=300))

    def in_state(state: str) -> Callable[[Snapshot], bool]:
        def holds(each: Snapshot) -> bool:
            assert is_as_it_was(each)
            return bool(
                each["round"]["state"] == state and ("ends_in_ms" in each) is (state == "open")
            )

        return holds

    await watcher.until(subscription, in_state("open"))
    await watcher.until(subscription, in_state("closed"))


async def test_who_must_not_be_seen_is_taken_out_of_what_everybody_sees(frozen: Frozen) -> None:
    watcher = await frozen.server.client(VIEWER)
    subscription = await watcher.subscribe(BOARD)
    for event, left in [
        (op("hide", player="ann"), ["bob"]),
        (op("show", player="ann"), ["ann", "bob"]),
        (op("remove", player="bob"), ["ann"]),
        (op("undo"), ["ann", "bob"]),
        (op("ban", player="ann"), ["bob"]),
    ]:
        await frozen.host.done(event)
        told = await watcher.snapshot(subscription, total=len(left))
        while players(told) != left:
            told = await watcher.snapshot(subscription)
        assert (told["total"], told["round"]["frozen"]) == (len(left), True)
        read = await frozen.read(f"/api/boards{BOARD}")
        assert players(read.json()) == left
        assert SECRET not in read.text


async def test_a_frozen_board_does_not_start_another_round(frozen: Frozen) -> None:
    assert await frozen.host.refused(op("clear")) == ["Frozen"]
    [answer] = await frozen.host.answers(op("clear"))
    assert answer["errors"][0]["message"] == "the board is frozen: reveal or unfreeze it first"
    assert is_as_it_was(await frozen.keeper.look(BOARD))


async def test_a_board_of_20_001_entries_is_not_frozen(start: Start) -> None:
    server = await start(limits={"publishes_per_second": 0})
    keeper = await server.client(SCOREKEEPER)
    await keeper.publish_all(
        keeper.publication(BOARD, *(score(f"p{n}", n) for n in range(first, first + 5)))
        for first in range(0, 20_000, 5)
    )
    host = Deciding(server, BOARD)
    await host.done(op("freeze"), op("unfreeze"))
    await keeper.publish(BOARD, score("one more", 1))
    [answer] = await host.answers(op("freeze"))
    assert error_types(answer) == ["BoardTooLarge"]
    assert "20000" in answer["errors"][0]["message"]
    assert not (await keeper.look(BOARD))["round"]["frozen"]
