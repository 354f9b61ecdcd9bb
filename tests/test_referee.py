"""The referee: presses become points by the rules of the game, and what cannot be true is refused by every door."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from leaderboard import referee
from leaderboard.lights import GAP, LOCK, Hand, TooFast, lights_of, press
from tests.appsync import Client
from tests.checkout import ROOT
from tests.conftest import HOST, Server

CASES = json.loads((Path(__file__).parent / "lights.json").read_text("utf-8"))
SEED = 7
LENGTH = 60_000
LIGHTS = lights_of(SEED, 1, LENGTH)
ROOM = "/game/KX7M"


def wrong(light: int) -> int:
    """A tile that is not lit."""
    return (LIGHTS[light] + 1) % 9


# -- the rules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", CASES["lights"], ids=lambda case: f"{case['seed']}-{case['round']}"
)
def test_the_lights_are_those_of_the_table(case: dict[str, Any]) -> None:
    lights = lights_of(case["seed"], case["round"], case["length"])
    assert list(lights) == case["lights"]
    assert set(lights) <= set(range(9))
    assert all(one != other for one, other in pairwise(lights))


@pytest.mark.parametrize("game", CASES["games"], ids=lambda game: str(game["seed"]))
def test_presses_are_worth_what_the_table_says(game: dict[str, Any]) -> None:
    lights = lights_of(game["seed"], game["round"], game["length"])
    hand = Hand()
    for each in game["presses"]:
        if each["points"] is None:
            with pytest.raises(TooFast):
                press(hand, each["tile"], each["at"], lights)
        else:
            hand, points = press(hand, each["tile"], each["at"], lights)
            assert points == each["points"]
            assert hand == Hand(each["light"], each["combo"], each["ready"])


def test_the_page_has_the_same_rules() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    script = f"""
      const {{ lightsOf, press }} = await import({json.dumps((ROOT / "static/js/lights.js").as_uri())});
      const cases = {json.dumps(CASES)};
      const lights = cases.lights.map((each) => lightsOf(each.seed, each.round, each.length));
      const games = cases.games.map((game) => {{
        const known = lightsOf(game.seed, game.round, game.length);
        let hand = {{ light: 0, combo: 0, ready: 0 }};
        return game.presses.map(({{ tile, at }}) => {{
          const done = press(hand, tile, at, known);
          if (!done) return {{ tile, at, points: null }};
          hand = done.hand;
          return {{ tile, at, points: done.points, ...hand }};
        }});
      }});
      console.log(JSON.stringify({{ lights, games }}));
    """
    ended = subprocess.run(
        [node, "--input-type=module", "-e", script], capture_output=True, text=True, check=True
    )
    found = json.loads(ended.stdout)
    assert found["lights"] == [case["lights"] for case in CASES["lights"]]
    assert found["games"] == [game["presses"] for game in CASES["games"]]


def test_pressing_all_tiles_at_once_for_a_whole_round_gains_next_to_nothing() -> None:
    hand, total, at = Hand(), 0, 0
    while at < 30_000:
        hand, points = press(hand, at // 7 % 9, at, LIGHTS)
        total = max(0, total + points)
        at = hand.ready
    assert total < 50


# -- a room ------------------------------------------------------------------------------------------------------------


@dataclass
class Room:
    """A room whose round has been on for long enough for any `at` of these tests."""

    server: Server
    host: Client
    players: dict[str, Client] = field(default_factory=dict)

    async def player(self, player: str) -> Client:
        """A player who has joined, with a token of its own."""
        if player not in self.players:
            await self.host.publish(ROOM, {"op": "enter", "player": player, "name": player.title()})
            auth = self.server.app.state.auth
            token, _ = auth.issue("player", ROOM, player, 600)
            self.players[player] = await self.server.client(key=None, token=token)
        return self.players[player]

    async def hits(self, player: str, *hits: tuple[int, int], **members: Any) -> Any:
        """What a player is told of its hits."""
        client = await self.player(player)
        told = [{"tile": tile, "at": at} for tile, at in hits]
        event = {"player": player, "hits": told, "round": 1, **members}
        return await client.publish(ROOM, event, results=True)

    async def row(self, player: str) -> dict[str, Any]:
        board = (await (await self.server.http(HOST)).get(f"/api/boards{ROOM}?live=1")).json()
        return next(row for row in board["rows"] if row["player"] == player)


@pytest.fixture
async def room(server: Server) -> Room:
    room = Room(server, await server.client(HOST))
    # 50 of its 60 seconds are over: the props say how long the round is, the clock when it ends.
    await room.host.publish(
        ROOM,
        {"op": "props", "props": {"public": {"seed": SEED, "round_ms": LENGTH}}},
        {"op": "open", "for_ms": 10_000},
    )
    return room


def why(answer: Any) -> str:
    [error] = answer["errors"]
    assert error["errorType"] == "Refused", error
    return str(error["message"])


async def test_hits_become_points_with_a_combo_and_progress_stands_in_the_row(room: Room) -> None:
    answer = await room.hits("ann", (LIGHTS[0], 500), (LIGHTS[1], 900), (wrong(2), 1300))
    assert answer["results"][0]["score"] == 7 + 8 - 5
    row = await room.row("ann")
    assert (row["name"], row["score"]) == ("Ann", 10)
    assert row["meta"] == {"round": 1, "light": 2, "combo": 0, "ready": 1300 + LOCK}


async def test_a_total_never_falls_below_nothing(room: Room) -> None:
    answer = await room.hits("ann", *((wrong(0), at) for at in (500, 1000, 1500)))
    assert answer["results"][0]["score"] == 0
    await room.hits("ann", (LIGHTS[0], 2000))
    assert (await room.row("ann"))["score"] == 7


@pytest.mark.parametrize(
    ("hits", "reason"),
    [
        ([(LIGHTS[0], 500), (LIGHTS[1], 500 + GAP - 1)], "no press counts before"),
        ([(wrong(0), 500), (LIGHTS[0], 500 + LOCK - 1)], "no press counts before"),
        ([(LIGHTS[0], 500), (LIGHTS[1], 400)], "no press counts before"),
        ([(LIGHTS[0], 55_000)], "the round is not that far"),
        ([(LIGHTS[0], 70_000)], "the round is not that far"),
        ([(9, 500)], "these are no hits"),
        ([(-1, 500)], "these are no hits"),
        ([(0, -1)], "these are no hits"),
        ([(0, 1.5)], "these are no hits"),
        ([("0", 500)], "these are no hits"),
        ([], "these are no hits"),
        ([(0, 500)] * 26, "these are no hits"),
    ],
)
async def test_what_cannot_be_true_counts_for_nothing(
    room: Room, hits: list[Any], reason: str
) -> None:
    assert reason in why(await room.hits("ann", *hits))
    assert (await room.row("ann"))["score"] == 0
    await room.hits("ann", (LIGHTS[0], 1000))  # and nothing of it stays
    assert (await room.row("ann"))["score"] == 7


async def test_points_from_a_player_are_refused(room: Room) -> None:
    ann = await room.player("ann")
    for event in (
        {"player": "ann", "score": 1e9},
        {"player": "ann", "score": 1e9, "hits": [{"tile": LIGHTS[0], "at": 1}], "round": 1},
        {"player": "ann"},
        ["nonsense"],
    ):
        assert "points come from the referee" in why(await ann.publish(ROOM, event))
    http = await room.server.http(token=ann.authorization["Authorization"])
    text = json.dumps({"player": "ann", "score": 1e9})
    answer = (await http.post("/event", json={"channel": ROOM, "events": [text]})).json()
    assert [item["errorType"] for item in answer["failed"]] == ["Refused"]
    assert (await room.row("ann"))["score"] == 0


async def test_nobody_plays_for_somebody_else(room: Room) -> None:
    ann = await room.player("ann")
    await room.player("bob")
    event = {"player": "bob", "hits": [{"tile": LIGHTS[0], "at": 500}], "round": 1}
    answer = await ann.publish(ROOM, event)
    assert [error["errorType"] for error in answer["errors"]] == ["NotAllowed"]


async def test_hits_sent_again_count_once_and_are_acknowledged(room: Room) -> None:
    for expected in (None, True):
        answer = await room.hits("ann", (LIGHTS[0], 500), by="tab", n=1)
        assert answer["successful"][0].get("duplicate") is expected
    answer = await room.hits("ann", (LIGHTS[1], 900), by="tab", n=2)
    assert answer["results"][0]["score"] == 15


async def test_outside_its_round_nothing_counts(room: Room) -> None:
    await room.player("ann")
    answer = await room.hits("ann", (LIGHTS[0], 500), round=2)
    assert [error["errorType"] for error in answer["errors"]] == ["WrongRound"]
    await room.host.publish(ROOM, {"op": "close"})
    answer = await room.hits("ann", (LIGHTS[0], 500))
    assert [error["errorType"] for error in answer["errors"]] == ["RoundClosed"]


async def test_the_next_round_begins_anew_for_everybody(room: Room) -> None:
    await room.hits("ann", (LIGHTS[0], 500), (LIGHTS[1], 900))
    await room.host.publish(
        ROOM, {"op": "clear", "players": True}, {"op": "open", "for_ms": 10_000}
    )
    lights = lights_of(SEED, 2, LENGTH)
    answer = await room.hits("ann", (lights[0], 100), round=2)
    assert answer["results"][0]["score"] == 7


async def test_a_process_that_has_forgotten_goes_on_from_the_row(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.hits("ann", (LIGHTS[0], 500), (LIGHTS[1], 900))
    referee._known.clear()
    assert "no press counts before" in why(await room.hits("ann", (LIGHTS[2], 950)))
    answer = await room.hits("ann", (LIGHTS[2], 1300))
    assert answer["results"][0]["score"] == 7 + 8 + 9
    monkeypatch.setattr(referee, "PLAYERS", 1)
    await room.hits("bob", (LIGHTS[0], 500))
    await room.hits("cid", (LIGHTS[0], 500))
    assert len(referee._known) <= 3
    answer = await room.hits("bob", (LIGHTS[1], 900))
    assert answer["results"][0]["score"] == 15


async def test_a_hidden_player_plays_on_and_one_who_was_taken_off_does_not(room: Room) -> None:
    await room.player("ann")
    await room.host.publish(ROOM, {"op": "hide", "player": "ann"})
    for light, at in ((0, 500), (1, 900)):
        answer = await room.hits("ann", (LIGHTS[light], at))
        assert answer["type"] == "publish_success"
    await room.host.publish(ROOM, {"op": "show", "player": "ann"})
    assert (await room.row("ann"))["score"] == 15

    await room.host.publish(ROOM, {"op": "remove", "player": "ann"})
    assert "has not joined" in why(await room.hits("ann", (LIGHTS[2], 1300)))
    await room.host.publish(ROOM, {"op": "ban", "player": "ann"})
    answer = await room.hits("ann", (LIGHTS[2], 1300))
    assert [error["errorType"] for error in answer["errors"]] == ["Banned"]


async def test_hosts_score_as_they_please_and_players_may_leave(room: Room) -> None:
    await room.host.publish(ROOM, {"player": "ann", "score": 100})
    await room.hits("ann", (LIGHTS[0], 500))
    assert (await room.row("ann"))["score"] == 107
    ann = await room.player("ann")
    assert (await ann.publish(ROOM, {"op": "remove", "player": "ann"}))["type"] == "publish_success"


async def test_a_board_without_a_game_takes_no_hits(room: Room) -> None:
    await room.host.publish(ROOM, {"op": "props", "props": {"public": {"title": "none"}}})
    assert "no game is played" in why(await room.hits("ann", (LIGHTS[0], 500)))
