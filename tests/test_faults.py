"""When the server itself is at fault: one answer, nothing else lost. The engine is made to break for one board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leaderboard.engines.memory import MemoryEngine
from tests.appsync import error_types
from tests.conftest import ADMIN, Server

BROKEN, SOUND = "/leaderboard/broken", "/leaderboard/sound"
EVENT = {"player": "ann", "score": 1}

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """A fault is logged with its traceback; it need not fill the test's output."""
    caplog.set_level("CRITICAL")


class Fault(Exception):
    """What a bug raises."""


def breaks(
    monkeypatch: pytest.MonkeyPatch, name: str, *, after: bool = False
) -> Callable[[], None]:
    """Make a method of the engine raise for the broken board, before or ``after`` its work; undone by the answer."""
    works = getattr(MemoryEngine, name)

    def broken(self: MemoryEngine, subject: Any, *rest: Any) -> None:
        at_fault = getattr(subject, "channel", subject) == BROKEN
        if after or not at_fault:
            works(self, subject, *rest)
        if at_fault:
            raise Fault

    monkeypatch.setattr(MemoryEngine, name, broken)
    return lambda: monkeypatch.setattr(MemoryEngine, name, works)


async def test_a_publish_that_meets_a_fault_is_answered_and_the_connection_goes_on(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks(monkeypatch, "apply")
    client = await server.client()
    answer = await client.publish(BROKEN, EVENT)
    assert answer["type"] == "publish_error"
    assert error_types(answer) == ["InternalFailure"]
    assert "Fault" not in answer["errors"][0]["message"]
    assert (await client.publish(SOUND, EVENT))["type"] == "publish_success"


async def test_faults_do_not_use_a_connection_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # more than the publishes that may be unanswered before a connection is not read from
    monkeypatch.setattr("leaderboard.session.UNANSWERED", 5)
    breaks(monkeypatch, "apply")
    client = await server.client()
    for _ in range(10):
        assert error_types(await client.publish(BROKEN, EVENT)) == ["InternalFailure"]


async def test_a_publish_is_answered_once_even_if_the_fault_comes_after_the_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.session.UNANSWERED", 5)
    breaks(monkeypatch, "apply", after=True)
    client = await server.client()
    for number in range(10):
        answer = await client.publish(BROKEN, EVENT, id=f"p{number}")
        assert answer["type"] == "publish_success", "it was applied"
    assert await client.alive()
    assert client.frames == []


async def test_http_is_answered_with_500(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for method in ("apply", "read"):
        breaks(monkeypatch, method)
    http = await server.http(ADMIN)
    body = {"channel": BROKEN, "events": ["{}", '{"player":"ann","score":1}']}
    for answer in (await http.post("/event", json=body), await http.get(f"/api/boards{BROKEN}")):
        assert answer.status_code == 500
        assert answer.headers["x-amzn-errortype"] == "InternalFailure"
        assert "Fault" not in answer.text
    assert (await http.get(f"/api/boards{SOUND}")).status_code == 200


async def test_a_reading_that_fails_leaves_other_boards_alone_and_is_made_up_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher, watcher = await server.client(), await server.client()
    ids = {channel: await watcher.subscribe(channel) for channel in (BROKEN, SOUND)}
    below = await watcher.subscribe("/leaderboard/*")
    for id_ in ids.values():
        await watcher.snapshot(id_)
    mend = breaks(monkeypatch, "read")
    for score in (1, 2, 3):
        for channel in (BROKEN, SOUND, BROKEN):
            event = {"player": "ann", "score": score}
            assert (await publisher.publish(channel, event))["type"] == "publish_success"
        await watcher.snapshot(ids[SOUND], version=score)
        await watcher.snapshot(below, channel=SOUND, version=score)
    mend()
    await publisher.publish(BROKEN, {"player": "ann", "score": 4})
    await watcher.snapshot(ids[BROKEN], version=4)
    await watcher.snapshot(below, channel=BROKEN, version=4)
    assert await watcher.alive()


async def test_a_subscribe_that_meets_a_fault_keeps_its_success_and_follows_the_board(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await server.client()
    mend = breaks(monkeypatch, "read")
    await client.subscribe(BROKEN, id="s1")
    mend()
    await client.publish(BROKEN, EVENT)
    await client.snapshot("s1", total=1)
    await client.unsubscribe("s1")
    assert [frame["type"] for frame in client.frames if frame["type"] != "data"] == []
