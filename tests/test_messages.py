"""What a client says: every frame becomes a message, or an error that tells its sender what is wrong with it."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard import messages, replies
from leaderboard.errors import BadRequest, InvalidInput
from leaderboard.messages import (
    MAX_EVENT_BYTES,
    ConnectionInit,
    HttpPublish,
    Malformed,
    Publish,
    Subscribe,
    Unsubscribe,
    ViewSpec,
    decode,
)
from leaderboard.ranking import View
from tests.texts import object_text, values

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
    assert len(replies.error(malformed.answer, [malformed.refusal], malformed.id)) < 1000


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


# -- fuzz --------------------------------------------------------------------------------------------------------------

view_members = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("top", "around", "radius", "of", "every", "since", "live"), values | st.integers(0, 120)
    ),
)


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
        frame = json.loads(replies.error(malformed.answer, [malformed.refusal], malformed.id))
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


# -- the events of a publish -------------------------------------------------------------------------------------------


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
