"""The WebSocket door, end to end."""

from __future__ import annotations

from tests.conftest import Server


async def test_a_score_comes_back_as_a_snapshot(server: Server) -> None:
    client = await server.client()
    board = await client.subscribe("/leaderboard/arcade")
    assert (await client.snapshot(board))["rows"] == []
    reply = await client.publish("/leaderboard/arcade", {"player": "ann", "score": 12})
    assert [item["index"] for item in reply["successful"]] == [0]
    snapshot = await client.snapshot(board)
    assert snapshot["rows"] == [{"rank": 1, "position": 1, "player": "ann", "score": 12}]


async def test_drain(server: Server) -> None:
    client = await server.client()
    await server.stop()
    assert await client.closed() == 1012
