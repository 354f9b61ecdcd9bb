"""The host of a room over HTTP: its cookie, its controls, who may not use them, and the bots."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from leaderboard.bots import Bot
from leaderboard.host import OWN
from leaderboard.lights import lights_of
from leaderboard.masks import label
from tests.appsync import eventually
from tests.conftest import HOST, VIEWER, Server, Start


class Stage:
    """A room and a browser that hosts it."""

    def __init__(self, server: Server, web: httpx.AsyncClient, code: str) -> None:
        self.server = server
        self.web = web
        self.code = code
        self.channel = f"/game/{code}"

    async def press(self, act: str, **form: str) -> httpx.Response:
        """Send the form of a control, as htmx does."""
        headers = {"origin": self.server.url, "hx-request": "true"}
        return await self.web.post(f"/ui/room/{self.code}/{act}", data=form, headers=headers)

    async def done(self, act: str, **form: str) -> str:
        """The same, when it must do."""
        answer = await self.press(act, **form)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def board(self, **query: Any) -> dict[str, Any]:
        got = await self.web.get(f"/api/boards{self.channel}", params=query)
        found: dict[str, Any] = got.json()
        return found

    async def round(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.board())["round"]
        return found

    async def join(self, name: str) -> dict[str, Any]:
        answer = await self.web.post(f"/api/rooms/{self.code}/players", json={"name": name})
        assert answer.status_code == 201, answer.text
        joined: dict[str, Any] = answer.json()
        return joined

    async def until(self, holds: Callable[[dict[str, Any]], bool], **query: Any) -> dict[str, Any]:
        """The first board of which something holds."""
        board: dict[str, Any] = {}

        async def seen() -> bool:
            board.clear()
            board.update(await self.board(**query))
            return holds(board)

        await eventually(seen)
        return board


Open = Callable[..., Awaitable[Stage]]


@pytest.fixture
def open_room() -> Open:
    async def open_room(server: Server, **form: str) -> Stage:
        web = await server.http()
        answer = await web.post("/host", data=form, headers={"origin": server.url})
        assert answer.status_code == 303, answer.text
        match = re.fullmatch(r"/r/(\w{4})/present", answer.headers["location"])
        assert match
        return Stage(server, web, match[1])

    return open_room


@pytest.fixture
async def stage(server: Server, open_room: Open) -> Stage:
    return await open_room(server, title="Friday", seconds="15")


# -- getting in --------------------------------------------------------------------------------------------------------


async def test_opening_a_room_gives_this_browser_the_host_cookie_on_narrow_paths(
    server: Server,
) -> None:
    web = await server.http()
    answer = await web.post(
        "/host",
        data={
            "title": "Friday",
            "seconds": "45",
            "max_players": "12",
            "bots": "3",
            "generated_names": "1",
        },
        headers={"origin": server.url},
    )
    code = answer.headers["location"].split("/")[2]
    cookies = [SimpleCookie(text)[f"host_{code}"] for text in answer.headers.get_list("set-cookie")]
    assert {each["path"] for each in cookies} == {"/host", f"/r/{code}", f"/ui/room/{code}"}
    for each in cookies:
        assert each["httponly"]
        assert each["samesite"].lower() == "strict"
        assert not each["secure"]
    game = (await web.get(f"/api/rooms/{code}")).json()["game"]
    assert (game["title"], game["round_ms"], game["bots"]) == ("Friday", 45_000, 3)
    assert (game["generated_names"], game["max_players"]) == (True, 12)
    page = (await web.get(f"/r/{code}/present")).text
    assert "Friday" in page
    assert cookies[0].value not in page
    assert f"/r/{code}/present" in (await web.get("/host")).text


async def test_thousands_of_cookies_are_not_thousands_of_rooms(
    server: Server, stage: Stage
) -> None:
    own = f"host_{stage.code}={stage.web.cookies.get(f'host_{stage.code}', path='/host')}"
    others = [f"host_{number:04}=x" for number in range(OWN)]
    web = await server.http()
    for cookies, shown in (([own, *others[1:]], True), ([own, *others], False)):
        page = await web.get("/host", headers={"cookie": "; ".join(cookies)})
        assert (f"/r/{stage.code}/present" in page.text) is shown


async def test_behind_tls_the_cookie_is_secure(start: Start) -> None:
    server = await start(public_url="https://scores.example")
    web = await server.http()
    answer = await web.post("/host", data={}, headers={"origin": "https://scores.example"})
    assert all("Secure" in text for text in answer.headers.get_list("set-cookie"))
    assert len(answer.headers.get_list("set-cookie")) == 3


@pytest.mark.parametrize(
    "form",
    [
        {"seconds": "1"},
        {"seconds": "x"},
        {"bots": "201"},
        {"bots": "-1"},
        {"max_players": "0"},
        {"max_players": "1001"},
        {"title": "x" * 61},
    ],
)
async def test_a_room_that_cannot_be_is_refused_on_the_form(
    server: Server, form: dict[str, str]
) -> None:
    web = await server.http()
    answer = await web.post("/host", data=form, headers={"origin": server.url})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers


async def test_where_only_hosts_open_rooms_the_form_asks_for_a_key(start: Start) -> None:
    server = await start(rooms="host")
    web = await server.http()
    assert 'name="key"' in (await web.get("/host")).text
    for key, status in (("", 401), ("nonsense", 401), (VIEWER, 401), (HOST, 303)):
        answer = await web.post("/host", data={"key": key}, headers={"origin": server.url})
        assert answer.status_code == status
        assert key == "" or key not in answer.text


@pytest.mark.parametrize("page", ["present", "remote"])
async def test_who_does_not_host_is_told_so(server: Server, stage: Stage, page: str) -> None:
    stranger = await server.http()
    answer = await stranger.get(f"/r/{stage.code}/{page}")
    assert answer.status_code == 403
    assert "another host" in answer.text
    gone = await stranger.get(f"/r/2222/{page}")
    assert gone.status_code == 404
    assert "There is no room" in gone.text


async def test_the_link_of_another_device_is_exchanged_for_the_cookie(
    server: Server, stage: Stage
) -> None:
    made = (await stage.web.post("/api/rooms", json={})).json()
    phone = await server.http()
    address, origin = f"/ui/room/{made['code']}/host", {"origin": server.url}
    wrong = await phone.post(address, data={"token": "eyJ"}, headers=origin)
    assert wrong.status_code == 403
    foreign = await phone.post(
        address, data={"token": made["host_token"]}, headers={"origin": "http://evil.example"}
    )
    assert foreign.status_code == 403
    assert (await phone.get(f"/r/{made['code']}/remote")).status_code == 403
    right = await phone.post(address, data={"token": made["host_token"]}, headers=origin)
    assert right.status_code == 204
    assert (await phone.get(f"/r/{made['code']}/remote")).status_code == 200
    # That of one room is good for no other.
    other = await phone.post(
        f"/ui/room/{stage.code}/host", data={"token": made["host_token"]}, headers=origin
    )
    assert other.status_code == 403


# -- the controls ------------------------------------------------------------------------------------------------------


async def test_a_round_is_started_stopped_and_followed_by_the_next(stage: Stage) -> None:
    ann = await stage.join("Ann")
    assert "Stop" in await stage.done("start")
    board = await stage.board()
    assert board["round"]["state"] == "soon"
    assert 0 < board["starts_in_ms"] <= 3000
    assert board["ends_in_ms"] > 15_000
    await stage.done("start")  # pressed twice, it is once
    assert (await stage.round())["number"] == 1
    await stage.until(lambda board: board["round"]["state"] == "open")
    shown = await stage.done("stop")
    # Nobody has pressed anything, and still this round is over.
    assert "Next round" in shown
    assert (await stage.round())["props"]["played"] == 1
    await stage.done("start")
    board = await stage.board()
    assert (board["round"]["number"], board["round"]["state"]) == (2, "soon")
    assert [row["player"] for row in board["rows"]] == [ann["player"]]
    # A round that had not begun when it was stopped has not been.
    assert "Next round" not in await stage.done("stop")


async def test_a_reset_leads_to_the_lobby_with_the_same_players(stage: Stage) -> None:
    await stage.join("Ann")
    await stage.done("start")
    await stage.until(lambda board: board["round"]["state"] == "open")
    shown = await stage.done("reset")
    assert "Start" in shown
    assert "Next round" not in shown
    board = await stage.board()
    assert (board["round"]["number"], board["round"]["state"]) == (2, "closed")
    assert [(row["name"], row["score"]) for row in board["rows"]] == [("Ann", 0)]


async def test_a_frozen_board_is_revealed_before_it_is_left(stage: Stage) -> None:
    for name in ("Ann", "Bob"):
        await stage.join(name)
    await stage.done("start")
    await stage.until(lambda board: board["round"]["state"] == "open")
    assert "Reveal one" in await stage.done("freeze")
    await stage.done("stop")
    for act in ("start", "reset"):
        refused = await stage.press(act)
        assert refused.status_code == 400
        assert "frozen" in refused.text
        assert refused.headers["hx-retarget"] == "#refusal"
        assert (await stage.round())["number"] == 1
    await stage.done("reveal")
    assert (await stage.round())["frozen"]
    await stage.done("reveal")
    assert not (await stage.round())["frozen"]
    await stage.done("freeze")
    await stage.done("unfreeze")
    assert not (await stage.round())["frozen"]


async def test_hidden_names_leave_the_server_by_no_door(server: Server, stage: Stage) -> None:
    ann = await stage.join("Ann Rude")
    watcher = await server.client(key=VIEWER)
    await watcher.subscribe(stage.channel, view={"top": 5})
    assert 'aria-pressed="true"' in await stage.done("names", hide="1")
    shown = label(ann["player"])
    row = (await stage.board(around=ann["player"]))["around"][0]
    assert row["name"] == shown
    for address in (
        f"/api/boards{stage.channel}",
        f"/api/boards{stage.channel}.csv",
        f"/api/boards{stage.channel}.jsonl",
        f"/l{stage.channel}",
        f"/l{stage.channel}.svg",
        f"/r/{stage.code}/results",
        f"/r/{stage.code}/present",
    ):
        text = (await stage.web.get(address)).text
        assert "Rude" not in text, address
    # Its host finds the player by name all the same.
    assert "Ann Rude" in (await stage.web.get(f"/r/{stage.code}/remote")).text
    await stage.done("names", hide="0")
    assert (await stage.board())["rows"][0]["name"] == "Ann Rude"


async def test_a_removed_player_is_told_and_an_undo_brings_it_back(stage: Stage) -> None:
    ann = await stage.join("Ann")
    await stage.done("remove", player=ann["player"])
    assert (await stage.board())["total"] == 0
    players = (await stage.web.get(f"/ui/room/{stage.code}/players?prefix=an")).text
    assert "removed" in players
    assert "Let back in" in players
    back = await stage.web.post(
        f"/api/rooms/{stage.code}/players", json={}, headers={"authorization": ann["token"]}
    )
    assert back.status_code == 403
    await stage.done("undo")
    assert [row["name"] for row in (await stage.board())["rows"]] == ["Ann"]
    refused = await stage.press("undo")
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("act", "form"),
    [
        ("bots", {"bots": "201"}),
        ("bots", {"rate": "501"}),
        ("bots", {"bots": "many"}),
        ("remove", {}),
        ("remove", {"player": "x" * 200}),
    ],
)
async def test_what_makes_no_sense_is_refused(stage: Stage, act: str, form: dict[str, str]) -> None:
    assert (await stage.press(act, **form)).status_code == 400


async def test_an_unknown_control_is_none(stage: Stage) -> None:
    assert (await stage.press("explode")).status_code == 404


ACTS = ["start", "stop", "reset", "freeze", "unfreeze", "reveal", "names", "bots", "remove", "undo"]


@pytest.mark.parametrize("act", ACTS)
async def test_nobody_but_the_host_controls_a_room(
    server: Server, stage: Stage, open_room: Open, act: str
) -> None:
    ann = await stage.join("Ann")
    before = await stage.board()
    stranger = Stage(server, await server.http(), stage.code)
    # No cookie; that of another room; a player's token in its place.
    other = await open_room(server)
    cheat = await server.http()
    for web in (stranger.web, other.web, cheat):
        if web is cheat:
            web.cookies.set(f"host_{stage.code}", ann["token"])
        refused = await Stage(server, web, stage.code).press(act, player=ann["player"])
        assert refused.status_code == 403
        assert "Only the host" in refused.text
    after = await stage.board()
    assert (after["version"], after["round"]) == (before["version"], before["round"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://"},
        {"origin": "http://["},
    ],
)
async def test_a_form_of_another_site_does_nothing(stage: Stage, headers: dict[str, str]) -> None:
    for address in ("/host", f"/ui/room/{stage.code}/start"):
        answer = await stage.web.post(address, data={}, headers=headers)
        assert answer.status_code == 403
    assert (await stage.round())["state"] == "closed"


async def test_without_a_script_a_form_leads_back_to_its_page(stage: Stage) -> None:
    headers = {"origin": stage.server.url}
    address = f"/ui/room/{stage.code}/start"
    assert (await stage.web.post(address, headers=headers)).headers["location"] == (
        f"/r/{stage.code}/remote"
    )
    answer = await stage.web.post(address, data={"from": "present"}, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/r/{stage.code}/present")
    refused = await (await stage.server.http()).post(address, headers=headers)
    assert refused.status_code == 403
    assert "<!doctype html>" in refused.text


# -- how others get there ----------------------------------------------------------------------------------------------


async def test_a_server_for_this_machine_alone_warns_instead_of_a_useless_code(
    start: Start,
) -> None:
    server = await start(host="127.0.0.1")
    web = await server.http()
    made = await web.post("/host", data={}, headers={"origin": server.url})
    page = (await web.get(made.headers["location"])).text
    assert "No phone can get here" in page
    assert 'id="qr"' not in page


async def test_the_address_that_is_shown_is_the_public_one(start: Start) -> None:
    server = await start(public_url="http://scores.example:9000")
    web = await server.http()
    made = await web.post("/host", data={}, headers={"origin": server.url})
    page = (await web.get(made.headers["location"])).text
    assert "scores.example:9000/j" in page
    assert 'id="qr"' in page
    code = made.headers["location"].split("/")[2]
    assert "<svg" in (await web.get(f"/ui/room/{code}/handover")).text
    assert (await (await server.http()).get(f"/ui/room/{code}/handover")).status_code == 403


# -- bots --------------------------------------------------------------------------------------------------------------


def bots_of(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in board["rows"] if row["player"].startswith("bot-")]


async def test_bots_come_and_go_as_the_host_says(stage: Stage) -> None:
    ann = await stage.join("Ann")
    await stage.done("bots", bots="6", rate="60")
    board = await stage.until(lambda board: board["total"] == 7)
    for row in bots_of(board):
        assert row["meta"]["bot"] is True
        assert row["name"].startswith("🤖 ")
    await stage.done("bots", bots="2")
    board = await stage.until(lambda board: board["total"] == 3)
    assert {row["player"] for row in board["rows"]} == {ann["player"], "bot-1", "bot-2"}
    # Those who left took no removal with them that was the host's to undo.
    assert (await stage.press("undo")).status_code == 400
    await stage.done("bots", bots="0")
    await stage.until(lambda board: board["total"] == 1)
    await stage.done("bots", bots="3")
    await stage.until(lambda board: board["total"] == 4)


async def test_bots_play_through_the_referee(server: Server, stage: Stage) -> None:
    await stage.done("bots", bots="5", rate="40")
    await stage.until(lambda board: board["total"] == 5)
    await stage.done("start")
    # How far each is stands in its row, as the referee writes it.
    board = await stage.until(
        lambda board: all(row["meta"].get("round") == 1 for row in bots_of(board))
    )
    assert len(bots_of(board)) == 5
    metrics = (await stage.web.get("/metrics")).text
    asked = re.search(r'published_handler_invocations_total\{namespace="game"\} (\d+)', metrics)
    assert asked
    assert float(asked[1]) > 5
    assert not re.search(r'failed_events_total\{namespace="game"\} [1-9]', metrics)


async def test_in_the_place_of_a_bot_that_the_host_removes_comes_another(stage: Stage) -> None:
    """So as many bots as the slider and the count of every page say are there."""

    def are(*players: str) -> Callable[[dict[str, Any]], bool]:
        return lambda board: {row["player"] for row in board["rows"]} == set(players)

    await stage.done("bots", bots="2", rate="40")
    await stage.until(are("bot-1", "bot-2"))
    await stage.done("remove", player="bot-1")
    await stage.until(are("bot-2", "bot-3"))
    await stage.done("bots", bots="3")
    await stage.until(are("bot-2", "bot-3", "bot-4"))
    await stage.done("start")
    await stage.until(lambda board: all(row["meta"].get("round") == 1 for row in bots_of(board)))
    await stage.done("undo")
    await stage.until(are("bot-1", "bot-2", "bot-3"))


async def test_bots_take_no_place_of_people(server: Server) -> None:
    web = await server.http()
    made = (await web.post("/api/rooms", json={"bots": 5, "max_players": 1})).json()
    room = Stage(server, web, made["code"])
    await room.until(lambda board: board["total"] == 5)
    await room.join("Ann")
    full = await web.post(f"/api/rooms/{made['code']}/players", json={})
    assert full.status_code == 409


async def test_what_a_bot_does_follows_from_the_seed() -> None:
    lights = lights_of(7, 1, 30_000)
    whole = Bot("bot-1", 7, 1, 0).presses(3000, 400, lights)
    bot = Bot("bot-1", 7, 1, 0)
    parts = [each for until in range(0, 3001, 50) for each in bot.presses(until, 400, lights)]
    assert whole == parts != []
    assert Bot("bot-2", 7, 1, 0).presses(3000, 400, lights) != whole


# -- faults of before --------------------------------------------------------------------------------------------------


async def test_rooms_of_lone_players_who_have_gone_count_no_more(start: Start) -> None:
    server = await start(limits={"rooms": 2})
    web = await server.http()
    for _ in range(4):
        assert (await web.post("/api/rooms", json={"solo": True})).status_code == 201
    for _ in range(2):
        assert (await web.post("/api/rooms", json={})).status_code == 201
    assert (await web.post("/api/rooms", json={})).status_code == 429
