"""Relay channels and raw events: delivered as they came, in one order for all, never conflated."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.appsync import Client, error_types
from tests.conftest import Server, Start
from tests.rawsocket import frame

CHAT = "/default/chat"


async def events(client: Client, id_: str, count: int) -> list[str]:
    """The next events of a subscription, as the text they came as."""
    return [(await client.expect("data", id=id_))["event"] for _ in range(count)]


async def test_an_event_is_delivered_as_it_came_to_all_and_to_its_publisher(server: Server) -> None:
    clients = [await server.client() for _ in range(3)]
    ids = [await client.subscribe(CHAT) for client in clients]
    texts = ['{"b": 1,  "a": "\\u00e9\\n\\"é👩‍👧"}', "[1,2]", '"text"', "null", "12e3"]
    answer = await clients[0].publish(CHAT, *texts)
    assert answer["type"] == "publish_success"
    for client, id_ in zip(clients, ids, strict=True):
        assert await events(client, id_, len(texts)) == texts


async def test_a_data_frame_is_of_appsyncs_form(server: Server) -> None:
    client = await server.client()
    await client.subscribe(CHAT, id="chat")
    await client.publish(CHAT, {"n": 1})
    frame = await client.expect("data")
    assert frame == {"type": "data", "id": "chat", "event": '{"n": 1}'}


async def test_all_see_one_order_whoever_publishes(start: Start) -> None:
    server = await start(limits={"publishes_per_second": 0})
    readers = [await server.client() for _ in range(3)]
    publishers = [await server.client() for _ in range(4)]
    everyone = [*readers, *publishers]
    ids = [await client.subscribe(CHAT) for client in everyone]

    async def talk(number: int, client: Client) -> None:
        batches = range(0, 100, 5)
        await client.publish_all(
            client.publication(CHAT, *([number, first + place] for place in range(5)))
            for first in batches
        )

    await asyncio.gather(*(talk(number, client) for number, client in enumerate(publishers)))
    heard = [await events(client, id_, 400) for client, id_ in zip(everyone, ids, strict=True)]
    assert all(sequence == heard[0] for sequence in heard)
    for number in range(len(publishers)):
        told = [n for who, n in map(json.loads, heard[0]) if who == number]
        assert told == list(range(100)), "the order of one publisher is kept"


async def test_the_same_event_twice_is_delivered_twice(server: Server) -> None:
    client = await server.client()
    chat = await client.subscribe(CHAT)
    await client.publish(CHAT, "1", "1")
    await client.publish(CHAT, "1")
    assert await events(client, chat, 3) == ["1", "1", "1"]


async def test_a_subscriber_gets_what_is_published_after_it_and_nothing_before(
    server: Server,
) -> None:
    client = await server.client()
    await client.publish(CHAT, "1")
    chat = await client.subscribe(CHAT)
    await client.publish(CHAT, "2")
    assert await events(client, chat, 1) == ["2"]


async def test_a_wildcard_hears_all_channels_below_and_not_the_path_itself(server: Server) -> None:
    client = await server.client()
    below = await client.subscribe("/default/a/*")
    for channel in ("/default/a", "/default/ab", "/default/a/1", "/default/b/1", "/default/a/1/2"):
        await client.publish(channel, json.dumps(channel))
    assert await events(client, below, 2) == ['"/default/a/1"', '"/default/a/1/2"']
    assert client.frames == []


async def test_an_event_that_is_no_json_fails_and_the_others_are_delivered(server: Server) -> None:
    client = await server.client()
    chat = await client.subscribe(CHAT)
    answer = await client.publish(CHAT, "1", "{nope", "2", "", "NaN")
    assert [item["index"] for item in answer["successful"]] == [0, 2]
    assert [(item["index"], item["errorType"]) for item in answer["failed"]] == [
        (1, "InvalidEvent"),
        (3, "InvalidEvent"),
        (4, "InvalidEvent"),
    ]
    assert await events(client, chat, 2) == ["1", "2"]


async def test_after_unsubscribe_nothing_more_is_delivered(server: Server) -> None:
    client = await server.client()
    gone, kept = await client.subscribe(CHAT), await client.subscribe(CHAT)
    await client.unsubscribe(gone)
    await client.publish(CHAT, "1")
    assert await events(client, kept, 1) == ["1"]
    assert client.frames == []


async def test_what_was_published_before_an_unsubscribe_does_not_come_after_its_answer(
    server: Server,
) -> None:
    raw = await server.raw()
    await raw.subscribe(CHAT, "gone")
    await raw.subscribe(CHAT, "kept")
    publish = {
        "type": "publish",
        "id": "p",
        "channel": CHAT,
        "events": ["1"],
        "authorization": raw.authorization,
    }
    again = {**publish, "type": "subscribe", "id": "gone"}
    messages = (publish, {"type": "unsubscribe", "id": "gone"}, again)
    await raw.write(b"".join(frame(json.dumps(message).encode()) for message in messages))
    heard: list[tuple[str, str]] = []
    while "kept" not in [id_ for kind, id_ in heard if kind == "data"]:
        received = await raw.receive()
        heard.append((received["type"], received["id"]))
    answers = heard.index(("unsubscribe_success", "gone"))
    assert ("data", "gone") not in heard[answers:], "published before the new subscription began"


async def test_two_hundred_subscriptions_of_one_connection_each_get_a_copy(server: Server) -> None:
    client = await server.client()
    ids = [await client.subscribe(CHAT) for _ in range(200)]
    await client.publish(CHAT, "1")
    for id_ in ids:
        assert await events(client, id_, 1) == ["1"]


@pytest.mark.parametrize("view", [{"top": 3}, {}, {"around": "ann"}])
async def test_a_relay_channel_has_no_ranking_to_view(
    server: Server, view: dict[str, object]
) -> None:
    client = await server.client()
    answer = await client.subscribing(CHAT, view=view)
    assert answer["type"] == "subscribe_error"
    assert error_types(answer) == ["BadRequestException"]
    await client.subscribe(CHAT, view="events")


# -- raw events of a board ---------------------------------------------------------------------------------------------

BOARD = "/leaderboard/arcade"
SHOWN = {"leaderboard": {"events": True}}


async def test_raw_events_of_a_board_are_those_that_were_applied_as_they_came(start: Start) -> None:
    server = await start(namespaces=SHOWN)
    client = await server.client()
    raw = await client.subscribe(BOARD, view="events")
    below = await client.subscribe("/leaderboard/*", view="events")
    applied = [
        '{"player":"ann",  "score":5, "by":"s", "n":1, "why":"a member of the sender\'s own"}',
        '{"score":4,"player":"ann"}',
    ]
    repeat = '{"player":"ann","score":5,"by":"s","n":1}'
    await client.publish(BOARD, applied[0], '{"player":"bob"}', repeat, applied[1])
    assert await events(client, raw, 2) == applied
    assert await events(client, below, 2) == applied
    await client.publish(BOARD, repeat)
    await client.publish(BOARD, '{"player":"cid","score":1}')
    assert await events(client, raw, 1) == ['{"player":"cid","score":1}']


async def test_raw_events_and_snapshots_of_a_board_go_together(start: Start) -> None:
    server = await start(namespaces=SHOWN)
    client = await server.client()
    board, raw = await client.subscribe(BOARD), await client.subscribe(BOARD, view="events")
    assert (await client.snapshot(board))["watching"] == 1
    await client.publish(BOARD, '{"player":"ann","score":1}')
    assert await events(client, raw, 1) == ['{"player":"ann","score":1}']
    await client.snapshot(board, total=1)


async def test_raw_events_are_not_shown_unless_the_namespace_says_so(server: Server) -> None:
    client = await server.client()
    for channel in (BOARD, "/leaderboard/*"):
        answer = await client.subscribing(channel, view="events")
        assert answer["type"] == "subscribe_error"
        assert error_types(answer) == ["BadRequestException"]


@pytest.mark.parametrize("channel", [CHAT, "/arcade/raw"], ids=["relay", "raw events"])
async def test_events_are_refused_while_too_many_are_on_their_way(
    start: Start, monkeypatch: pytest.MonkeyPatch, channel: str
) -> None:
    namespaces = {"default": {"kind": "relay"}, "arcade": {"events": True}}
    server = await start(namespaces=namespaces)
    client, raw = await server.client(), await server.raw()
    heard = await client.subscribe(channel, view="events")
    monkeypatch.setattr("leaderboard.relays.UNDER_WAY", 0)
    event = json.dumps({"player": "ann", "score": 1})
    both = b"".join(
        frame(
            json.dumps(
                {
                    "type": "publish",
                    "id": id_,
                    "channel": channel,
                    "events": [event],
                    "authorization": raw.authorization,
                }
            ).encode()
        )
        for id_ in ("first", "second")
    )
    await raw.write(both)  # one read: nothing has been delivered in between
    answers = {answer["id"]: answer for answer in [await raw.receive(), await raw.receive()]}
    assert answers["first"]["type"] == "publish_success"
    assert error_types(answers["second"]) == ["LimitExceededError"]
    assert await client.event(heard) == json.loads(event)
    # and taken again when they have arrived
    await raw.send(
        type="publish", id="third", channel=channel, events=[event], authorization=raw.authorization
    )
    assert (await raw.receive())["type"] == "publish_success"
    assert await client.event(heard) == json.loads(event)
