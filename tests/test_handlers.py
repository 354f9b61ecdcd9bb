"""Handlers: an operator's functions are asked in AppSync's way, by every door, and their faults hurt nobody."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from leaderboard.grants import Role
from leaderboard.handlers import Context, Denied, Event, Handlers, Refused
from leaderboard.messages import MAX_EVENT_BYTES
from leaderboard.settings import ConfigError, Namespace
from tests.appsync import Frame, error_types, eventually, players
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, Start
from tests.handled import Function, placed
from tests.rawsocket import frame

BOARD = "/handled/a"
CHAT = "/chat/a"
PLAIN = "/plain/a"
"""A board that no handler is asked about."""
FAILURE = ("InternalFailure", "The server could not handle this request.")
SECRET = "s3cret-of-a-player"

Serve = Callable[..., Awaitable[Server]]


@pytest.fixture
def serve(start: Start) -> Serve:
    """Start a server whose namespaces `handled` (a board that sums up) and `chat` (a relay) have these handlers."""

    async def serve(
        on_publish: Function | None = None, on_subscribe: Function | None = None, **rules: Any
    ) -> Server:
        asked = {
            name: placed(function)
            for name, function in (("on_publish", on_publish), ("on_subscribe", on_subscribe))
            if function is not None
        }
        limits = rules.pop("limits", {"publishes_per_second": 0})
        namespaces = {
            "handled": {"mode": "sum", **asked, **rules},
            "chat": {"kind": "relay", **asked, **rules},
            "plain": {},
        }
        return await start(namespaces=namespaces, limits=limits)

    return serve


@dataclass
class Answer:
    """What a publisher is told, whichever way it published."""

    refused: list[tuple[str, str]]
    """The errors of the request as a whole, or of a publish of which every event failed."""
    successful: list[int]
    failed: list[tuple[int, int, str, str]]
    results: Any
    identifiers: list[str]
    status: int | None
    """Of HTTP."""


Publish = Callable[..., Awaitable[Answer]]


@pytest.fixture(params=["socket", "http"])
def publish(request: pytest.FixtureRequest) -> Publish:
    """Publish to a server, over the WebSocket or HTTP."""

    async def publish(
        server: Server, channel: str, *events: Any, token: str | None = None, **members: Any
    ) -> Answer:
        texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
        key = None if token else SCOREKEEPER
        status = None
        if request.param == "socket":
            client = await server.client(ADMIN)
            authorization = {"Authorization": token} if token else {"x-api-key": SCOREKEEPER}
            answer = await client.publish(channel, *texts, authorization=authorization, **members)
            assert (answer["type"] == "publish_success") != ("errors" in answer)
        else:
            http = await server.http(key, token)
            response = await http.post(
                "/event", json={"channel": channel, "events": texts, **members}
            )
            status, answer = response.status_code, response.json()
        return Answer(
            [(error["errorType"], error["message"]) for error in answer.get("errors", ())],
            [item["index"] for item in answer.get("successful", ())],
            [
                (item["index"], item["code"], item["errorType"], item["message"])
                for item in answer.get("failed", ())
            ],
            answer.get("results"),
            [item["identifier"] for item in answer.get("successful", ())],
            status,
        )

    return publish


def score(player: str, score: float, **members: Any) -> dict[str, Any]:
    return {"player": player, "score": score, **members}


async def rows(server: Server, channel: str = BOARD) -> list[tuple[str, float]]:
    """The board as an admin sees it, by an HTTP read that asks no handler of these tests but a gate."""
    http = await server.http(ADMIN)
    board = (await http.get(f"/api/boards{channel}")).json()
    return [(row["player"], row["score"]) for row in board["rows"]]


async def metric(server: Server, name: str) -> float:
    text = (await (await server.http()).get("/metrics")).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"leaderboard_{name}_total"
    )


def plainly(function: Function) -> Function:
    """The function as it is."""
    return function


def awaited(function: Function) -> Function:
    """An async function that does the same, when the loop has turned."""

    async def later(ctx: Context) -> Any:
        await asyncio.sleep(0)
        return function(ctx)

    return later


both = pytest.mark.parametrize("kind", [plainly, awaited], ids=["plain", "async"])
Kind = Callable[[Function], Function]


# -- on_publish: what it is told ---------------------------------------------------------------------------------------


async def test_it_is_told_who_publishes_what_and_where(serve: Serve, publish: Publish) -> None:
    told: list[Context] = []

    def keep(ctx: Context) -> list[Event]:
        told.append(replace(ctx, events=[replace(event) for event in ctx.events]))
        return ctx.events

    server = await serve(keep)
    event = {"id": "ann", "score": 2, "level": {"deep": [1, None]}}
    await publish(server, "handled/a/b/", event, score("bob", 1))
    (ctx,) = told
    assert (ctx.operation, ctx.channel) == ("PUBLISH", "/handled/a/b")
    assert (ctx.namespace, ctx.segments) == ("handled", ["handled", "a", "b"])
    assert (ctx.identity.role, ctx.identity.id, ctx.identity.player) == (
        Role.SCOREKEEPER,
        "api_keys.2",
        None,
    )
    assert [each.payload for each in ctx.events] == [event, score("bob", 1)]
    assert [each.player for each in ctx.events] == ["ann", "bob"]


@pytest.mark.parametrize(
    ("payload", "player"),
    [
        ({"player": "a", "id": "b"}, "a"),
        ({"player": None, "id": "b"}, "b"),
        ({"player": "", "id": "b"}, ""),
        ({"player": 5, "id": "b"}, None),
        ({}, None),
        (["player", "a"], None),
        ("player", None),
        (None, None),
    ],
)
def test_an_event_says_whose_row_it_names(payload: Any, player: str | None) -> None:
    assert Event("1", payload).player == player


async def test_it_reads_the_board_as_it_is(serve: Serve, publish: Publish) -> None:
    seen: list[Any] = []

    async def look(ctx: Context) -> list[Event]:
        row = await ctx.board.entry("ann")
        seen.append((row and (row.score, row.rank, row.name), (await ctx.board.round()).state))
        return ctx.events

    server = await serve(look)
    await publish(server, BOARD, score("ann", 2, name="Ann"))
    await publish(server, BOARD, score("ann", 3))
    await publish(server, CHAT, {})
    assert seen == [(None, "open"), ((2, 1, "Ann"), "open"), (None, "open")]


async def test_it_sees_the_round_the_props_and_behind_a_freeze(
    serve: Serve, publish: Publish
) -> None:
    seen: list[Any] = []

    async def look(ctx: Context) -> list[Event]:
        row, round = await ctx.board.entry("ann"), await ctx.board.round()
        seen.append((row and row.score, round.number, round.state, await ctx.board.props()))
        return ctx.events

    server = await serve(look)
    host = await server.client(HOST)
    props = {"op": "props", "props": {"public": {"title": "Final"}, "seed": 7}}
    for event in (props, {"op": "clear"}, {"op": "open"}, score("ann", 1), {"op": "freeze"}):
        assert (await host.publish(BOARD, event))["type"] == "publish_success"
    await host.publish(BOARD, score("ann", 2))
    seen.clear()
    await publish(server, BOARD, score("bob", 1))
    assert seen == [(3, 2, "open", {"title": "Final"})]


async def test_what_a_host_decides_comes_by_too_and_over_http(serve: Serve) -> None:
    told: list[Any] = []

    def keep(ctx: Context) -> list[Event]:
        told.extend(event.payload for event in ctx.events)
        return [event for event in ctx.events if event.payload != {"op": "clear"}]

    server = await serve(keep)
    http = await server.http(HOST)
    for op in ("close", "clear"):
        assert (await http.post(f"/api/boards{BOARD}", json={"op": op})).status_code == 200
    assert told == [{"op": "close"}, {"op": "clear"}]
    round = (await http.get(f"/api/boards{BOARD}")).json()["round"]
    assert (round["number"], round["state"]) == (1, "closed")


async def test_what_only_a_host_may_it_cannot_give_away(serve: Serve, publish: Publish) -> None:
    def opening(ctx: Context) -> list[Event]:
        return [Event(event.id, {"op": "close"}) for event in ctx.events]

    server = await serve(opening)
    answer = await publish(server, BOARD, score("ann", 1), token=anns(server))
    assert [name for _, _, name, _ in answer.failed] + [name for name, _ in answer.refused] == [
        "NotAllowed"
    ]


async def test_of_what_is_no_json_it_is_told_nothing(serve: Serve, publish: Publish) -> None:
    asked: list[int] = []

    def count(ctx: Context) -> list[Event]:
        asked.append(len(ctx.events))
        return ctx.events

    server = await serve(count)
    answer = await publish(server, BOARD, "{", score("ann", 1), "")
    assert (answer.successful, [index for index, *_ in answer.failed]) == ([1], [0, 2])
    assert asked == [1]
    await publish(server, CHAT, "nope")
    assert asked == [1]


async def test_another_namespace_does_not_ask_it(serve: Serve, publish: Publish) -> None:
    def refuse(ctx: Context) -> None:
        raise Refused("no")

    server = await serve(refuse)
    assert (await publish(server, PLAIN, score("ann", 1))).successful == [0]
    assert await metric(server, "published_handler_invocations") == 0
    await publish(server, BOARD, score("ann", 1))
    assert await metric(server, "published_handler_invocations") == 1


async def test_what_is_over_the_rate_is_not_asked_about(serve: Serve) -> None:
    asked: list[Context] = []

    def keep(ctx: Context) -> list[Event]:
        asked.append(ctx)
        return ctx.events

    server = await serve(keep, limits={"publishes_per_second": 2})
    client = await server.client()
    answers = await client.publish_all(client.publication(CHAT, 1) for _ in range(3))
    assert [answer["type"] for answer in answers] == ["publish_success"] * 2 + ["publish_error"]
    assert len(asked) == 2


# -- on_publish: what it may do ----------------------------------------------------------------------------------------


@both
async def test_what_it_changes_is_what_counts(serve: Serve, publish: Publish, kind: Kind) -> None:
    def double(ctx: Context) -> list[Event]:
        for event in ctx.events:
            event.payload["score"] *= 2
        return ctx.events

    server = await serve(kind(double), events=True)
    watcher = await server.client()
    raw = await watcher.subscribe(BOARD, view="events")
    answer = await publish(server, BOARD, score("ann", 2), score("bob", 3), results=True)
    assert answer.successful == [0, 1]
    assert [(each["player"], each["score"]) for each in answer.results] == [("ann", 4), ("bob", 6)]
    assert await rows(server) == [("bob", 6), ("ann", 4)]
    assert [await watcher.event(raw) for _ in range(2)] == [score("ann", 4), score("bob", 6)]


@both
async def test_on_a_relay_channel_its_payloads_are_delivered(
    serve: Serve, publish: Publish, kind: Kind
) -> None:
    def wrap(ctx: Context) -> list[Event]:
        return [Event(event.id, {"said": event.payload}) for event in ctx.events]

    server = await serve(kind(wrap))
    watcher = await server.client()
    chat = await watcher.subscribe(CHAT)
    assert (await publish(server, CHAT, "1.0", "é")).successful == [0]  # the second is no JSON
    assert (await publish(server, CHAT, '"é"', "[1]")).successful == [0, 1]
    assert [(await watcher.event(chat))["said"] for _ in range(3)] == [1.0, "é", [1]]


@both
async def test_what_it_leaves_out_is_dropped_silently(
    serve: Serve, publish: Publish, kind: Kind
) -> None:
    def only_bob(ctx: Context) -> list[Event | None]:
        return [event if event.player == "bob" else None for event in ctx.events][:2]

    server = await serve(kind(only_bob))
    answer = await publish(
        server, BOARD, score("ann", 1), score("bob", 2), score("bob", 5), results=True
    )
    assert (answer.successful, answer.failed, answer.refused) == ([1], [], [])
    assert [result and result["score"] for result in answer.results] == [None, 2, None]
    assert await rows(server) == [("bob", 2)]
    assert await metric(server, "dropped_events") == 2


async def test_it_may_drop_everything(serve: Serve, publish: Publish) -> None:
    nothing: list[Any] = [None, [], [None]]
    server = await serve(lambda ctx: nothing[ctx.events[0].payload["score"]])
    for channel in (BOARD, CHAT):
        for number in range(3):
            answer = await publish(server, channel, score("ann", number), score("bob", 1))
            assert (answer.refused, answer.successful, answer.failed) == ([], [], [])
            assert answer.status in (None, 200)
    assert await metric(server, "dropped_events") == 12


@both
async def test_an_event_that_it_marks_fails_by_itself(
    serve: Serve, publish: Publish, kind: Kind
) -> None:
    def only_bob(ctx: Context) -> list[Event]:
        for event in ctx.events:
            if event.player != "bob":
                event.error = f"not {event.player}"
        return ctx.events

    server = await serve(kind(only_bob))
    answer = await publish(server, BOARD, score("ann", 1), score("bob", 1), "{", score("eve", 1))
    assert answer.successful == [1]
    assert [(index, code, name) for index, code, name, _ in answer.failed] == [
        (0, 403, "Refused"),
        (2, 400, "InvalidEvent"),
        (3, 403, "Refused"),
    ]
    assert (answer.failed[0][3], answer.failed[2][3]) == ("not ann", "not eve")
    assert await rows(server) == [("bob", 1)]
    assert await metric(server, "failed_events") == 3
    answer = await publish(server, BOARD, score("ann", 1))
    told = [(name, text) for _, _, name, text in answer.failed] + answer.refused
    assert told == [("Refused", "not ann")]


async def test_it_may_change_the_order_and_the_answer_keeps_the_publishers(
    serve: Serve, publish: Publish
) -> None:
    ids: list[str] = []

    def backwards(ctx: Context) -> list[Event]:
        ids[:] = [event.id for event in ctx.events]
        return ctx.events[::-1]

    server = await serve(backwards, mode="latest")
    events = [score("ann", 1), score("bob", 2**53), score("ann", 3)]
    answer = await publish(server, BOARD, *events, results=True)
    assert answer.successful == [0, 2]
    assert answer.identifiers == [ids[0], ids[2]]
    assert [(index, name) for index, _, name, _ in answer.failed] == [(1, "ScoreOutOfRange")]
    assert [result and result["score"] for result in answer.results] == [1, None, 3]
    assert await rows(server) == [("ann", 1)]


REFUSALS: list[tuple[Refused | Denied, int, tuple[str, str]]] = [
    (Refused("Not now."), 403, ("Refused", "Not now.")),
    (Refused("Not now.", "TooFast"), 403, ("TooFast", "Not now.")),
    (Denied(), 401, ("Unauthorized", "You are not authorized to make this call.")),
    (Denied("Go away."), 401, ("Unauthorized", "Go away.")),
]


@both
async def test_it_may_refuse_the_whole_request(
    serve: Serve, publish: Publish, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(ctx: Context) -> None:
        raise REFUSALS[ctx.events[0].payload["score"]][0]

    server = await serve(kind(refuse))
    for number, (_, status, told) in enumerate(REFUSALS):
        for channel in (BOARD, CHAT):
            answer = await publish(server, channel, score("ann", number), score("bob", 2))
            assert (answer.refused, answer.successful, answer.failed) == ([told], [], [])
            assert answer.status in (None, status)
    assert await rows(server) == []
    assert not caplog.records


async def test_what_it_makes_of_an_event_is_judged_like_any_other(
    serve: Serve, publish: Publish
) -> None:
    made: dict[str, Any] = {
        "big": {"meta": {"text": "x" * 2000}},
        "long": {"text": "x" * MAX_EVENT_BYTES},
        "no number": {"score": "12"},
        "not finite": {"score": float("nan")},
        "nobody": {"player": None},
        "fine": {"name": "Fine"},
    }

    def remake(ctx: Context) -> list[Event]:
        for event in ctx.events:
            event.payload |= made[event.payload["player"]]
        return ctx.events

    server = await serve(remake)
    for player in made:
        answer = await publish(server, BOARD, score(player, 1))
        told = [name for _, _, name, _ in answer.failed] + [name for name, _ in answer.refused]
        assert told == ([] if player == "fine" else ["InvalidEvent"]), player
    assert await rows(server) == [("fine", 1)]


async def test_a_repeat_counts_once_although_it_is_asked_about_twice(
    serve: Serve, publish: Publish
) -> None:
    asked: list[Context] = []

    def keep(ctx: Context) -> list[Event]:
        asked.append(ctx)
        return ctx.events

    server = await serve(keep)
    for _ in range(2):
        answer = await publish(server, BOARD, score("ann", 5, by="me", n=1))
        assert answer.successful == [0]
    assert await rows(server) == [("ann", 5)]
    assert len(asked) == 2


# -- on_publish: whose row ---------------------------------------------------------------------------------------------


def anns(server: Server) -> str:
    """A token for Ann's row."""
    return str(server.app.state.auth.issue("player", BOARD, "ann", 60)[0])


async def test_what_a_player_may_not_touch_it_is_not_shown(serve: Serve, publish: Publish) -> None:
    shown: list[str | None] = []

    def keep(ctx: Context) -> list[Event]:
        shown.extend(event.player for event in ctx.events)
        return ctx.events

    server = await serve(keep)
    answer = await publish(
        server,
        BOARD,
        score("ann", 1),
        score("bob", 2),
        {"id": "bob", "score": 3},
        {"op": "remove", "player": "bob"},
        token=anns(server),
    )
    assert answer.successful == [0]
    assert [(index, name) for index, _, name, _ in answer.failed] == [
        (1, "NotAllowed"),
        (2, "NotAllowed"),
        (3, "NotAllowed"),
    ]
    assert shown == ["ann"]


@both
async def test_it_cannot_move_an_event_to_another_row(
    serve: Serve, publish: Publish, kind: Kind
) -> None:
    changes: list[dict[str, Any]] = [
        {"player": "bob"},
        {"player": None, "id": "bob"},
        {"op": "remove", "player": "bob"},
    ]

    def elsewhere(ctx: Context) -> list[Event]:
        ctx.events[0].payload |= changes[ctx.events[0].payload["score"]]
        return ctx.events

    server = await serve(kind(elsewhere))
    for number in range(3):
        answer = await publish(
            server, BOARD, score("ann", number), score("ann", 1), token=anns(server)
        )
        assert answer.successful == [1]
        assert [each[:3] for each in answer.failed] == [(0, 403, "NotAllowed")]
    assert await rows(server) == [("ann", 3)]


async def test_it_may_say_whose_row_it_is_where_the_event_does_not(
    serve: Serve, publish: Publish
) -> None:
    def own(ctx: Context) -> list[Event]:
        for event in ctx.events:
            event.payload["player"] = ctx.identity.player
        return ctx.events

    server = await serve(own)
    assert (await publish(server, BOARD, {"score": 4}, token=anns(server))).successful == [0]
    assert await rows(server) == [("ann", 4)]


# -- on_publish: its faults --------------------------------------------------------------------------------------------


def raises(ctx: Context) -> None:
    raise KeyError(ctx.events[0].payload["player"])


def raises_what_a_publish_held(ctx: Context) -> None:
    raise ValueError(f"{ctx.events[0].payload} {ctx}")


def cancels(ctx: Context) -> None:
    raise asyncio.CancelledError(SECRET)


def twice(ctx: Context) -> list[Event]:
    return ctx.events * 2


def made_up(ctx: Context) -> list[Event]:
    return [*ctx.events, Event(SECRET, 1)]


def no_id(ctx: Context) -> list[Event]:
    return [Event(["no id"], 1)]  # type: ignore[arg-type]


def an_error_that_is_no_text(ctx: Context) -> list[Event]:
    return [Event(ctx.events[0].id, 1, error=5)]  # type: ignore[arg-type]


def no_json(ctx: Context) -> list[Event]:
    ctx.events[0].payload["by"] = object()
    return ctx.events


def no_keys_of_json(ctx: Context) -> list[Event]:
    ctx.events[0].payload[(1, 2)] = 3
    return ctx.events


def half_a_character(ctx: Context) -> list[Event]:
    ctx.events[0].payload["name"] = "\ud800"
    return ctx.events


FAULTS: dict[str, Function] = {
    "it raises": raises,
    "it raises what was published": raises_what_a_publish_held,
    "it cancels": cancels,
    "text": lambda ctx: SECRET,
    "a number": lambda ctx: 5,
    "true": lambda ctx: True,
    "an event": lambda ctx: ctx.events[0],
    "a mapping": lambda ctx: {"events": ctx.events},
    "payloads": lambda ctx: [event.payload for event in ctx.events],
    "a list of lists": lambda ctx: [ctx.events],
    "a set": lambda ctx: {SECRET},
    "a generator": lambda ctx: (event for event in ctx.events),
    "an event twice": twice,
    "an event that it made up": made_up,
    "an id that is none": no_id,
    "an error that is no text": an_error_that_is_no_text,
    "a payload that is no JSON": no_json,
    "a key that is no JSON": no_keys_of_json,
    "half a character": half_a_character,
}


@both
async def test_its_faults_are_failures_of_the_server_and_logged_without_the_payload(
    serve: Serve, publish: Publish, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(kind(lambda ctx: FAULTS[ctx.events[0].payload["fault"]](ctx)))
    for fault in FAULTS:
        caplog.clear()
        answer = await publish(server, BOARD, score(SECRET, 1, fault=fault), score("bob", 2))
        told = (answer.refused, answer.successful, answer.failed, answer.status)
        assert told in (([FAILURE], [], [], None), ([FAILURE], [], [], 500)), fault
        (record,) = [each for each in caplog.records if each.name == "leaderboard.functions"]
        assert record.getMessage().startswith("handler tests.handled:handler_"), fault
        assert SECRET not in caplog.text, fault
    assert await rows(server) == []
    assert (await publish(server, PLAIN, score("ann", 1))).successful == [0]


async def test_a_fault_is_logged_with_its_place(
    serve: Serve, publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(raises)
    await publish(server, BOARD, score(SECRET, 1))
    assert "raised KeyError" in caplog.text
    assert f'File "{__file__}"' in caplog.text
    assert "in raises" in caplog.text


async def never(ctx: Context) -> None:
    await asyncio.Event().wait()


async def will_not_be_cancelled(ctx: Context) -> list[Event]:
    for _ in range(3):
        try:
            await asyncio.sleep(0.3)
        except asyncio.CancelledError:
            continue
    return ctx.events


@pytest.mark.parametrize("function", [never, will_not_be_cancelled])
async def test_one_that_takes_too_long_is_given_up(
    serve: Serve, publish: Publish, function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(function, handler_timeout=0.1)
    answer = await publish(server, BOARD, score(SECRET, 1))
    assert answer.refused == [FAILURE]
    assert "took more than 0.1 s" in caplog.text
    assert SECRET not in caplog.text
    await asyncio.sleep(0.7)  # what the stubborn one does in the end is nobody's business any more
    assert await rows(server) == []
    assert len(caplog.records) == 1


async def test_the_answer_of_a_plain_one_that_took_too_long_is_not_taken(
    serve: Serve, publish: Publish, caplog: pytest.LogCaptureFixture
) -> None:
    def slow(ctx: Context) -> list[Event]:
        time.sleep(0.05)  # it holds everybody up, and nothing can be done about that
        return ctx.events

    server = await serve(slow, handler_timeout=0.01)
    answer = await publish(server, BOARD, score(SECRET, 1))
    assert answer.refused == [FAILURE]
    assert "took more than 0.01 s, and everybody waited" in caplog.text
    assert SECRET not in caplog.text
    assert await rows(server) == []


async def test_one_that_ends_in_the_moment_of_its_time_limit_answers_once(serve: Serve) -> None:
    async def just(ctx: Context) -> list[Event]:
        await asyncio.sleep(0.02)
        return ctx.events

    server = await serve(just, handler_timeout=0.02)
    client = await server.client()
    for n in range(30):
        await client.publish(BOARD, score("ann", 1), id=f"p{n}")
    assert await client.alive()
    assert not client.frames  # one answer each


# -- waiting -----------------------------------------------------------------------------------------------------------


@dataclass
class Waiting:
    """An async handler that waits for the test's word."""

    go: asyncio.Event
    asked: asyncio.Event

    async def __call__(self, ctx: Context) -> list[Event] | None:
        self.asked.set()
        await self.go.wait()
        return ctx.events if ctx.operation == "PUBLISH" else None


@pytest.fixture
def waiting() -> Waiting:
    return Waiting(asyncio.Event(), asyncio.Event())


def ids(frames: list[Frame]) -> list[str]:
    return [str(each["id"]) for each in frames if "id" in each]


async def test_later_frames_of_that_connection_wait_in_order_and_no_others(
    serve: Serve, waiting: Waiting
) -> None:
    server = await serve(waiting, handler_timeout=60.0)
    client, other = await server.client(), await server.client()
    await client.send(**client.publication(BOARD, score("ann", 1), id="first"))
    await waiting.asked.wait()
    await client.send(**client.publication(PLAIN, score("ann", 1), id="second"))
    authorization = client.authorization
    await client.send(type="subscribe", id="third", channel=PLAIN, authorization=authorization)
    await client.send(type="unsubscribe", id="third")
    await client.send_raw("nonsense")
    await client.send(**client.publication(BOARD, score("bob", 1), id="last"))
    for _ in range(3):
        assert await other.alive()
    assert (await other.publish(PLAIN, score("bob", 5)))["type"] == "publish_success"
    assert players(await other.look(PLAIN)) == ["bob"]  # what came later has not been served
    waiting.go.set()
    await client.answer("last")
    frames = [each for each in client.frames if each["type"] != "data"]
    assert [each["type"] for each in frames] == [
        "publish_success",
        "publish_success",
        "subscribe_success",
        "unsubscribe_success",
        "error",
    ]
    assert ids(frames) == ["first", "second", "third", "third"]


async def test_fragments_that_came_meanwhile_keep_their_order(
    serve: Serve, waiting: Waiting
) -> None:
    """They take the way through the library's parser, and are many: none may be served within another."""
    server = await serve(waiting, handler_timeout=60.0)
    raw = await server.raw()

    def publication(id_: str, channel: str) -> bytes:
        return json.dumps(
            {
                "type": "publish",
                "id": id_,
                "channel": channel,
                "events": ['{"player":"ann","score":1}'],
                "authorization": raw.authorization,
            }
        ).encode()

    parked = publication("first", BOARD)
    sent = frame(parked)
    for n in range(1500):
        text = publication(f"n{n}", PLAIN)
        sent += frame(text[:50], fin=False) + frame(text[50:], opcode=0)
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(raw.write(sent))
        await waiting.asked.wait()
        waiting.go.set()
        answers = [await raw.receive() for _ in range(1501)]
        await sending
    assert ids(answers) == ["first", *(f"n{n}" for n in range(1500))]
    assert {each["type"] for each in answers} == {"publish_success"}


async def test_a_publish_whose_sender_has_gone_is_applied_and_nothing_is_logged(
    serve: Serve, waiting: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(waiting, handler_timeout=60.0)
    client = await server.client()
    await client.send(**client.publication(BOARD, score("ann", 1)))
    await waiting.asked.wait()
    client.socket.transport.abort()
    waiting.go.set()

    async def over() -> bool:
        return await rows(server) == [("ann", 1)] and not server.app.state.realtime

    await eventually(over)
    assert not caplog.records


async def test_a_server_ends_although_a_handler_does_not(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    asked = asyncio.Event()

    async def stubborn(ctx: Context) -> None:
        asked.set()
        await never(ctx)

    server = await serve(stubborn, handler_timeout=60.0)
    client, http = await server.client(), await server.http(ADMIN)
    await client.send(**client.publication(BOARD, score("ann", 1)))
    await asked.wait()
    asked.clear()
    body = {"channel": BOARD, "events": ['{"player":"ann","score":1}']}
    posting = asyncio.create_task(http.post("/event", json=body))
    await asked.wait()
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 2
    assert await client.closed() == 1012
    assert error_types(client.frames[-1]) == ["InternalFailure"]
    assert (await posting).status_code == 500
    assert "was at work when the server ended" in caplog.text


# -- on_subscribe ------------------------------------------------------------------------------------------------------


@both
async def test_who_returns_nothing_lets_in(serve: Serve, kind: Kind) -> None:
    told: list[Context] = []
    server = await serve(on_subscribe=kind(lambda ctx: told.append(ctx)))
    client = await server.client(VIEWER)
    for channel in (BOARD, "/handled/*", CHAT, "/chat/*"):
        await client.subscribe(channel)
    assert [(ctx.operation, ctx.channel, ctx.events) for ctx in told] == [
        ("SUBSCRIBE", channel, []) for channel in (BOARD, "/handled/*", CHAT, "/chat/*")
    ]
    assert {ctx.identity.role for ctx in told} == {Role.VIEWER}
    await client.subscribe(PLAIN)
    assert len(told) == 4
    assert await metric(server, "subscribe_handler_invocations") == 4


@both
@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (Refused("Not yet."), {"errorType": "Refused", "message": "Not yet."}),
        (Refused("Not yet.", "TooEarly"), {"errorType": "TooEarly", "message": "Not yet."}),
        (
            Denied(),
            {
                "errorType": "Unauthorized",
                "message": "You are not authorized to make this call.",
            },
        ),
    ],
)
async def test_it_may_refuse_a_subscribe(
    serve: Serve, kind: Kind, refusal: Refused, told: dict[str, str]
) -> None:
    def only_bob(ctx: Context) -> None:
        if ctx.channel == BOARD:
            raise refusal

    server = await serve(on_subscribe=kind(only_bob))
    client = await server.client(VIEWER)
    answer = await client.subscribing(BOARD, id="s")
    assert answer == {"type": "subscribe_error", "id": "s", "errors": [told]}
    board = await client.subscribe("/handled/b", id="s")  # the id is free
    admin = await server.client()
    await admin.publish(BOARD, score("ann", 1))
    await admin.publish("/handled/b", score("bob", 1))
    assert players(await client.snapshot(board, version=1)) == ["bob"]
    assert not [each for each in client.frames if each["type"] == "data"]


@both
async def test_who_returns_something_lets_nobody_in(
    serve: Serve, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[object] = [True, False, "no", [], 0]
    server = await serve(on_subscribe=kind(lambda ctx: answers[int(ctx.segments[1])]))
    client = await server.client()
    for number, answer in enumerate(answers):
        refused = await client.subscribing(f"/handled/{number}")
        assert error_types(refused) == ["InternalFailure"]
        assert f"returned {type(answer).__name__} instead of nothing" in caplog.text
    assert await client.alive()


async def test_a_subscribe_that_is_not_in_order_is_not_asked_about(serve: Serve) -> None:
    asked: list[str] = []
    server = await serve(
        on_subscribe=lambda ctx: asked.append(ctx.channel),
        limits={"subscriptions_per_connection": 1},
    )
    client = await server.client()
    await client.subscribe(BOARD, id="s")
    for id_ in ("s", "t"):
        assert (await client.subscribing(BOARD, id=id_))["type"] == "subscribe_error"
    other = await server.client()
    wrong: list[dict[str, Any]] = [{"view": "events"}, {"authorization": {"x-api-key": "wrong"}}]
    for members in wrong:
        assert (await other.subscribing(BOARD, **members))["type"] == "subscribe_error"
    assert asked == [BOARD]


async def test_a_subscribe_waits_and_what_comes_behind_it_too(
    serve: Serve, waiting: Waiting
) -> None:
    server = await serve(on_subscribe=waiting, handler_timeout=60.0)
    client, other = await server.client(), await server.client()
    authorization = client.authorization
    await client.send(type="subscribe", id="s", channel=BOARD, authorization=authorization)
    await waiting.asked.wait()
    await client.send(**client.publication(BOARD, score("ann", 1), id="p"))
    assert await other.alive()
    assert not client.frames
    waiting.go.set()
    assert (await client.receive())["type"] == "subscribe_success"
    await client.answer("p")
    assert players(await client.snapshot("s", version=1)) == ["ann"]


async def test_a_subscriber_that_has_gone_meanwhile_leaves_nothing_behind(
    serve: Serve, waiting: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(on_subscribe=waiting, handler_timeout=60.0)
    client = await server.client()
    authorization = client.authorization
    await client.send(type="subscribe", id="s", channel=BOARD, authorization=authorization)
    await waiting.asked.wait()
    client.socket.transport.abort()
    waiting.go.set()

    async def over() -> bool:
        return not server.app.state.realtime and not server.app.state.broker.hub.size

    await eventually(over)
    assert not caplog.records


async def test_a_token_that_was_revoked_meanwhile_is_not_let_in(
    serve: Serve, waiting: Waiting
) -> None:
    server = await serve(on_subscribe=waiting, handler_timeout=60.0)
    text, claims = server.app.state.auth.issue("player", BOARD, "ann", 60)
    client = await server.client()
    await client.send(
        type="subscribe", id="s", channel=BOARD, authorization={"Authorization": text}
    )
    await waiting.asked.wait()
    await (await server.http(ADMIN)).delete(f"/api/tokens/{claims.jti}")
    waiting.go.set()
    assert (await client.answer("s"))["errors"] == [
        {"errorType": "UnauthorizedException", "message": "This token was revoked."}
    ]


# -- reads over HTTP pass the same gate --------------------------------------------------------------------------------


def staff_only(ctx: Context) -> None:
    if ctx.identity.role < Role.SCOREKEEPER:
        raise Denied
    if ctx.channel == "/handled/closed":
        raise Refused("Closed.")


@both
async def test_who_may_not_subscribe_may_not_read(serve: Serve, kind: Kind) -> None:
    server = await serve(on_subscribe=kind(staff_only))
    client = await server.client()
    for channel in (BOARD, "/handled/closed", PLAIN):
        await client.publish(channel, score("ann", 1))
    public, viewer = await server.http(), await server.http(VIEWER)
    keeper, host = await server.http(SCOREKEEPER), await server.http(HOST)
    for path in (f"/api/boards{BOARD}", f"/api/boards{BOARD}.csv", f"/api/boards{BOARD}.jsonl"):
        assert (await public.get(path)).status_code == 404
        assert (await viewer.get(path)).status_code == 401
        assert (await keeper.get(path)).status_code == 200
    refused = await host.get("/api/boards/handled/closed")
    assert (refused.status_code, refused.json()["message"]) == (403, "Closed.")
    for reader, listed in (
        (public, [PLAIN]),
        (keeper, [PLAIN]),
        (host, [BOARD, "/handled/closed", PLAIN]),
    ):
        boards = (await reader.get("/api/boards")).json()["boards"]
        assert [board["channel"] for board in boards] == listed
    page = await public.get(f"/l{BOARD}")
    assert (page.status_code, re.search(r"\bann\b", page.text)) == (403, None)
    assert BOARD not in (await public.get("/l")).text
    assert (await public.get(f"/l{PLAIN}")).status_code == 200


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no_such_module:f", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("tests.handled:no_such_function", "AttributeError: "),
        ("tests.handled:no_function", "is no function"),
        ("tests.handled:no_function.real.deep", "AttributeError: "),
        ("broken:f", "SyntaxError: "),
        ("failing:f", "ZeroDivisionError: "),
    ],
)
def test_what_cannot_be_imported_ends_the_start_with_the_reason(
    name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text("def f(:")
    (tmp_path / "failing.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as caught:
        Handlers({"game": Namespace(on_subscribe=name)})
    assert str(caught.value).startswith(f"namespaces.game.on_subscribe: {name} ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "name", ["rules", "rules.f", ":f", "rules:", "rules:f:g", "a b:c", "os:system('x')"]
)
def test_an_import_string_names_a_module_and_a_function(name: str) -> None:
    with pytest.raises(ValidationError):
        Namespace(on_publish=name)


def test_a_method_may_be_named() -> None:
    handlers = Handlers({"game": Namespace(on_publish="leaderboard.handlers:Event.player.fget")})
    assert handlers.on_publish["game"].name == "leaderboard.handlers:Event.player.fget"
