"""Revealing a frozen board: from the bottom up, and the same on all screens whenever they came."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.appsync import Client, Snapshot, players
from tests.conftest import HOST, SCOREKEEPER, VIEWER, Server, Start
from tests.hosting import Deciding, by_either_way, op, score

BOARD = "/leaderboard/final"
PLAYERS = [f"p{n:02}" for n in range(12)]
"""The best first; the namespace shows ten."""


@pytest.fixture
async def keeper(server: Server) -> Client:
    """Twelve players are on the board, and then it is frozen; meanwhile it goes on: p11 comes first."""
    keeper = await server.client(SCOREKEEPER)
    for place, player in enumerate(PLAYERS):
        await keeper.publish(BOARD, score(player, 100 - place))
    await Deciding(server, BOARD).done(op("freeze"))
    await keeper.publish(BOARD, score("p11", 999))
    return keeper


FINAL = ["p11", *PLAYERS[:11]]
"""What is revealed: the board as it had become when revealing began."""


def body_of(event: str) -> str:
    """A snapshot's text up to what is of the moment: the part that all screens must show alike."""
    body, found, _ = event.partition(',"time":')
    assert found
    return body


class Screen:
    """One who watches the board through a view, and all that it was shown, body by body."""

    def __init__(self, client: Client, id_: str) -> None:
        self.client = client
        self.id = id_
        self.bodies: list[str] = []

    @classmethod
    async def on(cls, server: Server, **view: object) -> Screen:
        client = await server.client(VIEWER)
        return cls(client, await client.subscribe(BOARD, view=view or None))

    async def shows(self, hidden: int) -> Snapshot:
        """Wait until so many places are hidden; the snapshot."""
        while True:
            event = (await self.client.expect("data", id=self.id))["event"]
            snapshot: Snapshot = json.loads(event)
            if not self.bodies or body_of(event) != self.bodies[-1]:
                self.bodies.append(body_of(event))
            revealing = snapshot["round"].get("hidden", 0)
            if revealing == hidden and snapshot["round"]["frozen"] == bool(hidden):
                return snapshot


async def test_places_are_shown_from_the_bottom_up(server: Server, keeper: Client) -> None:
    host, screen = Deciding(server, BOARD), await Screen.on(server, top=100)
    await host.done(op("reveal"))
    first = await screen.shows(hidden=9)
    assert players(first) == FINAL[9:], "with the first step all that is below the ten"
    assert (first["total"], first["rows"][0]["position"]) == (12, 10)
    await host.done(op("reveal", steps=3))
    assert players(await screen.shows(hidden=6)) == FINAL[6:]
    await keeper.publish(BOARD, score("p05", 2000), score("late", 3000))
    await host.done(op("reveal", steps=5))
    assert players(await screen.shows(hidden=1)) == FINAL[1:], "as it was when it began"
    await host.done(op("reveal"))
    end = await screen.shows(hidden=0)
    assert players(end)[:3] == ["late", "p05", "p11"], "and then as it is now"
    assert await host.refused(op("reveal")) == ["NotFrozen"]


@pytest.mark.parametrize("view", [{}, {"top": 25}, {"top": 3, "of": ["p11", "p00", "p10"]}])
async def test_every_step_is_the_same_for_whoever_came_when(
    server: Server, keeper: Client, view: dict[str, object]
) -> None:
    host, http = Deciding(server, BOARD), await server.http()
    screens = [await Screen.on(server, **view)]
    for hidden in range(9, -1, -1):
        await host.done(op("reveal"))
        await screens[0].shows(hidden)
        # Another comes with each step; behind the curtain the board has moved on.
        screens.append(await Screen.on(server, **view))
        await keeper.publish(BOARD, score("p04", 1000 + 10 - hidden))
        for screen in screens[1:]:
            await screen.shows(hidden)
        if hidden and not view:
            read = (await http.get(f"/api/boards{BOARD}")).text
            assert body_of(read) == screens[0].bodies[-1]
    for late in screens[1:-2]:
        seen = [body for body in late.bodies if '"frozen":true' in body]
        assert seen
        assert seen == [body for body in screens[0].bodies if '"frozen":true' in body][-len(seen) :]


@by_either_way
async def test_it_reveals_by_itself_when_told_how_fast(
    server: Server, keeper: Client, way: str
) -> None:
    screens = [await Screen.on(server, top=100) for _ in range(2)]
    client = await server.client(VIEWER)
    below = await client.subscribe("/leaderboard/*")
    await Deciding(server, BOARD, way).done(op("reveal", every_ms=120))
    for screen in screens:
        steps: list[int] = []
        while True:
            snapshot = await screen.client.snapshot(screen.id)
            hidden = snapshot["round"].get("hidden", 0)
            if hidden or steps:
                steps.append(hidden)
                assert players(snapshot) == FINAL[hidden:]
                assert snapshot["version"] == 14 + 10 - hidden, "each step is a version"
            if steps and not snapshot["round"]["frozen"]:
                break
        # A slow machine may show two steps in one snapshot, but none out of turn.
        assert steps == sorted(steps, reverse=True)
        assert len(set(steps)) > 2
    await client.until(below, lambda each: not each["round"]["frozen"] and each["total"] == 12)


async def test_a_step_by_hand_stops_the_clock(server: Server, keeper: Client) -> None:
    host, screen = Deciding(server, BOARD), await Screen.on(server)
    await host.done(op("reveal", every_ms=200), op("reveal", steps=2))
    snapshot = await screen.shows(hidden=7)
    await host.done(op("open", for_ms=400))
    over = await screen.client.until(screen.id, lambda each: each["round"]["state"] == "closed")
    assert over["round"]["hidden"] == 7
    assert over["rows"] == snapshot["rows"]
    await host.done(op("unfreeze"))
    assert players(await screen.shows(hidden=0)) == FINAL[:10]


async def test_what_is_not_revealed_yet_cannot_be_had_in_any_other_way(
    server: Server, keeper: Client
) -> None:
    host, http = Deciding(server, BOARD), await server.http()
    await host.done(op("reveal", steps=4))
    veiled, shown = FINAL[:6], FINAL[6:]
    api = f"/api/boards{BOARD}"
    rows = list(csv.DictReader(io.StringIO((await http.get(f"{api}.csv")).text)))
    assert [row["player"] for row in rows] == shown
    assert [row["position"] for row in rows] == [str(place) for place in range(7, 13)]
    lines = (await http.get(f"{api}.jsonl?round=1")).text.splitlines()
    assert [json.loads(line)["player"] for line in lines] == shown
    for player in veiled:
        around = (await http.get(f"{api}?around={player}&radius=50")).json()
        assert around["around"] == []
        of = await keeper.look(BOARD, of=[player, "p10"], around="p05", radius=50, top=100)
        assert players({"rows": of["of"]}) == ["p10"]
        assert players({"rows": of["around"]}) == players(of) == shown
    for path in ("/l", "/ui/boards", f"/l{BOARD}?top=100", "/api/boards", f"{api}?offset=0&top=6"):
        text = (await http.get(path)).text
        assert not [player for player in veiled if player in text], path
    assert "results" not in await keeper.publish(BOARD, score("p00", 1), results=True)
    live = await (await server.client(HOST)).look(BOARD, live=True, top=100)
    assert players(live) == FINAL
    assert live["round"]["hidden"] == 6, "a host sees both"


async def test_a_reveal_of_nobody_is_over_at_once(server: Server) -> None:
    host, client = Deciding(server, "/leaderboard/nobody"), await server.client(VIEWER)
    await host.done(op("freeze"), op("reveal", every_ms=60_000))
    assert not (await client.look("/leaderboard/nobody"))["round"]["frozen"]


async def test_who_is_taken_out_while_it_is_revealed_is_not_revealed(
    server: Server, keeper: Client
) -> None:
    host, screen = Deciding(server, BOARD), await Screen.on(server, top=100)
    await host.done(op("reveal"), op("ban", player="p11"), op("hide", player="p08"))
    assert players(await screen.shows(hidden=8)) == ["p09", "p10"]
    await host.done(op("undo"), op("show", player="p08"))
    assert (await screen.shows(hidden=9))["total"] == 12
    await host.done(op("reveal", steps=100))
    assert players(await screen.shows(hidden=0)) == FINAL


async def test_how_many_places_are_hidden_is_what_the_namespace_shows(start: Start) -> None:
    server = await start(namespaces={"leaderboard": {"top": 2}})
    keeper = await server.client(SCOREKEEPER)
    await keeper.publish(BOARD, *(score(player, 9 - place) for place, player in enumerate("abcd")))
    host, screen = Deciding(server, BOARD), await Screen.on(server)
    await host.done(op("freeze"), op("reveal"))
    assert players(await screen.shows(hidden=1)) == ["b"]
    await host.done(op("reveal"))
    assert players(await screen.shows(hidden=0)) == ["a", "b"]
