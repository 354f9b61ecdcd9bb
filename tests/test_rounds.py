"""Rounds as everybody sees them: when scores count, who is told of it, and what is kept of those that are past."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.appsync import error_types, players
from tests.conftest import HOST, SCOREKEEPER, VIEWER, Server, Start
from tests.hosting import Deciding, by_either_way, op, reading, refusals, score

BOARD = "/leaderboard/arcade"


async def test_a_board_that_nobody_opened_or_closed_takes_scores(server: Server) -> None:
    keeper = await server.client(SCOREKEEPER)
    await keeper.publish(BOARD, score("ann", 1))
    snapshot = await keeper.look(BOARD)
    assert snapshot["round"] == {"number": 1, "state": "open", "frozen": False, "props": {}}
    assert "starts_in_ms" not in snapshot
    assert "ends_in_ms" not in snapshot


async def test_scores_count_while_the_round_is_open_and_late_ones_are_told_why_not(
    server: Server,
) -> None:
    host, keeper = Deciding(server, BOARD), await server.client(SCOREKEEPER)

    async def refused() -> tuple[list[str], str]:
        answer = await keeper.publish(BOARD, score("ann", 9))
        return error_types(answer), answer["errors"][0]["message"]

    await host.done(op("open", in_ms=59_500))
    assert await refused() == (["RoundClosed"], "round 1 begins in 60 s")
    await host.done(op("open"))
    assert (await keeper.publish(BOARD, score("ann", 1)))["type"] == "publish_success"
    await host.done(op("close"))
    assert await refused() == (["RoundClosed"], "round 1 takes no scores: it is closed")
    await host.done(op("clear"))
    assert (await refused())[1] == "round 2 takes no scores: it is closed"
    assert (await keeper.look(BOARD))["rows"] == []
    await host.done(op("open"))
    assert (await keeper.publish(BOARD, score("ann", 2)))["type"] == "publish_success"


async def test_a_score_for_another_round_is_refused(server: Server) -> None:
    keeper = await server.client(SCOREKEEPER)
    await keeper.publish(BOARD, score("ann", 1, round=1))
    await Deciding(server, BOARD).done(op("clear"))
    answer = await keeper.publish(BOARD, score("ann", 2, round=1))
    assert error_types(answer) == ["WrongRound"]
    assert answer["errors"][0]["message"] == "this is round 2, not 1"
    await keeper.publish(BOARD, score("ann", 2, round=2))
    assert (await keeper.look(BOARD))["total"] == 1


async def test_what_was_acknowledged_is_so_again_when_the_round_is_over(server: Server) -> None:
    keeper, host = await server.client(SCOREKEEPER), Deciding(server, BOARD)
    sent = score("ann", 1, by="phone", n=1)
    await keeper.publish(BOARD, sent)
    await host.done(op("close"))
    answer = await keeper.publish(BOARD, sent)
    assert [each.get("duplicate") for each in answer["successful"]] == [True]
    assert refusals(await keeper.publish(BOARD, score("ann", 1, by="phone", n=2))) == [
        "RoundClosed"
    ]
    await host.done(op("clear"), op("open"))
    answer = await keeper.publish(BOARD, sent)
    assert [each.get("duplicate") for each in answer["successful"]] == [True]
    assert (await keeper.look(BOARD))["rows"] == [], "and does not count in the next one"


# -- the clock ---------------------------------------------------------------------------------------------------------


@by_either_way
async def test_all_who_watch_are_told_of_a_round_that_begins_and_ends_by_itself(
    server: Server, way: str
) -> None:
    client = await server.client(VIEWER)
    exact, below = await client.subscribe(BOARD), await client.subscribe("/leaderboard/*")
    await Deciding(server, BOARD, way).done(op("open", in_ms=300, for_ms=300))
    for subscription in (exact, below):
        soon = await client.until(subscription, reading("soon"))
        assert soon["starts_in_ms"] <= 300
        assert soon["starts_in_ms"] + 300 == soon["ends_in_ms"]
        opened = await client.until(subscription, reading("open"))
        assert "starts_in_ms" not in opened
        assert opened["time"] >= soon["time"] + soon["starts_in_ms"] - 1, "not before its time"
        closed = await client.until(subscription, reading("closed"))
        assert "ends_in_ms" not in closed
        assert closed["time"] >= opened["time"] + opened["ends_in_ms"] - 1
        assert [soon["version"], opened["version"], closed["version"]] == [1, 2, 3]


async def test_an_end_is_told_when_it_comes_and_not_on_the_next_beat(start: Start) -> None:
    server = await start(namespaces={"leaderboard": {"interval_ms": 500}})
    host = await server.client(HOST)
    subscription = await host.subscribe(BOARD)
    late = []
    for _ in range(4):
        await host.publish(BOARD, op("open", for_ms=1010))
        opened = await host.until(subscription, lambda each: "ends_in_ms" in each)
        closed = await host.until(subscription, reading("closed"))
        late.append(closed["time"] - opened["time"] - opened["ends_in_ms"])
    assert sorted(late)[2] < 100, f"three of four: {late}"


async def test_a_wildcard_is_told_of_a_round_that_began_before_it_came(server: Server) -> None:
    await Deciding(server, BOARD).done(op("open", for_ms=400))
    client = await server.client(VIEWER)
    below = await client.subscribe("/leaderboard/*")
    await client.until(below, reading("open"))
    assert (await client.until(below, reading("closed")))["version"] == 2


async def test_a_round_that_is_opened_again_ends_when_it_was_said_last(server: Server) -> None:
    client, host = await server.client(VIEWER), Deciding(server, BOARD)
    subscription = await client.subscribe(BOARD)
    await host.done(op("open", for_ms=60_000), op("open", for_ms=200))
    closed = await client.until(subscription, reading("closed"))
    assert closed["version"] == 3
    await host.done(op("open", for_ms=200), op("open"))
    await client.until(subscription, lambda each: "ends_in_ms" not in each)
    await host.done(op("props", props={"public": 1}))
    last = await client.until(subscription, lambda each: each["round"]["props"] == 1)
    assert (last["round"]["state"], last["version"]) == ("open", 6), "the clock has done nothing"


async def test_a_round_that_ends_while_nobody_looks_ends_at_the_right_score(
    start: Start,
) -> None:
    server = await start(limits={"publishes_per_second": 0})
    host, keeper = Deciding(server, BOARD), await server.client(SCOREKEEPER)
    await host.done(op("open", for_ms=300))
    counted = 0
    while (await keeper.publish(BOARD, score("ann", counted + 1)))["type"] == "publish_success":
        counted += 1
    for late in range(20):
        answer = await keeper.publish(BOARD, score("ann", counted + 2 + late))
        assert error_types(answer) == ["RoundClosed"]
    snapshot = (await (await server.http()).get(f"/api/boards{BOARD}")).json()
    assert (snapshot["round"]["state"], snapshot["rows"][0]["score"]) == ("closed", counted)
    assert snapshot["version"] == 1 + counted + 1


async def test_time_runs_on_for_whoever_comes_later_and_is_in_every_snapshot(
    server: Server,
) -> None:
    host, client = Deciding(server, BOARD), await server.client(HOST)
    http = await server.http()
    first = await client.subscribe(BOARD)
    await host.done(op("open", in_ms=60_000, for_ms=30_000))
    told = await client.until(first, reading("soon"))
    begins, ends = told["time"] + told["starts_in_ms"], told["time"] + told["ends_in_ms"]
    assert ends - begins == 30_000
    left = told["starts_in_ms"]
    for version in (2, 3, 4):
        await host.done(op("props", props={"public": version}))
        await client.snapshot(first, version=version)
        later = [
            await client.look(BOARD),
            await client.look(BOARD, around="ann"),
            await client.look(BOARD, of=["ann"]),
            await (await server.client(VIEWER)).look("/leaderboard/*"),
            (await http.get(f"/api/boards{BOARD}")).json(),
        ]
        for snapshot in later:
            assert snapshot["time"] + snapshot["starts_in_ms"] == pytest.approx(begins, abs=5)
            assert snapshot["time"] + snapshot["ends_in_ms"] == pytest.approx(ends, abs=5)
            assert snapshot["starts_in_ms"] <= left
        left = later[-1]["starts_in_ms"]


# -- past rounds -------------------------------------------------------------------------------------------------------


async def test_the_last_ten_rounds_can_be_read_and_exported(server: Server) -> None:
    host, keeper = Deciding(server, BOARD), await server.client(SCOREKEEPER)
    http = await server.http()
    for number in range(1, 13):
        await keeper.publish(BOARD, score("ann", number), score(f"p{number}", 50, name="P"))
        await host.done(op("clear"))
    await keeper.publish(BOARD, score("now", 1))
    for number in (3, 12):
        url = f"/api/boards{BOARD}"
        past = (await http.get(url, params={"round": number})).json()
        assert past["round"] == {"number": number, "state": "closed", "frozen": False, "props": {}}
        assert [(row["player"], row["score"]) for row in past["rows"]] == [
            (f"p{number}", 50),
            ("ann", number),
        ]
        assert (past["total"], past["epoch"]) == (2, (await keeper.look(BOARD))["epoch"])
        around = (await http.get(url, params={"round": number, "around": "ann"})).json()
        assert players({"rows": around["around"]}) == [f"p{number}", "ann"]
        answer = await http.get(f"{url}.csv", params={"round": number})
        lines = list(csv.DictReader(io.StringIO(answer.text)))
        assert [(line["rank"], line["player"]) for line in lines] == [
            ("1", f"p{number}"),
            ("2", "ann"),
        ]
        assert f"arcade-{number}.csv" in answer.headers["content-disposition"]
        answer = await http.get(f"{url}.jsonl", params={"round": number})
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert rows == past["rows"]
    present = (await http.get(f"/api/boards{BOARD}", params={"round": 13})).json()
    assert (present["round"]["state"], players(present)) == ("open", ["now"])


@pytest.mark.parametrize("form", ["", ".csv", ".jsonl"])
async def test_a_round_that_is_not_kept_is_not_found(server: Server, form: str) -> None:
    host, http = Deciding(server, BOARD), await server.http()
    await host.done(*[op("clear")] * 11)
    for number in (1, 13, 2**53 - 1):
        answer = await http.get(f"/api/boards{BOARD}{form}", params={"round": number})
        assert (answer.status_code, error_types(answer.json())) == (404, ["ResourceNotFound"])
        assert str(number) in answer.json()["message"]
    assert (await http.get(f"/api/boards{BOARD}{form}", params={"round": 2})).is_success
    for text in ("0", "-1", "x", str(2**53)):
        answer = await http.get(f"/api/boards{BOARD}{form}", params={"round": text})
        assert answer.status_code == 400


async def test_a_past_round_has_nothing_of_the_present_ones_clock(server: Server) -> None:
    host, http = Deciding(server, BOARD), await server.http()
    await host.done(op("clear"), op("open", for_ms=60_000), op("freeze"))
    past = (await http.get(f"/api/boards{BOARD}", params={"round": 1})).json()
    assert past["round"]["state"] == "closed"
    assert "ends_in_ms" not in past
    await host.done(op("open", in_ms=60_000))
    past = (await http.get(f"/api/boards{BOARD}", params={"round": 1})).json()
    assert "starts_in_ms" not in past


async def test_a_past_round_is_sent_again_only_when_it_has_changed(server: Server) -> None:
    host, http = Deciding(server, BOARD), await server.http()
    await host.done(score("ann", 1), score("bob", 2), op("clear"))
    first = await http.get(f"/api/boards{BOARD}?round=1")
    condition = {"if-none-match": first.headers["etag"]}
    await host.done(score("ann", 5))
    again = await http.get(f"/api/boards{BOARD}?round=1", headers=condition)
    assert again.status_code == 304
    await host.done(op("hide", player="bob"))
    again = await http.get(f"/api/boards{BOARD}?round=1", headers=condition)
    assert (again.status_code, players(again.json())) == (200, ["ann"])
