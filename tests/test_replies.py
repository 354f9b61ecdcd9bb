"""What the server says, held against the protocol and against a plain encoder."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard import replies, snapshots
from leaderboard.board import Board
from leaderboard.errors import BadRequest, BoardFull, InternalFailure, Refusal, TooOld, Unauthorized
from leaderboard.events import Score
from leaderboard.ranking import View
from leaderboard.settings import MAX_SCORE, Namespace
from tests.texts import awkward, values

# -- replies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (replies.KEEP_ALIVE, {"type": "ka"}),
        (
            replies.connection_ack(300_000),
            {"type": "connection_ack", "connectionTimeoutMs": 300_000},
        ),
        (replies.success("subscribe", "a+b"), {"type": "subscribe_success", "id": "a+b"}),
        (replies.success("unsubscribe", "i"), {"type": "unsubscribe_success", "id": "i"}),
        (
            replies.error("publish_error", [Unauthorized(), BadRequest('"\\\n')], "i"),
            {
                "type": "publish_error",
                "id": "i",
                "errors": [
                    {
                        "errorType": "UnauthorizedException",
                        "message": "You are not authorized to make this call.",
                    },
                    {"errorType": "BadRequestException", "message": '"\\\n'},
                ],
            },
        ),
        (
            replies.error("error", [InternalFailure()]),
            {
                "type": "error",
                "errors": [
                    {
                        "errorType": "InternalFailure",
                        "message": "The server could not handle this request.",
                    }
                ],
            },
        ),
        (
            replies.publish_failed(
                "i", [replies.failed(0, TooOld("a")), replies.failed(1, BoardFull("b"))]
            ),
            {
                "type": "publish_error",
                "id": "i",
                "errors": [
                    {"errorType": "TooOld", "message": "a"},
                    {"errorType": "BoardFull", "message": "b"},
                ],
            },
        ),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_a_reply_is_what_the_protocol_says(frame: bytes, expected: dict[str, Any]) -> None:
    assert json.loads(frame) == expected


def test_the_answer_to_a_publish_tells_each_event_apart() -> None:
    published = replies.Published(
        successful=[replies.accepted(0), replies.accepted(2, duplicate=True)],
        failed=[replies.failed(1, BoardFull("full"))],
        results=[replies.Result("ann", 5, 1, 9), None, replies.Result("bob", None, None, 9)],
    )
    frame = json.loads(replies.publish_success("p", published))
    items = [*frame["successful"], *frame["failed"]]
    identifiers = {item.pop("identifier") for item in items}
    assert len(identifiers) == 3
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", i) for i in identifiers)
    assert frame == {
        "type": "publish_success",
        "id": "p",
        "successful": [{"index": 0}, {"index": 2, "duplicate": True}],
        "failed": [{"index": 1, "code": 409, "errorType": "BoardFull", "message": "full"}],
        "results": [
            {"player": "ann", "score": 5, "rank": 1, "version": 9},
            None,
            {"player": "bob", "score": None, "rank": None, "version": 9},
        ],
    }


def test_results_that_were_not_asked_for_are_not_there() -> None:
    frame = json.loads(replies.publish_success("p", replies.Published([replies.accepted(0)], [])))
    assert sorted(frame) == ["failed", "id", "successful", "type"]
    assert frame["failed"] == []


@given(text=values.map(json.dumps) | awkward, id=st.just("i"))
def test_a_relayed_event_arrives_as_it_was_sent(text: str, id: str) -> None:  # noqa: A002
    frame = replies.data_prefix(id) + replies.shared_event(text)
    assert json.loads(frame) == {"type": "data", "id": id, "event": text}
    assert frame == msgspec.json.encode({"type": "data", "id": id, "event": text})


def test_a_refusal_is_worded_from_itself() -> None:
    class Odd(Refusal):
        error_type = "Odd"
        status = 418

    item = replies.failed(4, Odd("why"))
    assert (item.index, item.code, item.errorType, item.message) == (4, 418, "Odd", "why")


# -- snapshots ---------------------------------------------------------------------------------------------------------

metas = st.none() | st.dictionaries(awkward, awkward | st.integers(-99, 99), max_size=3)
people = st.dictionaries(
    awkward.filter(bool),
    st.tuples(st.sampled_from([0.0, 1.0, 0.5, -1e-7, MAX_SCORE]), st.none() | awkward, metas),
    max_size=5,
)
ROUND = snapshots.Round(3, "open", frozen=False, props=msgspec.Raw(b'{"a":"\\""}'))


@given(
    people=people,
    view=st.builds(
        View,
        top=st.sampled_from([0, 2, 10]),
        around=st.none() | awkward,
        of=st.none() | st.tuples(awkward),
    ),
    id=st.from_regex(r"\A[a-zA-Z0-9\-_+]{1,128}\Z"),
    reset=st.booleans(),
    skipped=st.integers(0, 3),
)
def test_a_spliced_frame_is_the_one_that_a_plain_encoder_writes(
    people: dict[str, tuple[float, str | None, dict[str, Any] | None]],
    view: View,
    id: str,  # noqa: A002
    reset: bool,
    skipped: int,
) -> None:
    board = Board(Namespace(), epoch="e")
    for player, (score, name, meta) in people.items():
        text = None if meta is None else json.dumps(meta, ensure_ascii=False)
        board.apply([Score(player=player, score=score, name=name, meta=text)], now=0.0)
    window = board.view(view)
    body = snapshots.body("/a/b", "e", ROUND, window)
    live = snapshots.live(snapshots.Live(time=1763, watching=2, playing=1, ends_in_ms=9))
    own = snapshots.own(reset=reset, skipped=skipped)
    frame = b"".join(
        (
            snapshots.snapshot_prefix(id),
            replies.escape(own),
            snapshots.shared(body, live),
        )
    )

    data = json.loads(frame)
    assert frame == msgspec.json.encode({"type": "data", "id": id, "event": data["event"]})
    expected: dict[str, Any] = {
        "type": "snapshot",
        "channel": "/a/b",
        "epoch": "e",
        "version": board.version,
        "round": {"number": 3, "state": "open", "frozen": False, "props": {"a": '"'}},
        "total": len(people),
        "time": 1763,
        "watching": 2,
        "playing": 1,
        "ends_in_ms": 9,
    }
    expected |= {"reset": True} if reset else {}
    expected |= {"skipped": skipped} if skipped else {}
    for list_name in ("rows", "around", "of"):
        rows = getattr(window, list_name)
        if rows is not None:
            expected[list_name] = [plain_row(row, people) for row in rows]
    assert json.loads(data["event"]) == expected
    assert json.loads(snapshots.snapshot(body, live)) == {
        name: value for name, value in expected.items() if name not in ("reset", "skipped")
    }


def plain_row(row: Any, people: dict[str, tuple[float, str | None, dict[str, Any] | None]]) -> Any:
    """A row as a plain encoder would take it; name and meta as they were published."""
    score, name, meta = people[row.player]
    members = {
        "rank": row.rank,
        "position": row.position,
        "player": row.player,
        "name": name,
        "score": score,
        "meta": meta,
        "percentile": row.percentile,
    }
    return {member: value for member, value in members.items() if value is not None}


def test_own_members_are_there_only_where_they_apply() -> None:
    assert snapshots.own(reset=False, skipped=0) == ""
