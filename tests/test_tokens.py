"""Signed tokens: one row, one channel, until their end or their revocation, and nothing that is not exactly ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from leaderboard import auth, tokens
from leaderboard.auth import Authenticator
from leaderboard.client import Refused
from leaderboard.client import connect as connect_client
from leaderboard.errors import BadRequest, Unauthorized
from leaderboard.grants import Grant, Role
from leaderboard.settings import Settings
from tests.appsync import Client, error_types, players
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, Start

SECRET = "a secret of the tests, 32 bytes or more"
ROOM = "/game/KX7M"
OTHER = "/game/ZZZZ"
CHAT = "/default/chat"
NO_REFEREE = {"leaderboard": {}, "game": {"mode": "sum"}, "default": {"kind": "relay"}}
"""The default namespaces, but players of `game` say themselves what they score."""
NOT_ALLOWED = "a player may touch no other row than its own"
DENIED = "You are not authorized to make this call."


def said(**changes: Any) -> dict[str, Any]:
    """The claims of Ann's token for the room; a claim that is None is left out."""
    now = int(time.time())
    claims = {
        "iss": "leaderboard",
        "aud": "leaderboard",
        "jti": "t1",
        "iat": now,
        "exp": now + 3600,
        "role": "player",
        "channel": ROOM,
        "sub": "ann",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def token(**changes: Any) -> str:
    """As any program that has the secret may write it, with any library."""
    return jwt.encode(said(**changes), SECRET, "HS256")


def encoded(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def by_hand(header: object, payload: object, secret: str = SECRET, digest: str = "sha256") -> str:
    """A token that no library would write, with a signature that is right."""
    signed = f"{encoded(header)}.{encoded(payload)}"
    signature = hmac.new(secret.encode(), signed.encode(), getattr(hashlib, digest)).digest()
    return f"{signed}.{encoded(signature)}"


def authenticator(**values: Any) -> Authenticator:
    return Authenticator(Settings(**{"secret": SecretStr(SECRET), **values}))


def grant(text: str, **values: Any) -> Grant:
    return authenticator(**values).authenticate({"Authorization": text})


# -- what is taken -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer ", "BEARER "])
@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_token_is_the_grant_that_it_says(name: str, prefix: str) -> None:
    claims = said()
    holder = authenticator().authenticate({"host": "h", name: prefix + token(**claims)})
    assert holder == Grant("t1", Role.PLAYER, (ROOM,), player="ann", ends=claims["exp"])


@pytest.mark.parametrize(
    ("role", "channel", "expected"),
    [
        ("viewer", "game/*", Role.VIEWER),
        ("scorekeeper", "/*", Role.SCOREKEEPER),
        ("host", ROOM, Role.HOST),
        ("admin", "/*", Role.ADMIN),
    ],
)
def test_a_token_may_have_any_role(role: str, channel: str, expected: Role) -> None:
    holder = grant(token(role=role, channel=channel, sub=None))
    assert (holder.role, holder.player) == (expected, None)
    assert holder.covers(ROOM)


def test_what_a_server_issues_it_takes() -> None:
    server = authenticator()
    text, claims = server.issue("player", "game/KX7M/", "ann", 60)
    holder = server.authenticate({"Authorization": text})
    assert holder == Grant(claims.jti, Role.PLAYER, (ROOM,), player="ann", ends=claims.exp)
    assert claims.exp - claims.iat == 60
    assert server.issue("player", ROOM, "ann", 60)[1].jti != claims.jti


@pytest.mark.parametrize(
    ("role", "channel", "player", "lifetime", "message"),
    [
        ("player", "/game/*", "ann", 60, "a player's is for one channel, not for a wildcard"),
        ("player", "/*", "ann", 60, "a player's is for one channel, not for a wildcard"),
        ("player", ROOM, None, 60, "a player's names the player"),
        ("player", ROOM, "", 60, "a player's names the player"),
        ("host", ROOM, "ann", 60, "only a player's names a player"),
        ("player", ROOM, "ann", 0, "it is to live 1 s to 24 h"),
        ("player", ROOM, "ann", 86_401, "it is to live 1 s to 24 h"),
        ("viewer", "no channel", None, 60, "'no channel' is not a channel"),
    ],
)
def test_what_no_server_takes_is_not_issued(
    role: tokens.TokenRole, channel: str, player: str | None, lifetime: float, message: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        authenticator().issue(role, channel, player, lifetime)
    assert caught.value.message.startswith(message)


def test_each_start_without_a_secret_has_one_of_its_own() -> None:
    one, other = Authenticator(Settings()), Authenticator(Settings())
    text, _ = one.issue("player", ROOM, "ann", 60)
    assert one.authenticate({"Authorization": text}).player == "ann"
    with pytest.raises(Unauthorized):
        other.authenticate({"Authorization": text})


def test_of_several_credentials_the_first_good_one_counts() -> None:
    good = {"x-api-key": "no key", "Authorization": token(), "X-Api-Key": "pk_viewer"}
    assert authenticator().authenticate(good).id == "t1"
    ended = {"Authorization": token(exp=1), "X-Api-Key": "pk_viewer"}
    assert authenticator().authenticate(ended).id == "viewer_key"


# -- what is not -------------------------------------------------------------------------------------------------------

NOW = int(time.time())
HS256 = {"alg": "HS256", "typ": "JWT"}
FORGED = {
    "alg none": f"{encoded({'alg': 'none'})}.{encoded(said())}.",
    "alg None with the right signature": by_hand({"alg": "None"}, said()),
    "no alg": by_hand({"typ": "JWT"}, said()),
    "HS512": jwt.encode(said(), SECRET * 2, "HS512"),
    "HS512 of our secret": by_hand({"alg": "HS512"}, said(), digest="sha512"),
    "RS256 by the secret": by_hand({"alg": "RS256"}, said()),
    "alg is a list": by_hand({"alg": ["HS256"]}, said()),
    "a critical header that we do not know": by_hand({**HS256, "crit": ["x"], "x": 1}, said()),
    "detached": by_hand({**HS256, "b64": False, "crit": ["b64"]}, said()),
    "another secret": jwt.encode(said(), "x" * 32, "HS256"),
    "no signature": token().rpartition(".")[0] + ".",
    "half a signature": token()[:-20],
    "another payload": ".".join(
        [token().split(".")[0], encoded(said(sub="bob")), token().split(".")[2]]
    ),
    "another audience": token(aud="another program"),
    "our audience among others": token(aud=["leaderboard", "another program"]),
    "no audience": token(aud=None),
    "another issuer": token(iss="another program"),
    "no issuer": token(iss=None),
    "no id": token(jti=None),
    "an empty id": token(jti=""),
    "an id of two lines": token(jti="t1\n"),
    "a long id": token(jti="t" * 65),
    "an id that is no text": token(jti=["t1"]),
    "no end": token(exp=None),
    "an end that is no number": token(exp="tomorrow"),
    "an end without end": by_hand(HS256, b'{"exp":1e999}'),
    "no time of issue": token(iat=None),
    "a time of issue that is no number": token(iat="today"),
    "not yet good": token(nbf=NOW + 3600),
    "an unknown role": token(role="root"),
    "a role in capitals": token(role="PLAYER"),
    "no role": token(role=None),
    "no channel": token(channel=None),
    "a channel that is no text": token(channel=[ROOM]),
    "a player that is no text": token(sub={"ann": 1}),
    "a list": by_hand(HS256, [said()]),
    "no JSON": by_hand(HS256, b"{"),
    "a deep payload": by_hand(HS256, b'{"a":' * 600),
    "a deep header": encoded(b'{"a":' * 900) + ".e30.e30",
    "too long": token(more="x" * 4000),
    "megabytes": "a" * 3_000_000,
    "two parts": "a.b",
    "four parts": f"{token()}.{token()}",
    "spaces within": token().replace(".", ". ", 1),
    "a word behind": f"{token()} x",
    "not ASCII": "é.é.é",
    "a lone surrogate": "\ud800.a.b",
    "empty": "",
    "Bearer alone": "Bearer ",
    "Bearer twice": f"Bearer Bearer {token()}",
    "another scheme": f"Basic {token()}",
    "a signature of AWS": "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/appsync/aws4_request",
    "an API key": "pk_viewer",
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED)
def test_what_is_not_exactly_ours_is_refused_without_a_reason(text: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        grant(text)
    assert caught.value.message == DENIED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exp": NOW - 1}, "This token has expired."),
        ({"exp": -1}, "This token has expired."),
        ({"iat": NOW + 3600}, "This token is of the future: the clock of its issuer is wrong."),
        ({"iat": NOW - 3600, "exp": NOW + 83_000}, "This token would live longer than 24 h."),
        ({"exp": 10**300}, "This token would live longer than 24 h."),
        (
            {"channel": "/game/*"},
            "This token is not taken: a player's is for one channel, not for a wildcard.",
        ),
        ({"channel": "/game/*/a"}, "This token is not taken: '/game/*/a' is not a channel: "),
        ({"sub": None}, "This token is not taken: a player's names the player."),
        ({"role": "host"}, "This token is not taken: only a player's names a player."),
    ],
)
def test_a_token_that_is_ours_and_not_good_is_refused_with_the_reason(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(Unauthorized) as caught:
        grant(token(**changes))
    assert caught.value.message.startswith(message)


def test_a_clock_that_is_some_seconds_ahead_is_no_fault() -> None:
    assert grant(token(iat=int(time.time()) + 5)).player == "ann"


def test_the_setting_cuts_all_older_tokens() -> None:
    cut = "2026-01-31T18:00:00+00:00"
    now = int(time.time())
    assert grant(token(), tokens_not_before=cut).player == "ann"
    with pytest.raises(Unauthorized, match="older than the setting tokens_not_before allows"):
        grant(token(iat=now - 10), tokens_not_before=now - 9)
    assert grant(token(iat=now - 9), tokens_not_before=now - 9).player == "ann"


@given(st.text() | st.binary().map(encoded) | st.lists(st.binary().map(encoded)).map(".".join))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(Unauthorized):
        grant(text)


# -- what is remembered ------------------------------------------------------------------------------------------------


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens whose signatures were checked."""
    checked: list[str] = []
    verify = tokens.verify

    def counted(text: str, secret: str) -> tokens.Claims:
        checked.append(text)
        return verify(text, secret)

    monkeypatch.setattr(tokens, "verify", counted)
    return checked


def test_a_signature_is_checked_once_and_the_end_each_time(
    checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, text = authenticator(), token()
    for _ in range(3):
        assert server.authenticate({"Authorization": text}).player == "ann"
    assert checked == [text]
    later = time.time() + 3600
    monkeypatch.setattr("leaderboard.auth.time.time", lambda: later)
    with pytest.raises(Unauthorized, match="expired"):
        server.authenticate({"Authorization": text})


def test_so_many_tokens_are_remembered_and_the_least_used_is_checked_again(
    checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "REMEMBERED", 2)
    server = authenticator()
    ann, bob, eve = (token(sub=player) for player in ("ann", "bob", "eve"))
    for text in (ann, bob, ann, eve, ann, bob):
        server.authenticate({"Authorization": text})
    assert checked == [ann, bob, eve, bob]


def test_a_revoked_token_is_refused_whether_it_is_remembered_or_not() -> None:
    server, now = authenticator(), time.time()
    known, unknown = token(), token(jti="t2")
    server.authenticate({"Authorization": known})
    for name in ("t1", "t2"):
        server.revoke(name, now + 3600)
    for text in (known, unknown):
        with pytest.raises(Unauthorized, match="revoked"):
            server.authenticate({"Authorization": text})
    assert server.authenticate({"Authorization": token(jti="t3")}).id == "t3"


def test_no_revocation_touches_a_key() -> None:
    server = authenticator()
    server.revoke("viewer_key", time.time() + 3600)
    assert server.authenticate({"x-api-key": "pk_viewer"}).id == "viewer_key"


def test_neither_an_authenticator_nor_a_grant_shows_a_token_or_its_secret() -> None:
    server, text = authenticator(), token()
    holder = server.authenticate({"Authorization": text})
    assert text not in repr(vars(server)) + repr(holder)
    assert SECRET not in repr(server) + repr(holder) + repr(server._settings)


# -- one row, one channel: over both doors and HTTP --------------------------------------------------------------------


@pytest.fixture
async def signed(start: Start) -> Server:
    """A server with the secret, whose wheel turns fast."""
    return await start(secret=SECRET, limits={"first_frame": 2.0}, namespaces=NO_REFEREE)


Publish = Callable[..., Any]


@pytest.fixture(params=["socket", "http"])
async def publish(request: pytest.FixtureRequest, signed: Server) -> Publish:
    """Publish by a token, over the WebSocket or HTTP: what succeeded, and the errors of what did not."""

    async def publish(text: str, channel: str, *events: Any) -> tuple[int, list[tuple[str, str]]]:
        texts = [json.dumps(event) for event in events]
        if request.param == "socket":
            client = await signed.client(VIEWER)  # each operation has a credential of its own
            answer = await client.publish(channel, *texts, authorization={"Authorization": text})
        else:
            http = await signed.http(token=text)
            answer = (await http.post("/event", json={"channel": channel, "events": texts})).json()
        errors = [*answer.get("errors", ()), *answer.get("failed", ())]
        told = [(error["errorType"], error["message"]) for error in errors]
        return len(answer.get("successful", ())), told

    return publish


async def test_a_player_scores_in_its_own_row(publish: Publish) -> None:
    assert await publish(token(), ROOM, {"player": "ann", "score": 1}) == (1, [])
    assert await publish(f"Bearer {token()}", "game/KX7M/", {"id": "ann", "score": 1}) == (1, [])


@pytest.mark.parametrize(
    "event",
    [
        {"player": "bob", "score": 9},
        {"id": "bob", "score": 9},
        {"player": "bob", "id": "ann", "score": 9},
        {"player": "Ann", "score": 9},
        {"player": "ann ", "score": 9},
        {"player": "ａｎｎ", "score": 9},
        {"op": "remove", "player": "bob"},
    ],
    ids=json.dumps,
)
async def test_another_row_is_the_failure_of_that_event_alone(
    publish: Publish, signed: Server, event: dict[str, Any]
) -> None:
    witness = await signed.client(SCOREKEEPER)
    await witness.publish(ROOM, {"player": "bob", "score": 1})
    own = {"player": "ann", "id": "bob", "score": 2}  # an alias beside the name is none
    assert await publish(token(), ROOM, own, event, own) == (2, [("NotAllowed", NOT_ALLOWED)])
    assert await publish(token(), ROOM, event) == (0, [("NotAllowed", NOT_ALLOWED)])
    rows = (await witness.look(ROOM))["rows"]
    assert [(row["player"], row["score"]) for row in rows] == [("ann", 4), ("bob", 1)]


async def test_a_player_may_leave_the_board(publish: Publish, signed: Server) -> None:
    await publish(token(), ROOM, {"player": "ann", "score": 1})
    assert await publish(token(), ROOM, {"op": "remove", "player": "ann"}) == (1, [])
    assert players(await (await signed.client()).look(ROOM)) == []


@pytest.mark.parametrize("channel", [OTHER, "/game/KX7M/a", "/game", CHAT])
async def test_another_channel_refuses_the_publish(publish: Publish, channel: str) -> None:
    refused = (0, [("UnauthorizedException", DENIED)])
    assert await publish(token(), channel, {"player": "ann", "score": 1}) == refused


async def test_a_relay_channel_is_not_for_players(publish: Publish) -> None:
    own = token(channel=CHAT)
    assert await publish(own, CHAT, {}) == (0, [("UnauthorizedException", DENIED)])
    scorekeeper = token(channel="/default/*", role="scorekeeper", sub=None)
    assert await publish(scorekeeper, CHAT, {}) == (1, [])


async def test_a_forged_token_publishes_nothing(publish: Publish) -> None:
    event = {"player": "ann", "score": 1}
    for text in (FORGED["alg none"], FORGED["another secret"], FORGED["another audience"]):
        assert await publish(text, ROOM, event) == (0, [("UnauthorizedException", DENIED)])


async def test_a_token_past_its_end_is_told_so(publish: Publish) -> None:
    expired = (0, [("UnauthorizedException", "This token has expired.")])
    assert await publish(token(exp=NOW - 1), ROOM, {"player": "ann", "score": 1}) == expired


async def test_a_token_reads_over_http_what_it_covers(signed: Server) -> None:
    admin = await signed.client()
    for channel in (ROOM, OTHER):
        await admin.publish(channel, {"player": "ann", "score": 1})
    http = await signed.http(token=f"Bearer {token()}")
    assert (await http.get(f"/api/boards{ROOM}")).json()["total"] == 1
    assert (await http.get(f"/api/boards{OTHER}")).status_code == 401
    boards = (await http.get("/api/boards")).json()["boards"]
    assert [board["channel"] for board in boards] == [ROOM]


# -- a connection of one's own -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("carrier", ["protocol", "headers"])
async def test_a_token_opens_a_connection_and_sees_its_channel(
    signed: Server, carrier: str
) -> None:
    client = await signed.client(None, token=token(), carrier=carrier)
    board = await client.subscribe(ROOM)
    await client.publish(ROOM, {"player": "ann", "score": 5})
    assert players(await client.snapshot(board, version=1)) == ["ann"]
    for channel in (OTHER, "/game/*"):
        assert error_types(await client.subscribing(channel)) == ["UnauthorizedException"]


async def test_a_token_that_is_no_good_is_turned_away_at_the_connection(signed: Server) -> None:
    client = await signed.client(None, token=token(exp=NOW - 1), init=False)
    await client.send(type="connection_init")
    refused = await client.expect("connection_error")
    assert refused["errors"] == [
        {"errorType": "UnauthorizedException", "message": "This token has expired."}
    ]
    assert await client.closed() == 1000


async def test_a_row_is_kept_through_a_reload_and_on_another_device(signed: Server) -> None:
    own, room = token(), token(role="viewer", sub=None)
    first = await signed.client(None, token=own)
    await first.publish(ROOM, {"player": "ann", "score": 5, "by": "tab-1", "n": 1})
    await first.socket.close()
    again = await signed.client(None, token=own)  # the reload
    await again.publish(ROOM, {"player": "ann", "score": 3, "by": "tab-2", "n": 1})
    phone = await signed.client(None, token=f"Bearer {own}")
    await phone.publish(ROOM, {"player": "ann", "score": 2, "by": "phone", "n": 1})
    viewer = await signed.client(None, token=room)
    rows = (await viewer.look(ROOM))["rows"]
    assert [(row["player"], row["score"]) for row in rows] == [("ann", 10)]


async def test_a_token_survives_a_restart_with_the_same_secret(start: Start) -> None:
    first = await start(secret=SECRET, namespaces=NO_REFEREE)
    text = first.app.state.auth.issue("player", ROOM, "ann", 60)[0]
    await first.stop()
    second = await start(secret=SECRET, namespaces=NO_REFEREE)
    client = await second.client(None, token=text)
    answer = await client.publish(ROOM, {"player": "ann", "score": 1})
    assert answer["type"] == "publish_success"


# -- the end -----------------------------------------------------------------------------------------------------------


def ending(**changes: Any) -> str:
    """A token that ends in a second, or two."""
    return token(exp=int(time.time()) + 2, **changes)


async def told_and_gone(client: Client, id_: str, reason: str) -> None:
    """The subscription has ended with this reason, and its id is free again."""
    error = await client.expect("subscribe_error", id=id_)
    assert error["errors"] == [{"errorType": "UnauthorizedException", "message": reason}]
    gone = await client.ask(type="unsubscribe", id=id_)
    assert error_types(gone) == ["UnknownOperationError"]


async def test_what_a_token_opened_ends_with_it_and_nothing_else_does(signed: Server) -> None:
    client = await signed.client(VIEWER)
    own = {"Authorization": ending()}
    stays = await client.subscribe(ROOM)
    ends = [await client.subscribe(ROOM, authorization=own) for _ in range(2)]
    event = {"player": "ann", "score": 1}
    assert (await client.publish(ROOM, event, authorization=own))["type"] == "publish_success"
    for id_ in ends:
        await told_and_gone(client, id_, "This token has expired.")
    # what the connection remembers of its last publish is not good any more either
    refused = await client.publish(ROOM, event, authorization=own)
    assert refused["errors"][0]["message"] == "This token has expired."
    client.frames.clear()
    admin = await signed.client()
    await admin.publish(ROOM, {"player": "bob", "score": 1})
    assert (await client.snapshot(stays, version=2))["watching"] == 1
    assert not [frame for frame in client.frames if frame.get("id") in ends]


async def test_an_unsubscribed_one_has_no_end(signed: Server) -> None:
    client = await signed.client(VIEWER)
    first, second = [
        await client.subscribe(ROOM, authorization={"Authorization": ending(jti=name)})
        for name in ("t1", "t2")
    ]
    await client.unsubscribe(first)
    again = await client.subscribe(ROOM, id=first)  # the same id, by a key that has no end
    await told_and_gone(client, second, "This token has expired.")
    assert not [frame for frame in client.frames if frame["type"] == "subscribe_error"]
    await client.unsubscribe(again)


async def test_a_connection_ends_with_the_token_that_opened_it(signed: Server) -> None:
    client = await signed.client(None, token=ending())
    board = await client.subscribe(ROOM, authorization={"x-api-key": VIEWER})
    admin = await signed.client()
    assert await client.closed() == 1000
    error = client.frames.pop()
    assert error["type"] == "connection_error"
    assert error["errors"][0]["message"] == "This token has expired."
    assert not [frame for frame in client.frames if frame["type"] == "subscribe_error"]
    assert board
    assert (await admin.look(ROOM))["watching"] == 1  # the admin itself


async def test_tokens_end_one_by_one(signed: Server) -> None:
    """The earlier end does not hide the later one."""
    client = await signed.client(VIEWER)
    now = int(time.time())
    sooner, later = [
        await client.subscribe(ROOM, authorization={"Authorization": token(jti=name, exp=end)})
        for name, end in (("t1", now + 2), ("t2", now + 3))
    ]
    ended = [(await client.expect("subscribe_error"))["id"] for _ in range(2)]
    assert ended == [sooner, later]


async def test_the_python_client_is_told_of_the_end(signed: Server) -> None:
    async with (
        connect_client(signed.url, VIEWER, token=ending()) as client,
        client.subscribe(ROOM) as board,
    ):
        await client.publish(ROOM, {"player": "ann", "score": 1})
        with pytest.raises(Refused, match="This token has expired"):
            async for _ in board:
                pass


# -- revocation --------------------------------------------------------------------------------------------------------


async def test_a_revoked_token_is_out_at_once_on_every_connection(signed: Server) -> None:
    own = {"Authorization": token()}
    phone = await signed.client(None, token=token())
    await phone.subscribe(ROOM)
    tab = await signed.client(VIEWER)
    seen = await tab.subscribe(ROOM, authorization=own)
    event = {"player": "ann", "score": 1}
    assert (await tab.publish(ROOM, event, authorization=own))["type"] == "publish_success"
    admin = await signed.http(ADMIN)
    answer = await admin.delete("/api/tokens/t1")
    assert (answer.status_code, answer.content) == (204, b"")
    assert await phone.closed() == 1000
    assert [frame["type"] for frame in phone.frames[-2:]] == ["subscribe_error", "connection_error"]
    await told_and_gone(tab, seen, "This token was revoked.")
    refused = await tab.publish(ROOM, event, authorization=own)
    assert refused["errors"][0]["message"] == "This token was revoked."
    http = await signed.http(token=token())
    assert (await http.get(f"/api/boards{ROOM}")).json()["message"] == "This token was revoked."
    assert (await tab.publish(ROOM, event, authorization={"Authorization": token(jti="t2")}))[
        "type"
    ] == "publish_success"


async def test_only_an_admin_of_all_channels_revokes(signed: Server) -> None:
    by: list[tuple[dict[str, str], int]] = [
        ({}, 401),
        ({"x-api-key": "da2-nobody-knows-me"}, 401),
        ({"x-api-key": VIEWER}, 403),
        ({"x-api-key": SCOREKEEPER}, 403),
        ({"x-api-key": HOST}, 403),
        ({"authorization": token()}, 403),
        ({"authorization": token(role="admin", channel="/game/*", sub=None)}, 403),
    ]
    http = await signed.http()
    for headers, status in by:
        assert (await http.delete("/api/tokens/t1", headers=headers)).status_code == status
    client = await signed.client(None, token=token())
    assert await client.alive()
    by_token = {"authorization": token(role="admin", channel="/*", sub=None, jti="a1")}
    assert (await http.delete("/api/tokens/t1", headers=by_token)).status_code == 204
    assert await client.closed() == 1000


async def test_an_id_that_nobody_has_heard_of_is_revoked_all_the_same(signed: Server) -> None:
    admin = await signed.http(ADMIN)
    assert (await admin.delete("/api/tokens/t9")).status_code == 204
    assert (await admin.delete("/api/tokens/t9")).status_code == 204
    assert (await admin.delete(f"/api/tokens/{'t' * 65}")).status_code == 400
    client = await signed.client(None, token=token(jti="t9"), init=False)
    await client.send(type="connection_init")
    refused = await client.expect("connection_error")
    assert refused["errors"][0]["message"] == "This token was revoked."


# -- what is written down ----------------------------------------------------------------------------------------------


async def test_nothing_of_a_token_is_logged(
    signed: Server, caplog: pytest.LogCaptureFixture, publish: Publish
) -> None:
    caplog.set_level(logging.DEBUG, "leaderboard")
    good, bad = token(), FORGED["another secret"]
    clients = []
    for text in (good, bad, FORGED["a deep payload"]):
        await publish(text, ROOM, {"player": "ann", "score": 1})
        clients.append(await signed.client(None, token=text, init=False))
        await clients[-1].send(type="connection_init")
    await (await signed.http(ADMIN)).delete("/api/tokens/t1")
    for client in clients:
        assert await client.closed() == 1000
    for text in (good, bad):
        assert text not in caplog.text
        assert text.split(".")[2] not in caplog.text
