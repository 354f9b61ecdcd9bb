"""What is full refuses what is new, keeps what it has, and says so."""

from __future__ import annotations

from tests.appsync import error_types
from tests.conftest import Start
from tests.witness import BOARD, first_error, nobody_else_notices


async def test_a_full_board_refuses_new_players_and_keeps_all_it_has(start: Start) -> None:
    small = {"leaderboard": {"max_entries": 2}}
    server = await start(namespaces=small)
    async with nobody_else_notices(server) as client:
        full = "/leaderboard/full"
        await client.publish(full, {"player": "a", "score": 1}, {"player": "b", "score": 2})
        answer = await client.publish(
            full, {"player": "c", "score": 99}, {"player": "a", "score": 3}
        )
        assert [item["errorType"] for item in answer["failed"]] == ["BoardFull"]
        rows = (await client.look(full))["rows"]
        assert [(row["player"], row["score"]) for row in rows] == [("a", 3), ("b", 2)]


async def test_a_full_server_refuses_new_entries_on_any_board(start: Start) -> None:
    server = await start(limits={"entries": 2})
    async with nobody_else_notices(server) as client:
        await client.publish("/leaderboard/b", {"player": "b", "score": 1})
        answer = await client.publish("/leaderboard/c", {"player": "c", "score": 1})
        assert error_types(answer) == ["BoardFull"]


async def test_one_board_too_many_is_refused_by_the_default_ceiling_of_10_000(start: Start) -> None:
    server = await start(limits={"publishes_per_second": 0})
    async with nobody_else_notices(server) as client:
        for number in range(9_999):  # and the witness' own
            await client.send(
                type="publish",
                id=f"b{number}",
                channel=f"/leaderboard/board-{number}",
                events=['{"player":"x","score":1}'],
                authorization=client.authorization,
            )
            answer = await client.receive()
            assert answer["type"] == "publish_success"
        answer = await client.publish("/leaderboard/one-more", {"player": "x", "score": 1})
        assert first_error(answer) == "LimitExceededError"
        assert "10000" in answer["errors"][0]["message"]


async def test_the_1001st_personal_view_of_a_board_is_refused(start: Start) -> None:
    server = await start(limits={"subscriptions_per_connection": 1001})
    async with nobody_else_notices(server) as client:
        for number in range(1000):
            await client.subscribe(BOARD, id=f"s{number}", view={"around": f"p{number}"})
        await client.send(
            type="subscribe",
            id="one-more",
            channel=BOARD,
            view={"around": "p1000"},
            authorization=client.authorization,
        )
        answer = await client.expect("subscribe_error", id="one-more")
        assert first_error(answer) == "LimitExceededError"
