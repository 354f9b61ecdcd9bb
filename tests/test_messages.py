"""The wire, both ways: every malformed frame gets its answer, every frame sent is what a plain encoder would write."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard import messages
from leaderboard.board import Board
from leaderboard.errors import (
    BadRequest,
    BoardFull,
    InternalFailure,
    InvalidEvent,
    InvalidInput,
    Refusal,
    ScoreOutOfRange,
    TooOld,
    Unauthorized,
)
from leaderboard.events import Event, Remove, Score
from leaderboard.messages import (
    MAX_EVENT_BYTES,
    MAX_META_BYTES,
    ConnectionInit,
    HttpPublish,
    Malformed,
    Publish,
    Subscribe,
    Unsubscribe,
    ViewSpec,
    decode,
    decode_board_event,
)
from leaderboard.names import MAX_NAME, clean_name
from leaderboard.ranking import View
from leaderboard.settings import MAX_SCORE, Namespace

# -- frames that are messages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type":"connection_init"}', ConnectionInit()),
        ('{"type":"connection_init","payload":{"x":[1]},"id":4}', ConnectionInit()),
        ('{"type":"unsubscribe","id":"a-b_+9"}', Unsubscribe("a-b_+9")),
        ('{"channel":"/a","id":"i","type":"subscribe"}', Subscribe("i", "/a")),
        (
            '{"type":"subscribe","id":"i","channel":"*","authorization":{"x-api-key":"k","host":"h"}}',
            Subscribe("i", "*", {"x-api-key": "k", "host": "h"}),
        ),
        (
            '{"type":"subscribe","id":"i","channel":"/a","view":"events"}',
            Subscribe("i", "/a", view="events"),
        ),
        (
            '{"type":"subscribe","id":"i","channel":"/a","view":null,"authorization":null}',
            Subscribe("i", "/a"),
        ),
        (
            '{"type":"subscribe","id":"i","channel":"/a","view":{"top":25,"around":"ann","radius":0,"every":10,"since":"e.5"}}',
            Subscribe(
                "i", "/a", view=ViewSpec(top=25, around="ann", radius=0, every=10, since="e.5")
            ),
        ),
        (
            '{"type":"publish","id":"p","channel":"/a","events":["1"],"results":true,"payload":{"events":["1"]}}',
            Publish("p", "/a", ["1"], results=True),
        ),
        (
            f'{{"type":"publish","id":"{"i" * 128}","channel":"/a","events":["1"]}} \n',
            Publish("i" * 128, "/a", ["1"]),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, msgspec.Struct) else "",
)
def test_a_frame_becomes_a_message(text: str, message: messages.Message) -> None:
    assert decode(text) == message


@pytest.mark.parametrize(
    ("spec", "view"),
    [
        (ViewSpec(), View(top=7)),
        (ViewSpec(radius=9), View(top=7)),
        (ViewSpec(every=5, since="e.1"), View(top=7)),
        (ViewSpec(top=3), View(top=3)),
        (ViewSpec(around="ann"), View(around="ann", radius=2)),
        (ViewSpec(around="ann", radius=0, top=3), View(top=3, around="ann", radius=0)),
        (ViewSpec(of=["bob", "ann", "bob"]), View(of=("ann", "bob"))),
    ],
)
def test_views_that_show_the_same_are_the_same(spec: ViewSpec, view: View) -> None:
    assert spec.view(default_top=7) == view


# -- frames that are not -----------------------------------------------------------------------------------------------

BAD, UNSUPPORTED = "BadRequestException", "UnsupportedOperation"
LONG = "i" * 129


def subscribe(**members: Any) -> str:
    return json.dumps({"type": "subscribe", "id": "i", "channel": "/a", **members})


def publish(**members: Any) -> str:
    return json.dumps({"type": "publish", "id": "p", "channel": "/a", "events": ["1"], **members})


MALFORMED = [
    # what is no JSON object: nobody to answer to
    ("", "error", None, BAD),
    (" ", "error", None, BAD),
    ("{", "error", None, BAD),
    ("null", "error", None, BAD),
    ("[]", "error", None, BAD),
    ('"publish"', "error", None, BAD),
    ("1", "error", None, BAD),
    ("true", "error", None, BAD),
    ("{}x", "error", None, BAD),
    ('{"type":"publish","id":"p"', "error", None, BAD),
    ("{'type':'publish'}", "error", None, BAD),
    ("\ufeff{}", "error", None, BAD),
    ("\ud800", "error", None, BAD),
    ('{"type":"publish","id":"\\ud800"}', "error", None, BAD),
    ("[" * 100_000, "error", None, BAD),
    ('{"type":"publish","id":"p","a":' + "[" * 100_000, "error", None, BAD),
    # no type, or none that there is
    ("{}", "error", None, BAD),
    ('{"id":"x"}', "error", "x", BAD),
    ('{"type":null,"id":"x"}', "error", "x", BAD),
    ('{"type":1,"id":"x"}', "error", "x", BAD),
    ('{"type":["publish"],"id":"x"}', "error", "x", BAD),
    ('{"type":"zzz"}', "error", None, UNSUPPORTED),
    ('{"type":"zzz","id":"x"}', "error", "x", UNSUPPORTED),
    ('{"type":"zzz","id":"an id of another kind"}', "error", "an id of another kind", UNSUPPORTED),
    ('{"type":"zzz","id":5}', "error", None, UNSUPPORTED),
    (json.dumps({"type": "zzz", "id": LONG}), "error", None, UNSUPPORTED),
    ('{"type":"","id":"x"}', "error", "x", UNSUPPORTED),
    ('{"type":"PUBLISH","id":"x"}', "error", "x", UNSUPPORTED),
    ('{"type":"publish ","id":"x"}', "error", "x", UNSUPPORTED),
    ('{"type":"connection_ack"}', "error", None, UNSUPPORTED),
    # ids: told back where it is one that a client can have sent on purpose
    (subscribe(id=None), "error", None, BAD),
    (subscribe(id=5), "error", None, BAD),
    (subscribe(id={}), "error", None, BAD),
    (subscribe(id=LONG), "error", None, BAD),
    (subscribe(id=""), "subscribe_error", "", BAD),
    (subscribe(id="a b"), "subscribe_error", "a b", BAD),
    (subscribe(id="é"), "subscribe_error", "é", BAD),
    (subscribe(id="i\n"), "subscribe_error", "i\n", BAD),
    (publish(id="i\n"), "publish_error", "i\n", BAD),
    (publish(id=None), "error", None, BAD),
    ('{"type":"unsubscribe"}', "error", None, BAD),
    ('{"type":"unsubscribe","id":"\\n"}', "unsubscribe_error", "\n", BAD),
    ('{"type":"publish","channel":"/a","events":["1"]}', "error", None, BAD),
    # members
    ('{"type":"subscribe","id":"i"}', "subscribe_error", "i", BAD),
    (subscribe(channel=None), "subscribe_error", "i", BAD),
    (subscribe(channel=["/a"]), "subscribe_error", "i", BAD),
    (subscribe(authorization="k"), "subscribe_error", "i", BAD),
    (subscribe(authorization=[]), "subscribe_error", "i", BAD),
    ('{"type":"publish","id":"p","events":["1"]}', "publish_error", "p", BAD),
    ('{"type":"publish","id":"p","channel":"/a"}', "publish_error", "p", BAD),
    (publish(channel=5), "publish_error", "p", BAD),
    (publish(events=[]), "publish_error", "p", BAD),
    (publish(events="1"), "publish_error", "p", BAD),
    (publish(events={"0": "1"}), "publish_error", "p", BAD),
    (publish(events=[{"player": "ann", "score": 1}]), "publish_error", "p", BAD),
    (publish(events=["1", 2]), "publish_error", "p", BAD),
    (publish(events=[None]), "publish_error", "p", BAD),
    (publish(results=1), "publish_error", "p", BAD),
    (publish(results="true"), "publish_error", "p", BAD),
    # views
    (subscribe(view="top"), "subscribe_error", "i", BAD),
    (subscribe(view=5), "subscribe_error", "i", BAD),
    (subscribe(view=["events"]), "subscribe_error", "i", BAD),
    (subscribe(view={"tpo": 5}), "subscribe_error", "i", BAD),
    (subscribe(view={"top": 0}), "subscribe_error", "i", BAD),
    (subscribe(view={"top": 101}), "subscribe_error", "i", BAD),
    (subscribe(view={"top": -1}), "subscribe_error", "i", BAD),
    (subscribe(view={"top": "x"}), "subscribe_error", "i", BAD),
    (subscribe(view={"top": True}), "subscribe_error", "i", BAD),
    (subscribe(view={"top": 1.5}), "subscribe_error", "i", BAD),
    (subscribe(view={"around": ""}), "subscribe_error", "i", BAD),
    (subscribe(view={"around": "a" * 129}), "subscribe_error", "i", BAD),
    (subscribe(view={"around": "a", "radius": -1}), "subscribe_error", "i", BAD),
    (subscribe(view={"around": "a", "radius": 51}), "subscribe_error", "i", BAD),
    (subscribe(view={"of": []}), "subscribe_error", "i", BAD),
    (subscribe(view={"of": "ann"}), "subscribe_error", "i", BAD),
    (subscribe(view={"of": ["a"] * 101}), "subscribe_error", "i", BAD),
    (subscribe(view={"of": ["a", ""]}), "subscribe_error", "i", BAD),
    (subscribe(view={"every": 3}), "subscribe_error", "i", BAD),
    (subscribe(view={"since": "e" * 65}), "subscribe_error", "i", BAD),
]


@pytest.mark.parametrize(
    ("text", "answer", "id", "error_type"), MALFORMED, ids=[ascii(row[0])[:50] for row in MALFORMED]
)
def test_a_malformed_frame_is_answered_in_its_own_kind(
    text: str,
    answer: str,
    id: str | None,  # noqa: A002
    error_type: str,
) -> None:
    with pytest.raises(Malformed) as caught:
        decode(text)
    malformed = caught.value
    assert (malformed.answer, malformed.id) == (answer, id)
    assert malformed.refusal.error_type == error_type
    assert malformed.refusal.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (subscribe(view={"tpo": 5}), "Object contains unknown field `tpo` - at `view`"),
        (publish(events=["1", 2]), "Expected `str`, got `int` - at `events[1]`"),
        ('{"type":"publish","id":"p"}', "Object missing required field `channel`"),
        ("null", "A frame is one JSON object: Expected `object`, got `null`"),
        ("{", "A frame is one JSON object: JSON is incomplete, or has a lone surrogate"),
        (subscribe(view="truncated"), "Invalid enum value 'truncated' - at `view`"),
        ('{"type":"zzz"}', "'zzz' is not supported through the realtime channel"),
        ('{"type":"z\\u202e"}', "'z\\u202e' is not supported through the realtime channel"),
    ],
)
def test_the_reason_says_what_and_where(text: str, reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        decode(text)
    assert caught.value.refusal.message == reason


MEGABYTE = "x" * 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        MEGABYTE,
        json.dumps({"type": MEGABYTE, "id": MEGABYTE}),
        subscribe(id=MEGABYTE),
        subscribe(view=MEGABYTE),
        subscribe(view={MEGABYTE: 1}),
        subscribe(authorization=MEGABYTE),
        publish(results=MEGABYTE),
        publish(events=[MEGABYTE, 1]),
    ],
    ids=lambda text: text[:30],
)
def test_a_client_cannot_make_the_server_send_it_megabytes(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        decode(text)
    malformed = caught.value
    assert len(messages.error(malformed.answer, [malformed.refusal], malformed.id)) < 1000


# -- fuzz --------------------------------------------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["publish", "subscribe", "events", "/a", "ann", "score", "remove", "1", 1])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
view_members = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("top", "around", "radius", "of", "every", "since", "live"), values | st.integers(0, 120)
    ),
)


def object_text(members: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[str]:
    """JSON texts of objects with these members, each of which may be missing or be anything, and with damage."""
    objects = st.fixed_dictionaries(
        {}, optional={name: value | values for name, value in members.items()}
    )
    whole = objects.map(json.dumps)  # NaN and Infinity included, as json.dumps writes them
    cut = st.tuples(whole, st.integers(0, 200), st.text(max_size=2)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
    )
    return whole | cut


frames = st.text() | object_text(
    {
        "type": st.sampled_from(["publish", "subscribe", "unsubscribe", "connection_init", "zz"]),
        "id": st.sampled_from(["i", "a b", ""]),
        "channel": st.just("/a"),
        "events": st.lists(st.just("1"), max_size=7),
        "authorization": st.dictionaries(st.text(max_size=3), values, max_size=2),
        "view": st.just("events") | view_members,
        "results": st.booleans(),
    }
)


@given(frames)
def test_any_text_is_a_message_or_malformed(text: str) -> None:
    try:
        message = decode(text)
    except Malformed as malformed:
        frame = json.loads(messages.error(malformed.answer, [malformed.refusal], malformed.id))
        assert frame["type"] in (
            "error",
            "connection_error",
            "subscribe_error",
            "unsubscribe_error",
            "publish_error",
        )
        assert frame.get("id") == malformed.id  # noqa: PT017
        assert re.fullmatch(r"\w+", frame["errors"][0]["errorType"])
    else:
        assert messages.answer_to(message).endswith("_error")
        if isinstance(message, Subscribe) and isinstance(message.view, ViewSpec):
            view = message.view.view(10)
            assert view.top or view.personal


@given(st.binary() | frames.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_body_is_a_publish_or_a_bad_request(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        assert isinstance(messages.decode_http_publish(body), HttpPublish)


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
        messages.decode_any_event(text)
    except InvalidEvent:
        return
    json.loads(text)


# -- events ------------------------------------------------------------------------------------------------------------


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


def test_five_events_of_240_kib_are_a_publish_and_no_more() -> None:
    largest = "x" * MAX_EVENT_BYTES
    messages.check_events([largest] * 5)
    with pytest.raises(InvalidInput, match=r"^input exceeded 5 event limit$"):
        messages.check_events(["1"] * 6)
    with pytest.raises(InvalidInput, match=r"^event 1 exceeds 245760 bytes$"):
        messages.check_events(["1", largest + "x"])


@pytest.mark.parametrize("char", ["é", "€", "👩"])
def test_the_size_of_an_event_is_its_bytes(char: str) -> None:
    width = len(char.encode())
    messages.check_events([char * (MAX_EVENT_BYTES // width)])
    with pytest.raises(InvalidInput):
        messages.check_events([char * (MAX_EVENT_BYTES // width + 1)])


@pytest.mark.parametrize("text", ["", "{", "{'a':1}", "NaN", "1 2", '"\\ud800"', "[" * 5000])
def test_what_is_no_json_is_not_relayed(text: str) -> None:
    with pytest.raises(InvalidEvent):
        messages.decode_any_event(text)


@pytest.mark.parametrize("text", ["null", "1", '"x"', "[]", ' {"a":1} ', "9" * 300])
def test_any_json_value_is_relayed(text: str) -> None:
    messages.decode_any_event(text)


# -- replies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (messages.KEEP_ALIVE, {"type": "ka"}),
        (
            messages.connection_ack(300_000),
            {"type": "connection_ack", "connectionTimeoutMs": 300_000},
        ),
        (messages.success("subscribe", "a+b"), {"type": "subscribe_success", "id": "a+b"}),
        (messages.success("unsubscribe", "i"), {"type": "unsubscribe_success", "id": "i"}),
        (
            messages.error("publish_error", [Unauthorized(), BadRequest('"\\\n')], "i"),
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
            messages.error("error", [InternalFailure()]),
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
            messages.publish_failed(
                "i", [messages.failed(0, TooOld("a")), messages.failed(1, BoardFull("b"))]
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
    published = messages.Published(
        successful=[messages.accepted(0), messages.accepted(2, duplicate=True)],
        failed=[messages.failed(1, BoardFull("full"))],
        results=[messages.Result("ann", 5, 1, 9), None, messages.Result("bob", None, None, 9)],
    )
    frame = json.loads(messages.publish_success("p", published))
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
    frame = json.loads(
        messages.publish_success("p", messages.Published([messages.accepted(0)], []))
    )
    assert sorted(frame) == ["failed", "id", "successful", "type"]
    assert frame["failed"] == []


def test_each_message_is_answered_in_its_kind() -> None:
    assert [
        messages.answer_to(message)
        for message in (
            ConnectionInit(),
            Subscribe("i", "/a"),
            Unsubscribe("i"),
            Publish("i", "/a", ["1"]),
        )
    ] == ["connection_error", "subscribe_error", "unsubscribe_error", "publish_error"]


# -- snapshots ---------------------------------------------------------------------------------------------------------

# Whatever a JSON string must escape, and what a JavaScript one once had to.
awkward = st.text(
    st.sampled_from('"\\/\n\r\t\b\f\x00\x1f\x7f\u2028\u2029é👩{}[],:')
    | st.characters(exclude_categories=["Cs"]),
    max_size=12,
)
metas = st.none() | st.dictionaries(awkward, awkward | st.integers(-99, 99), max_size=3)
people = st.dictionaries(
    awkward.filter(bool),
    st.tuples(st.sampled_from([0.0, 1.0, 0.5, -1e-7, MAX_SCORE]), st.none() | awkward, metas),
    max_size=5,
)
ROUND = messages.Round(3, "open", frozen=False, props=msgspec.Raw(b'{"a":"\\""}'))


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
    body = messages.body("/a/b", "e", ROUND, window)
    live = messages.live(messages.Live(time=1763, watching=2, playing=1, ends_in_ms=9))
    own = messages.own(reset=reset, skipped=skipped)
    frame = b"".join(
        (
            messages.snapshot_prefix(id),
            messages.escape(own),
            messages.shared(body, live),
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
    assert json.loads(messages.snapshot(body, live)) == {
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
    assert messages.own(reset=False, skipped=0) == ""


@given(text=values.map(json.dumps) | awkward, id=st.just("i"))
def test_a_relayed_event_arrives_as_it_was_sent(text: str, id: str) -> None:  # noqa: A002
    frame = messages.data_prefix(id) + messages.shared_event(text)
    assert json.loads(frame) == {"type": "data", "id": id, "event": text}
    assert frame == msgspec.json.encode({"type": "data", "id": id, "event": text})


def test_a_refusal_is_worded_from_itself() -> None:
    class Odd(Refusal):
        error_type = "Odd"
        status = 418

    item = messages.failed(4, Odd("why"))
    assert (item.index, item.code, item.errorType, item.message) == (4, 418, "Odd", "why")
