"""Publishing over the socket: answers, single failures, results, retries, order, rates."""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest

from tests.appsync import Frame, error_types, players
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, Start

BOARD = "/leaderboard/arcade"


def score(player: str, value: float, **members: Any) -> dict[str, Any]:
    return {"player": player, "score": value, **members}


def indexes(items: list[Frame]) -> list[int]:
    return [item["index"] for item in items]


# -- answers -----------------------------------------------------------------------------------------------------------


async def test_the_answer_names_every_event_of_a_batch(server: Server) -> None:
    client = await server.client()
    events = [score(f"p{number}", number) for number in range(5)]
    answer = await client.publish(BOARD, *events, id="abc-_+1")
    assert {**answer, "successful": None} == {
        "type": "publish_success",
        "id": "abc-_+1",
        "successful": None,
        "failed": [],
    }
    assert indexes(answer["successful"]) == [0, 1, 2, 3, 4]
    identifiers = {item["identifier"] for item in answer["successful"]}
    assert len(identifiers) == 5
    assert all(isinstance(identifier, str) and len(identifier) == 36 for identifier in identifiers)
    assert all(set(item) == {"identifier", "index"} for item in answer["successful"])


async def test_a_batch_is_one_step_of_the_board(server: Server) -> None:
    client = await server.client()
    board = await client.subscribe(BOARD)
    await client.snapshot(board)
    await client.publish(BOARD, *(score(f"p{number}", number) for number in range(5)))
    snapshot = await client.snapshot(board, total=5)
    assert snapshot["version"] == 1
    assert players(snapshot) == ["p4", "p3", "p2", "p1", "p0"]


async def test_publishing_needs_no_subscription(server: Server) -> None:
    client = await server.client()
    assert (await client.publish(BOARD, score("ann", 1)))["type"] == "publish_success"
    assert client.frames == []


async def test_an_acknowledged_event_is_in_the_next_reading(server: Server) -> None:
    publisher, reader = await server.client(), await server.client()
    http = await server.http()
    for value in range(1, 11):
        await publisher.publish(BOARD, score("ann", value))
        board = (await http.get(f"/api/boards{BOARD}")).json()
        assert board["version"] == board["rows"][0]["score"] == value
        assert (await reader.look(BOARD))["rows"][0]["score"] == value


async def test_the_copy_in_payload_that_amplify_sends_is_ignored(server: Server) -> None:
    client = await server.client()
    events = [json.dumps(score("ann", 1))]
    extensions = {"authorization": client.authorization}
    answer = await client.publish(
        BOARD,
        *events,
        payload={"events": events, "channel": BOARD, "extensions": extensions},
        authorization={**client.authorization, "x-amz-user-agent": "aws-amplify/6.22.1"},
    )
    assert answer["type"] == "publish_success"
    assert (await client.look(BOARD))["version"] == 1


async def test_id_stands_for_player(server: Server) -> None:
    client = await server.client()
    await client.publish(BOARD, {"id": "ann", "score": 3})
    assert (await client.look(BOARD))["rows"] == [
        {"rank": 1, "position": 1, "player": "ann", "score": 3}
    ]


async def test_name_and_meta_are_shown_with_the_row(server: Server) -> None:
    client = await server.client()
    event = score("ann", 1.5, name="  Ada\u202e\u200b  Lovelace ", meta={"b": 1, "a": {"c": "é"}})
    await client.publish(BOARD, event)
    row = (await client.look(BOARD))["rows"][0]
    assert row == {
        "rank": 1,
        "position": 1,
        "player": "ann",
        "name": "Ada Lovelace",
        "score": 1.5,
        "meta": {"a": {"c": "é"}, "b": 1},
    }


async def test_a_frame_of_five_whole_events_in_duplicate_is_not_too_long(server: Server) -> None:
    # what amplify-js makes of five events of AppSync's largest size
    client = await server.client()
    chat = await client.subscribe("/default/chat")
    events = [json.dumps("x" * (240 * 1024 - 2)) for _ in range(5)]
    answer = await client.publish("/default/chat", *events, payload={"events": events})
    assert answer["type"] == "publish_success"
    for event in events:
        assert (await client.expect("data", id=chat))["event"] == event


# -- events fail singly ------------------------------------------------------------------------------------------------


async def test_events_fail_by_themselves_and_the_others_stand(server: Server) -> None:
    client = await server.client()
    answer = await client.publish(
        BOARD, score("ann", 1), "not JSON", score("bob", 2), {"player": "cid"}, score("dee", 2**53)
    )
    assert answer["type"] == "publish_success"
    assert indexes(answer["successful"]) == [0, 2]
    assert indexes(answer["failed"]) == [1, 3, 4]
    assert [item["errorType"] for item in answer["failed"]] == [
        "InvalidEvent",
        "InvalidEvent",
        "ScoreOutOfRange",
    ]
    assert [item["code"] for item in answer["failed"]] == [400, 400, 422]
    for item in answer["failed"]:
        assert set(item) == {"identifier", "index", "code", "errorType", "message"}
        assert isinstance(item["identifier"], str)
        assert item["message"]
    assert players(await client.look(BOARD)) == ["bob", "ann"]


async def test_failures_of_the_engine_and_of_the_form_are_told_in_the_order_of_the_events(
    start: Start,
) -> None:
    server = await start(namespaces={"leaderboard": {"max_score": 10}})
    client = await server.client()
    answer = await client.publish(BOARD, score("ann", 11), {}, score("bob", 12), score("cid", 1))
    assert indexes(answer["successful"]) == [3]
    assert indexes(answer["failed"]) == [0, 1, 2]


async def test_a_publish_of_which_every_event_failed_is_an_error(server: Server) -> None:
    # amplify-js resolves a publish_success whatever its `failed` says
    client = await server.client()
    answer = await client.publish(BOARD, {"score": 1}, score("ann", 2**53), id="all")
    assert answer["type"] == "publish_error"
    assert answer["id"] == "all"
    assert error_types(answer) == ["InvalidEvent", "ScoreOutOfRange"]
    assert all(set(error) == {"errorType", "message"} for error in answer["errors"])
    assert (await client.look(BOARD))["version"] == 0


# -- results -----------------------------------------------------------------------------------------------------------


async def test_results_tell_where_each_event_left_its_player(server: Server) -> None:
    client = await server.client(HOST)
    await client.publish(BOARD, score("ann", 5), score("zoe", 1))
    answer = await client.publish(
        BOARD,
        score("bob", 7),
        {"score": 1},
        score("ann", 3),
        {"op": "remove", "player": "zoe"},
        results=True,
    )
    assert answer["results"] == [
        {"player": "bob", "score": 7, "rank": 1, "version": 2},
        None,
        {"player": "ann", "score": 5, "rank": 2, "version": 2},
        {"player": "zoe", "score": None, "rank": None, "version": 2},
    ]


async def test_results_come_only_where_they_were_asked_for(server: Server) -> None:
    client = await server.client()
    for members in ({}, {"results": False}):
        assert "results" not in await client.publish(BOARD, score("ann", 1), **members)


# -- who may -----------------------------------------------------------------------------------------------------------


async def test_a_viewer_may_not_publish_and_a_scorekeeper_may(server: Server) -> None:
    client = await server.client(VIEWER)
    for channel, event in ((BOARD, score("ann", 1)), ("/default/chat", "1")):
        refused = await client.publish(channel, event)
        assert refused["type"] == "publish_error"
        assert error_types(refused) == ["UnauthorizedException"]
        answer = await client.publish(channel, event, authorization={"x-api-key": SCOREKEEPER})
        assert answer["type"] == "publish_success"


async def test_only_a_host_may_remove_a_row(server: Server) -> None:
    client = await server.client(SCOREKEEPER)
    remove = {"op": "remove", "player": "ann"}
    await client.publish(BOARD, score("ann", 1))
    answer = await client.publish(BOARD, remove, score("bob", 1))
    assert [(item["errorType"], item["code"]) for item in answer["failed"]] == [("NotAllowed", 403)]
    assert players(await client.look(BOARD)) == ["ann", "bob"]
    for key in (HOST, ADMIN):
        answer = await client.publish(BOARD, remove, authorization={"x-api-key": key})
        assert answer["type"] == "publish_success"
    assert players(await client.look(BOARD)) == ["bob"]


async def test_a_key_publishes_only_where_its_pattern_reaches(start: Start) -> None:
    keys = [{"key": "da2-room-a", "role": "scorekeeper", "channels": ["/game/a", "/game/a/*"]}]
    server = await start(api_keys=keys)
    client = await server.client("da2-room-a")
    for channel in ("/game/a", "/game/a/x"):
        assert (await client.publish(channel, score("ann", 1)))["type"] == "publish_success"
    for channel in ("/game/b", "/game", "/game/ab", "/leaderboard/a"):
        refused = await client.publish(channel, score("ann", 1))
        assert error_types(refused) == ["UnauthorizedException"]


# -- retries -----------------------------------------------------------------------------------------------------------

TALLY = "/game/tally"
"""A board that adds up, so that a repeat which was applied again would show."""


async def test_a_repeat_is_acknowledged_and_not_applied_again(server: Server) -> None:
    client = await server.client()
    event = score("ann", 5, by="s1", n=1)
    first = await client.publish(TALLY, event)
    assert "duplicate" not in first["successful"][0]
    again = await client.publish(TALLY, event, results=True)
    assert again["type"] == "publish_success"
    assert again["successful"][0]["duplicate"] is True
    assert again["results"] == [{"player": "ann", "score": 5, "rank": 1, "version": 1}]
    assert (await client.look(TALLY))["rows"][0]["score"] == 5


async def test_a_repeat_within_one_batch_is_a_repeat(server: Server) -> None:
    client = await server.client()
    event = score("ann", 5, by="s1", n=1)
    answer = await client.publish(TALLY, event, event, score("bob", 1, by="s1", n=1))
    assert [item.get("duplicate", False) for item in answer["successful"]] == [False, True, False]
    assert (await client.look(TALLY))["rows"][0]["score"] == 5


async def test_a_repeat_is_known_after_a_new_connection_and_through_the_other_door(
    server: Server,
) -> None:
    event = score("ann", 5, by="s1", n=1)
    first = await server.client()
    await first.send(**first.publication(TALLY, event))
    await first.socket.close()  # before the answer came
    second = await server.client()
    answer = await second.publish(TALLY, event)
    assert answer["successful"][0]["duplicate"] is True
    http = await server.http(ADMIN)
    body = {"channel": TALLY, "events": [json.dumps(event)]}
    answer = (await http.post("/event", json=body)).json()
    assert answer["successful"][0]["duplicate"] is True
    assert (await second.look(TALLY))["rows"][0]["score"] == 5


async def test_a_reload_makes_a_new_sender_whose_numbers_begin_again(server: Server) -> None:
    client = await server.client()
    for by in ("before", "after", ""):
        for n in (1, 2):
            answer = await client.publish(TALLY, score("ann", 1, by=by, n=n))
            assert "duplicate" not in answer["successful"][0]
    assert (await client.look(TALLY))["rows"][0]["score"] == 6


async def test_numbers_may_come_out_of_order_within_the_window(server: Server) -> None:
    client = await server.client()
    for n in (40, 38, 39, 8):
        answer = await client.publish(TALLY, score("ann", 1, by="s1", n=n))
        assert "duplicate" not in answer["successful"][0]
    for n in (8, 38, 39, 40):
        answer = await client.publish(TALLY, score("ann", 1, by="s1", n=n))
        assert answer["successful"][0]["duplicate"] is True
    assert (await client.look(TALLY))["rows"][0]["score"] == 4


async def test_a_number_below_the_window_is_an_error_never_an_acknowledgement(
    server: Server,
) -> None:
    client = await server.client()
    await client.publish(TALLY, score("ann", 1, by="s1", n=40))
    answer = await client.publish(TALLY, score("ann", 1, by="s1", n=7))
    assert answer["type"] == "publish_error"
    assert error_types(answer) == ["TooOld"]
    assert (await client.look(TALLY))["rows"][0]["score"] == 1


async def test_a_number_is_used_up_only_by_an_event_that_was_applied(start: Start) -> None:
    server = await start(namespaces={"leaderboard": {"max_score": 10}})
    client = await server.client()
    refused = await client.publish(BOARD, score("ann", 11, by="s1", n=1))
    assert error_types(refused) == ["ScoreOutOfRange"]
    answer = await client.publish(BOARD, score("ann", 10, by="s1", n=1))
    assert "duplicate" not in answer["successful"][0]
    # without effect, but applied
    answer = await client.publish(BOARD, score("ann", 3, by="s1", n=2))
    answer = await client.publish(BOARD, score("ann", 3, by="s1", n=2))
    assert answer["successful"][0]["duplicate"] is True


async def test_without_a_number_each_event_counts(server: Server) -> None:
    client = await server.client()
    for _ in range(3):
        await client.publish(TALLY, score("ann", 1))
    assert (await client.look(TALLY))["rows"][0]["score"] == 3


async def test_an_event_for_another_round_is_refused(server: Server) -> None:
    client = await server.client()
    answer = await client.publish(TALLY, score("ann", 1, round=1), score("ann", 1, round=2))
    assert indexes(answer["successful"]) == [0]
    assert [(item["errorType"], item["code"]) for item in answer["failed"]] == [("WrongRound", 409)]


# -- order and rate ----------------------------------------------------------------------------------------------------


async def test_publishes_of_one_connection_are_applied_and_answered_in_order(start: Start) -> None:
    server = await start(
        limits={"publishes_per_second": 0}, namespaces={"leaderboard": {"mode": "latest"}}
    )
    client = await server.client()
    publications = [client.publication(BOARD, score("ann", n), results=True) for n in range(500)]
    for publication in publications:
        await client.send(**publication)
    for number, publication in enumerate(publications):
        answer = await client.receive()
        assert answer["id"] == publication["id"]
        assert answer["results"][0]["score"] == number
    assert (await client.look(BOARD))["rows"][0]["score"] == 499


async def test_the_publish_over_the_rate_is_refused_and_the_connection_goes_on(
    start: Start,
) -> None:
    server = await start()  # the default: AppSync's 25
    busy, other = await server.client(), await server.client()
    publications = [busy.publication(BOARD, score("ann", n)) for n in range(26)]
    for publication in publications:
        await busy.send(**publication)
    answers = [await busy.answer(publication["id"]) for publication in publications]
    assert [answer["type"] for answer in answers[:25]] == ["publish_success"] * 25
    assert answers[25]["type"] == "publish_error"
    assert error_types(answers[25]) == ["LimitExceededError"]
    assert await busy.alive()
    # the rate is the connection's own
    assert (await other.publish(BOARD, score("bob", 1)))["type"] == "publish_success"
    assert (await other.look(BOARD))["rows"][0]["score"] == 24


@pytest.mark.parametrize("mode", ["best", "latest", "sum"])
@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_modes_and_orders(start: Start, mode: str, order: str) -> None:
    server = await start(namespaces={"leaderboard": {"mode": mode, "order": order}})
    client = await server.client()
    for value in (5, 9, 2):
        await client.publish(BOARD, score("ann", value))
    await client.publish(BOARD, score("bob", 6))
    ann = {"best": {"desc": 9, "asc": 2}[order], "latest": 2, "sum": 16}[mode]
    ranking = [(row["player"], row["score"]) for row in (await client.look(BOARD))["rows"]]
    expected = sorted([("ann", ann), ("bob", 6)], key=lambda row: row[1], reverse=order == "desc")
    assert ranking == expected


async def test_what_comes_beside_a_good_credential_is_not_kept(server: Server) -> None:
    client = await server.client()
    marker = "beside-the-credential"
    authorization = {
        **client.authorization,
        marker: [["x" * 100_000]],
    }  # lists, so that the collector sees it
    answer = await client.publish(BOARD, score("ann", 1), authorization=authorization)
    assert answer["type"] == "publish_success"
    del authorization
    gc.collect()
    assert not [kept for kept in gc.get_objects() if isinstance(kept, dict) and marker in kept]
