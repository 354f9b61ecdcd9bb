"""Credentials: two carriers, one meaning; what each role may do, where; and nothing hostile but a refusal."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from leaderboard.auth import Authenticator
from leaderboard.credentials import (
    HEADER_PROTOCOL,
    PROTOCOL,
    credentials_of_upgrade,
    new_api_key,
)
from leaderboard.errors import BadRequest, NotAllowed, Refusal, Unauthorized
from leaderboard.events import Remove, Score
from leaderboard.grants import Grant, Role, may_apply
from leaderboard.settings import ApiKey, ConfigError, Namespace, RoleName, Settings

KEY = "da2-key-of-the-tests"
RULES = Namespace()


def authenticator(role: RoleName = "viewer", *patterns: str, **values: Any) -> Authenticator:
    """Knows one key of that role, on those channels or on all, and the viewer key."""
    key = ApiKey(key=SecretStr(KEY), role=role, channels=patterns or ("/*",))
    return Authenticator(Settings(api_keys=(key,), **values))


def grant(role: RoleName = "viewer", *patterns: str) -> Grant:
    return authenticator(role, *patterns).authenticate({"x-api-key": KEY})


# -- who it is ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("viewer", Role.VIEWER),
        ("scorekeeper", Role.SCOREKEEPER),
        ("host", Role.HOST),
        ("admin", Role.ADMIN),
    ],
)
def test_a_key_is_the_grant_that_was_configured(role: RoleName, expected: Role) -> None:
    assert grant(role, "game/", "/a/*") == Grant("api_keys.0", expected, ("/game", "/a/*"))


@pytest.mark.parametrize("name", ["x-api-key", "X-Api-Key", "X-API-KEY"])
def test_names_of_members_are_compared_without_case(name: str) -> None:
    assert authenticator().authenticate({"host": "h", name: KEY}).role is Role.VIEWER


def test_a_key_that_is_found_counts_whatever_stands_beside_it() -> None:
    credentials = {"x-api-key": "no key", "X-API-KEY": KEY, "Authorization": "Bearer x"}
    assert authenticator().authenticate(credentials).id == "api_keys.0"


def test_no_more_than_four_are_tried() -> None:
    spellings = ["x-api-key", "X-api-key", "x-Api-key", "x-aPi-key", "x-apI-key"]
    last = dict.fromkeys(spellings, "no key")
    fourth = {**dict.fromkeys(spellings[:3], "no key"), spellings[3]: KEY, "host": "h"}
    assert authenticator().authenticate(fourth).id == "api_keys.0"
    with pytest.raises(Unauthorized):
        authenticator().authenticate({**last, spellings[4]: KEY})


@pytest.mark.parametrize(
    "credentials",
    [
        None,
        {},
        {"host": "h"},
        {"Authorization": KEY},
        {"x-api-key": ""},
        {"x-api-key": KEY + " "},
        {"x-api-key": KEY.upper()},
        {"x-api-key": KEY[:-1]},
        {"x-api-key": "é"},
        {"x-api-key": "\ud800"},
        {"x-api-key": "x" * 1_000_000},
        {"x-api-key": None},
        {"x-api-key": 5},
        {"x-api-key": [KEY]},
        {"x-api-key": {"x-api-key": KEY}},
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_anything_else_is_unauthorized(credentials: dict[str, Any] | None) -> None:
    with pytest.raises(Unauthorized) as caught:
        authenticator().authenticate(credentials)
    assert caught.value.message == "You are not authorized to make this call."


def test_the_viewer_key_sees_everything_and_publishes_nothing() -> None:
    auth = authenticator(viewer_key="pk_board")
    viewer = auth.authenticate({"x-api-key": "pk_board"})
    assert viewer == auth.viewer() == Grant("viewer_key", Role.VIEWER, ("/*",))
    with pytest.raises(Unauthorized):
        auth.access.may_publish(viewer, "/game/a", RULES)


def test_without_a_viewer_key_nobody_views_in_public() -> None:
    auth = authenticator(viewer_key="")
    assert auth.viewer() is None
    with pytest.raises(Unauthorized):
        auth.authenticate({"x-api-key": ""})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"viewer_key": "da2-key-1", "api_keys": (ApiKey(key=SecretStr("da2-key-1")),)},
            "api_keys.0: the same key is configured twice",
        ),
        (
            {"api_keys": (ApiKey(key=SecretStr("da2-key-1")),) * 2},
            "api_keys.1: the same key is configured twice",
        ),
        (
            {"api_keys": (ApiKey(key=SecretStr("da2-key-1"), channels=("/a", "/b*")),)},
            (
                "api_keys.0.channels: '/b*' is not a channel: "
                "a wildcard is allowed only as the last segment, below a namespace, of a subscription"
            ),
        ),
    ],
    ids=["viewer key", "two keys", "pattern"],
)
def test_keys_that_cannot_be_meant_end_the_start(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Authenticator(Settings(**values))
    assert str(caught.value) == message


def test_neither_an_authenticator_nor_a_grant_shows_a_key() -> None:
    auth = authenticator()
    assert KEY not in repr(vars(auth))
    assert KEY not in repr(auth.authenticate({"x-api-key": KEY}))


def test_a_new_key_looks_like_appsyncs_and_is_new() -> None:
    keys = {new_api_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(re.fullmatch(r"da2-[a-z2-7]{26}", key) for key in keys)


# -- what it may -------------------------------------------------------------------------------------------------------


def allowed(check: Callable[..., None], *arguments: object) -> bool:
    try:
        check(*arguments)
    except Unauthorized:
        return False
    return True


@pytest.mark.parametrize(
    ("role", "publishes", "removes"),
    [
        ("viewer", False, False),
        ("scorekeeper", True, False),
        ("host", True, True),
        ("admin", True, True),
    ],
)
def test_what_each_role_may_do(role: RoleName, publishes: bool, removes: bool) -> None:
    auth, holder = authenticator(role), grant(role)
    assert allowed(auth.access.may_connect, holder)
    assert allowed(auth.access.may_subscribe, holder, "/game/a", RULES)
    assert allowed(auth.access.may_publish, holder, "/game/a", RULES) is publishes
    with contextlib.nullcontext() if removes else pytest.raises(NotAllowed):
        may_apply(holder, Remove("ann"))
    if publishes:
        may_apply(holder, Score("ann", 1.0))


@pytest.mark.parametrize(
    ("pattern", "path", "inside"),
    [
        ("/*", "/game/a", True),
        ("/*", "/game/*", True),
        ("/game/*", "/game/a", True),
        ("/game/*", "/game/*", True),
        ("/game/*", "/game", False),
        ("/game/*", "/other/a", False),
        ("/game/a", "/game/a", True),
        ("/game/a", "/game/*", False),
        ("/game/a", "/game/b", False),
        ("/game/a/*", "/game/*", False),
    ],
)
def test_a_grant_ends_where_its_patterns_do(pattern: str, path: str, inside: bool) -> None:
    auth, holder = authenticator("admin", pattern), grant("admin", pattern)
    assert holder.covers(path) is inside
    assert allowed(auth.access.may_subscribe, holder, path, RULES) is inside
    assert allowed(auth.access.may_publish, holder, path, RULES) is inside


def test_one_of_several_patterns_is_enough() -> None:
    assert grant("admin", "/a", "/b/*").covers("/b/c")


def test_two_patterns_do_not_add_up_to_a_wildcard() -> None:
    assert not grant("admin", "/a/b/*", "/a/c/*").covers("/a/*")


# -- how it came -------------------------------------------------------------------------------------------------------


def encoded(text: str | bytes) -> str:
    """The sub-protocol as amplify-js writes it: base64url without padding."""
    raw = text if isinstance(text, bytes) else text.encode()
    return HEADER_PROTOCOL + base64.urlsafe_b64encode(raw).decode().rstrip("=")


MEMBERS = {"host": "localhost:8000", "x-api-key": "k?>~ÿ"}
TEXT = json.dumps(MEMBERS, ensure_ascii=False)
HEADERS = {"x-api-key": "from the headers"}


@pytest.mark.parametrize(
    "protocols",
    [
        [PROTOCOL, encoded(TEXT)],
        [encoded(TEXT), PROTOCOL],
        [encoded(TEXT + "\n")],
        [encoded(f" \t{TEXT}\r\n")],
        [encoded(TEXT) + "="],
        [encoded(TEXT) + "=="],
        [HEADER_PROTOCOL + base64.b64encode(TEXT.encode()).decode()],
    ],
    ids=["name first", "header first", "newline", "space", "=", "==", "base64 with + and /"],
)
def test_credentials_in_the_sub_protocol(protocols: list[str]) -> None:
    assert credentials_of_upgrade(protocols, HEADERS) == MEMBERS


@pytest.mark.parametrize("protocols", [[], [PROTOCOL], ["Header-x"], ["graphql-ws"]])
def test_credentials_in_the_headers_where_there_is_no_sub_protocol(protocols: list[str]) -> None:
    assert credentials_of_upgrade(protocols, HEADERS) is HEADERS


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("{}", {}),
        ('{"x-api-key":5,"host":null,"a":["k"],"b":{"c":"k"},"d":true}', {}),
        ('{"x-api-key":"k","n":1}', {"x-api-key": "k"}),
        ('{"x-api-key":"a","x-api-key":"b"}', {"x-api-key": "b"}),
    ],
)
def test_values_that_are_no_strings_are_passed_over(text: str, members: dict[str, str]) -> None:
    assert credentials_of_upgrade([encoded(text)], HEADERS) == members


HOSTILE = [
    HEADER_PROTOCOL,
    "header-=",
    "header-A",
    "header-!!!!",
    "header-AAAA AAAA",
    "header-é",
    "header-\ud800",
    "header-e30=e30=",
    encoded(""),
    encoded("null"),
    encoded("[]"),
    encoded('"x-api-key"'),
    encoded("{'x-api-key':'k'}"),
    encoded("{"),
    encoded("{}{}"),
    encoded(b"\xff\xfe\x00"),
    encoded(b'{"x-api-key":"\xff"}'),
    encoded(b'{"x-api-key":"\xed\xa0\x80"}'),
    encoded('{"x-api-key":"\\ud800"}'),
    encoded('{"a":1e999}'),
    encoded('{"a":' + "9" * 5000 + "}"),
    encoded("[" * 200_000),
    encoded('{"a":' * 200_000),
    encoded("\x00" * 3_000_000),
]


@pytest.mark.parametrize("protocol", HOSTILE, ids=lambda value: ascii(value)[:40])
def test_a_hostile_sub_protocol_is_a_bad_request(protocol: str) -> None:
    with pytest.raises(BadRequest) as caught:
        credentials_of_upgrade([PROTOCOL, protocol], HEADERS)
    assert caught.value.message == "the header- sub-protocol is not the base64url of a JSON object"


@given(st.text() | st.binary().map(encoded) | st.text().map(lambda text: HEADER_PROTOCOL + text))
def test_any_sub_protocol_is_credentials_or_a_refusal(protocol: str) -> None:
    with contextlib.suppress(Refusal):
        credentials = credentials_of_upgrade([protocol], {})
        assert all(isinstance(value, str) for value in credentials.values())
        authenticator().authenticate(credentials)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
)


@given(
    st.dictionaries(
        st.sampled_from(["x-api-key", "X-Api-Key", "Authorization", "host"]), json_values
    )
)
def test_any_authorization_of_a_message_is_a_grant_or_a_refusal(members: dict[str, Any]) -> None:
    with contextlib.suppress(Unauthorized):
        authenticator().authenticate(members)
