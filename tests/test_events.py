"""What comes for a board: every text becomes an event of it, or is refused with the reason."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.errors import InvalidEvent, ScoreOutOfRange
from leaderboard.events import (
    MAX_META_BYTES,
    Event,
    Remove,
    Score,
    decode_any_event,
    decode_board_event,
)
from leaderboard.names import MAX_NAME, clean_name
from leaderboard.settings import MAX_SCORE
from tests.texts import object_text, values


def event(**members: Any) -> str:
    return json.dumps({"player": "ann", "score": 1, **members})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"player":"ann","score":120}', Score(player="ann", score=120.0)),
        ('{"id":"abc123","score":7}', Score(player="abc123", score=7.0)),
        ('{"id":"x","player":"ann","score":7}', Score(player="ann", score=7.0)),
        ('{"player":"ann","score":-0.5,"op":"score"}', Score(player="ann", score=-0.5)),
        ('{"player":"ann","score":1e3}', Score(player="ann", score=1000.0)),
        (event(score=2**53 - 1), Score(player="ann", score=MAX_SCORE)),
        (event(score=-(2**53) + 1), Score(player="ann", score=-MAX_SCORE)),
        (event(name=" Ann\u202e "), Score(player="ann", score=1.0, name="Ann")),
        (event(name=None, meta=None, n=None), Score(player="ann", score=1.0)),
        (event(name="x" * 64), Score(player="ann", score=1.0, name="x" * 64)),
        (event(name="\u200b" * 600 + "x"), Score(player="ann", score=1.0, name="x")),
        (
            event(meta={"b": 1, "a": {"d": [], "c": "é"}}),
            Score(player="ann", score=1.0, meta='{"a":{"c":"é","d":[]},"b":1}'),
        ),
        (event(by="aZ_-9", n=1), Score(player="ann", score=1.0, by="aZ_-9", n=1)),
        (event(n=2**53 - 1), Score(player="ann", score=1.0, n=2**53 - 1)),
        (event(round=3), Score(player="ann", score=1.0, round=3)),
        (event(color="red", op="score"), Score(player="ann", score=1.0)),
        (event(player="a" * 128), Score(player="a" * 128, score=1.0)),
        ('{"op":"remove","player":"ann"}', Remove("ann")),
        ('{"op":"remove","id":"ann","score":1}', Remove("ann")),
    ],
)
def test_an_event_of_a_board(text: str, expected: Event) -> None:
    assert decode_board_event(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "JSON is incomplete, or has a lone surrogate"),
        ("null", "Expected `object`, got `null`"),
        ("[1]", "Expected `object`, got `array`"),
        ("12", "Expected `object`, got `int`"),
        ("{'player':1}", None),
        ("{}", "player is missing or empty"),
        ('{"score":1}', "player is missing or empty"),
        (event(player=""), "player is missing or empty"),
        (event(player="", id="ann"), "player is missing or empty"),
        (event(player=5), "Expected `str | null`, got `int` - at `player`"),
        (event(player="a" * 129), "player has more than 128 characters"),
        (event(player="a\x00"), "player has a control character"),
        (event(player="a\n"), "player has a control character"),
        ('{"player":"\\ud800","score":1}', None),
        ('{"player":"ann"}', "score is missing"),
        (event(score=None), "Expected `float`, got `null` - at `score`"),
        (event(score="12"), "Expected `float`, got `str` - at `score`"),
        (event(score=True), "Expected `float`, got `bool` - at `score`"),
        ('{"player":"ann","score":NaN}', None),
        ('{"player":"ann","score":Infinity}', None),
        ('{"player":"ann","score":1e400}', "Number out of range - at `score`"),
        ('{"player":"ann","score":01}', None),
        (event(name=""), "name must have 1 to 64 visible characters"),
        (event(name=" \u200b\u3164"), "name must have 1 to 64 visible characters"),
        (event(name="x" * 65), "name must have 1 to 64 visible characters"),
        (event(name="x" * 200_000), "name must have 1 to 64 visible characters"),
        (event(name=5), "Expected `str | null`, got `int` - at `name`"),
        (event(meta=[]), "Expected `object | null`, got `array` - at `meta`"),
        (event(meta="{}"), "Expected `object | null`, got `str` - at `meta`"),
        (event(meta={"a": "x" * 1017}), "meta has 1025 bytes of canonical JSON, 1024 at most"),
        (event(meta={"a": "é" * 509}), "meta has 1026 bytes of canonical JSON, 1024 at most"),
        (
            '{"player":"ann","score":1,"meta":' + '{"a":' * 5000 + "1" + "}" * 5001,
            "nested too deeply",
        ),
        (event(by="a b"), None),
        (event(by="a\n"), None),
        (event(by="a" * 33), None),
        (event(n=0), "Expected `int` >= 1 - at `n`"),
        (event(n=2**53), "Expected `int` <= 9007199254740991 - at `n`"),
        (event(n="1"), "Expected `int | null`, got `str` - at `n`"),
        (event(n=1.5), "Expected `int | null`, got `float` - at `n`"),
        (event(round=0), "Expected `int` >= 1 - at `round`"),
        (event(round=2**53), "Expected `int` <= 9007199254740991 - at `round`"),
        (event(op="zap"), "op 'zap' is not one that a board knows"),
        (event(op="x" * 1000), f"op '{'x' * 40}' is not one that a board knows"),
        (event(op=None), "Expected `str`, got `null` - at `op`"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_what_is_no_event_of_a_board_is_told_why(text: str, reason: str | None) -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode_board_event(text)
    assert reason is None or caught.value.message == reason


@pytest.mark.parametrize("score", [2**53, -(2**53), 1e16, 1e308])
def test_a_score_beyond_exact_numbers_is_out_of_range(score: float) -> None:
    with pytest.raises(ScoreOutOfRange):
        decode_board_event(event(score=score))


def test_meta_may_fill_its_kibibyte() -> None:
    score = decode_board_event(event(meta={"a": "x" * 1016}))
    assert isinstance(score, Score)
    assert score.meta is not None
    assert len(score.meta) == MAX_META_BYTES


@given(st.dictionaries(st.text(max_size=5), st.integers(-9, 9), max_size=6), st.randoms())
def test_equal_meta_is_equal_text(meta: dict[str, int], random: Any) -> None:
    shuffled = list(meta.items())
    random.shuffle(shuffled)
    one, other = (
        decode_board_event(event(meta=meta)),
        decode_board_event(event(meta=dict(shuffled))),
    )
    assert one == other


@pytest.mark.parametrize("text", ["", "{", "{'a':1}", "NaN", "1 2", '"\\ud800"', "[" * 5000])
def test_what_is_no_json_is_not_relayed(text: str) -> None:
    with pytest.raises(InvalidEvent):
        decode_any_event(text)


@pytest.mark.parametrize("text", ["null", "1", '"x"', "[]", ' {"a":1} ', "9" * 300])
def test_any_json_value_is_relayed(text: str) -> None:
    decode_any_event(text)


board_events = st.text() | object_text(
    {
        "op": st.sampled_from(["score", "remove", "open"]),
        "player": st.text(max_size=130),
        "id": st.text(max_size=5),
        "score": st.integers() | st.floats(),
        "name": st.text(max_size=70),
        "meta": st.dictionaries(st.text(max_size=20), values, max_size=30),
        "by": st.text("abc-_ ", max_size=34),
        "n": st.integers(-1, 2**53),
        "round": st.integers(-1, 2**53),
    }
)


@given(board_events)
def test_any_text_is_a_board_event_or_refused(text: str) -> None:
    try:
        event = decode_board_event(text)
    except (InvalidEvent, ScoreOutOfRange) as refusal:
        assert refusal.message  # noqa: PT017
        assert len(refusal.message) < 500  # noqa: PT017
        return
    if not isinstance(event, Score):
        return
    assert 1 <= len(event.player) <= 128
    assert -MAX_SCORE <= event.score <= MAX_SCORE
    if event.name is not None:
        assert 1 <= len(event.name) <= MAX_NAME
        assert clean_name(event.name) == event.name
    if event.meta is not None:
        assert isinstance(json.loads(event.meta), dict)
        assert len(event.meta.encode()) <= MAX_META_BYTES
    assert re.fullmatch(r"[A-Za-z0-9_-]{0,32}", event.by)
    assert event.n is None or 1 <= event.n < 2**53
    assert event.round is None or 1 <= event.round < 2**53


@given(st.text() | values.map(json.dumps))
def test_any_text_is_json_to_relay_or_refused(text: str) -> None:
    try:
        decode_any_event(text)
    except InvalidEvent:
        return
    json.loads(text)
