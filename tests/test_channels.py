"""Channel paths: what is one, what is not and why, and which patterns reach which."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.channels import (
    covers,
    is_wildcard,
    namespace,
    parse,
    parse_credential_pattern,
    parse_subscription,
    wildcards_over,
)
from leaderboard.errors import BadRequest

FIFTY = "a" * 50


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("default", "/default"),
        ("/default", "/default"),
        ("default/", "/default"),
        ("/default/", "/default"),
        ("a/b", "/a/b"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b"),
        ("/a/b/c/d/e", "/a/b/c/d/e"),
        ("/A/b", "/A/b"),
        ("/0/1-2/x--y", "/0/1-2/x--y"),
        (f"/{FIFTY}/{FIFTY}", f"/{FIFTY}/{FIFTY}"),
    ],
)
def test_a_channel_has_one_form(text: str, path: str) -> None:
    assert parse(text) == path
    assert parse(path) == path


LETTERS = "segments are letters, digits and inner dashes, as in /namespace/a/b"
WILD = "a wildcard is allowed only as the last segment, below a namespace, of a subscription"

NO_CHANNEL = [
    ("", LETTERS),
    ("/", LETTERS),
    ("//a", LETTERS),
    ("/a//b", LETTERS),
    ("/a//", LETTERS),
    ("/a/b c", LETTERS),
    ("/a/b_c", LETTERS),
    ("/a/b.c", LETTERS),
    ("/a/b:c", LETTERS),
    ("/-a", LETTERS),
    ("/a-", LETTERS),
    ("/a/-", LETTERS),
    ("/a/é", LETTERS),
    ("/a/١", LETTERS),
    ("/a\n", LETTERS),
    ("/a/b\x00", LETTERS),
    ("/a/\ud800", LETTERS),
    ("/a/b/c/d/e/f", "at most 5 segments"),
    (f"/a/{FIFTY}a", "at most 50 characters in a segment"),
]


@pytest.mark.parametrize(("text", "why"), NO_CHANNEL, ids=ascii)
def test_what_is_no_channel_is_told_why(text: str, why: str) -> None:
    for parse_any in (parse, parse_subscription, parse_credential_pattern):
        with pytest.raises(BadRequest) as caught:
            parse_any(text)
        assert caught.value.message == f"{text!a} is not a channel: {why}"


def test_a_long_channel_is_not_sent_back_whole() -> None:
    with pytest.raises(BadRequest) as caught:
        parse("é" * 100_000)
    assert len(caught.value.message) < 500
    assert caught.value.message.isascii()
    with pytest.raises(BadRequest, match=r"^'a{60}\.\.\.' is not a channel"):
        parse("a" * 61)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("default/*", "/default/*"),
        ("/default/*", "/default/*"),
        ("/a/b/c/d/*", "/a/b/c/d/*"),
        ("a/b/", "/a/b"),
    ],
)
def test_a_subscription_may_end_in_a_wildcard(text: str, path: str) -> None:
    assert parse_subscription(text) == path
    assert parse_subscription(path) == path
    assert parse_credential_pattern(text) == path


NO_WILDCARD = ["*/a", "/a/*/b", "/a*", "/a/b*", "/a/**", "/a/*/*", "/a/*/", "/a/b/c/d/e/*"]


@pytest.mark.parametrize("text", [*NO_WILDCARD, "/*", "*"])
def test_any_other_wildcard_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_subscription(text)
    assert caught.value.message == f"'{text}' is not a channel: {WILD}"


@pytest.mark.parametrize("text", ["/default/*", "/*", "*", "/a/**"])
def test_a_channel_to_publish_on_has_no_wildcard(text: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(WILD)):
        parse(text)


@pytest.mark.parametrize("text", ["/*", "*"])
def test_a_credential_may_cover_everything(text: str) -> None:
    assert parse_credential_pattern(text) == "/*"


@pytest.mark.parametrize("text", NO_WILDCARD)
def test_a_credential_pattern_is_else_what_a_subscription_is(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_credential_pattern(text)


@pytest.mark.parametrize(
    ("path", "name"),
    [("/game/KX7M", "game"), ("/game", "game"), ("/game/*", "game"), ("/a-b/c/d", "a-b")],
)
def test_the_namespace_is_the_first_segment(path: str, name: str) -> None:
    assert namespace(path) == name


def test_a_wildcard_is_told_from_a_channel() -> None:
    assert [is_wildcard(path) for path in ("/a/*", "/*", "/a", "/a/b")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("/*", "/a", True),
        ("/*", "/a/b/c/d/e", True),
        ("/*", "/a/*", True),
        ("/a/*", "/a/b", True),
        ("/a/*", "/a/b/c/d/e", True),
        ("/a/*", "/a/*", True),
        ("/a/*", "/a/b/*", True),
        ("/a/*", "/a", False),
        ("/a/*", "/ab/c", False),
        ("/a/*", "/A/b", False),
        ("/a/b/*", "/a/*", False),
        ("/a/b/*", "/a/bc", False),
        ("/a/b/*", "/a/b", False),
        ("/a", "/a", True),
        ("/a", "/a/b", False),
        ("/a", "/a/*", False),
        ("/a/b", "/a/b", True),
        ("/a/b", "/a/b-c", False),
    ],
)
def test_a_pattern_covers_a_channel_or_the_whole_of_a_wildcard(
    pattern: str, path: str, covered: bool
) -> None:
    assert covers(pattern, path) is covered


@pytest.mark.parametrize(
    ("path", "wildcards"),
    [
        ("/a", []),
        ("/a/b", ["/a/*"]),
        ("/a/b/c/d/e", ["/a/*", "/a/b/*", "/a/b/c/*", "/a/b/c/d/*"]),
    ],
)
def test_the_wildcards_over_a_channel(path: str, wildcards: list[str]) -> None:
    assert list(wildcards_over(path)) == wildcards


# -- the same, for any channel -----------------------------------------------------------------------------------------

SEGMENT = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?"
short = st.lists(st.sampled_from(["a", "b", "a-b", "B"]), min_size=1, max_size=5)
paths = short.map(lambda segments: "/" + "/".join(segments))


@given(st.from_regex(rf"\A/?{SEGMENT}(?:/{SEGMENT}){{0,4}}/?\Z"))
def test_what_the_guides_pattern_takes_is_a_channel(text: str) -> None:
    assert parse(text) == "/" + text.strip("/")


@given(st.text(st.sampled_from("aZ0-_/*.é \n"), max_size=12))
def test_what_the_guides_pattern_does_not_take_is_none(text: str) -> None:
    fits = re.fullmatch(rf"/?{SEGMENT}(?:/{SEGMENT}){{0,4}}/?", text)
    if fits:
        parse(text)
    else:
        with pytest.raises(BadRequest):
            parse(text)


@given(paths, paths)
def test_the_wildcards_over_a_channel_are_those_that_cover_it(pattern: str, path: str) -> None:
    wildcard = f"{pattern}/*"
    assert (wildcard in wildcards_over(path)) is covers(wildcard, path)
    assert covers(wildcard, path) is path.startswith(f"{pattern}/")
