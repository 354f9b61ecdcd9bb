"""OpenID Connect against a real provider: what it signs is taken, what only looks like it is not; its keys change."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from leaderboard import oidc
from leaderboard.settings import ApiKey
from tests.appsync import error_types, players
from tests.conftest import ADMIN, Server, running
from tests.provider import AUDIENCE, Keys, Provider, providing

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOARD = "/leaderboard/cup"
CLAIMS = {
    "role_claim": "cognito:groups",
    "roles": {"umpires": "scorekeeper", "players": "player", "admins": "admin"},
    "default_role": "none",
}
EVERYWHERE: dict[str, Any] = {
    "connection_auth_modes": ("OPENID_CONNECT", "API_KEY"),
    "default_publish_auth_modes": ("OPENID_CONNECT",),
    "default_subscribe_auth_modes": ("AMAZON_COGNITO_USER_POOLS", "API_KEY"),
}
DENIED = "You are not authorized to make this call."


def in_groups(named: object) -> dict[str, Any]:
    return {"cognito:groups": named}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with providing() as provider:
        yield provider


def rules(provider: Provider, **changes: Any) -> dict[str, Any]:
    return {"issuer": provider.issuer, "audiences": (AUDIENCE,), **CLAIMS, **changes}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["direct", "plain"])
async def module_server(
    request: pytest.FixtureRequest, provider: Provider
) -> AsyncIterator[Server]:
    plain = request.param == "plain"
    async with running(plain_asgi=plain, oidc=rules(provider), **EVERYWHERE) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def server(module_server: Server) -> AsyncIterator[Server]:
    """The one server of most tests; each has connections of its own."""
    async with AsyncExitStack() as stack:
        yield replace(module_server, _stack=stack)


Serve = Callable[..., Any]


@pytest_asyncio.fixture(loop_scope="module")
async def serve(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serve]:
    """Start servers of a test's own, that ask the provider as often as they like."""
    monkeypatch.setattr(oidc, "PAUSE", 0.0)
    async with AsyncExitStack() as stack:

        async def serve(**values: Any) -> Server:
            settings = {"oidc": rules(provider), **EVERYWHERE, **values}
            return await stack.enter_async_context(running(**settings))

        yield serve


async def post(server: Server, token: str, player: str = "bob", channel: str = BOARD) -> Any:
    """What a publish by HTTP is answered with."""
    http = await server.http(token=token)
    event = json.dumps({"player": player, "score": 1})
    return (await http.post("/event", json={"channel": channel, "events": [event]})).json()


# -- what is taken -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", [AUDIENCE, f"{AUDIENCE}/es"], ids=["RS256", "ES256"])
async def test_a_token_of_the_provider_connects_subscribes_and_publishes(
    serve: Serve, provider: Provider, audience: str
) -> None:
    server = await serve(oidc=rules(provider, audiences=(AUDIENCE, f"{AUDIENCE}/es")))
    token = await provider.token("umpire", audience)
    client = await server.client(None, token=f"Bearer {token}")
    id_ = await client.subscribe(BOARD)
    assert (await client.publish(BOARD, {"player": "bob", "score": 5}))["type"] == "publish_success"
    await client.until(id_, lambda snapshot: players(snapshot) == ["bob"])
    http = await server.http(token=token)
    assert players((await http.get(f"/api/boards{BOARD}")).json()) == ["bob"]


async def test_a_player_of_the_provider_has_its_own_row_and_no_other(
    server: Server, provider: Provider
) -> None:
    token = await provider.token("ann")
    assert len((await post(server, token, "ann"))["successful"]) == 1
    (failed,) = (await post(server, token, "bob"))["failed"]
    assert failed["errorType"] == "NotAllowed"


async def test_the_highest_role_of_several_counts(server: Server, provider: Provider) -> None:
    token = provider.signed(**in_groups(["fans", "players", "umpires"]))
    assert len((await post(server, token))["successful"]) == 1
    assert len((await post(server, provider.signed(**in_groups("umpires"))))["successful"])


async def test_who_has_no_role_here_is_refused(server: Server, provider: Provider) -> None:
    answer = await post(server, await provider.token("stranger"))
    assert error_types(answer) == ["UnauthorizedException"]
    assert answer["message"] == "This token is not taken: who has it has no role here."


async def test_an_access_token_of_a_user_pool_names_its_client_instead_of_an_audience(
    server: Server, provider: Provider
) -> None:
    good = provider.signed(aud=None, client_id=AUDIENCE, token_use="access")
    assert len((await post(server, good))["successful"]) == 1
    other = await post(server, provider.signed(aud=None, client_id="another app"))
    assert error_types(other) == ["UnauthorizedException"]


async def test_claims_may_be_nested_and_cover_only_some_channels(
    serve: Serve, provider: Provider
) -> None:
    nested = rules(
        provider, role_claim="realm_access.roles", player_claim="name", channels=("/leaderboard/*",)
    )
    server = await serve(oidc=nested)
    token = provider.signed(realm_access={"roles": ["players"]}, name="ann")
    assert len((await post(server, token, "ann"))["successful"]) == 1
    assert error_types(await post(server, token, "ann", "/game/a")) == ["UnauthorizedException"]


async def test_a_namespace_may_take_it_where_others_do_not(
    serve: Serve, provider: Provider
) -> None:
    server = await serve(
        default_publish_auth_modes=("API_KEY",),
        namespaces={"leaderboard": {}, "open": {"publish_auth_modes": ["OPENID_CONNECT"]}},
    )
    token = await provider.token("umpire")
    assert error_types(await post(server, token)) == ["UnauthorizedException"]
    assert len((await post(server, token, channel="/open/a"))["successful"]) == 1
    http = await server.http(ADMIN)
    event = {"channel": "/open/a", "events": ['{"player":"bob","score":1}']}
    assert (await http.post("/event", json=event)).status_code == 401


async def test_an_admin_of_the_provider_looks_backstage_and_so_does_a_key(
    server: Server, provider: Provider
) -> None:
    for group, status in (("admins", 200), ("umpires", 403)):
        token = provider.signed(**in_groups([group]))
        assert (await (await server.http(token=token)).get("/-/now")).status_code == status
    assert (await (await server.http(ADMIN)).get("/-/now")).status_code == 200


# -- what is not -------------------------------------------------------------------------------------------------------


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    signed = f"{encoded(header)}.{encoded(claims)}"
    digest = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def of_public_key(provider: Provider, format: PublicFormat) -> str:  # noqa: A002
    """The classic: HMAC, with what everybody can read as the secret."""
    public = provider.keys.rsa.public_key().public_bytes(Encoding.PEM, format)
    return by_hand({"alg": "HS256", "kid": provider.keys.kid}, provider.said(), public)


def by_jwks(provider: Provider) -> str:
    keys = Keys()
    header = {"alg": "RS256", "jwk": keys.described()["keys"][0], "jku": f"{provider.issuer}/jwks"}
    token = replace(provider, keys=replace(keys, kid=provider.keys.kid)).signed()
    return f"{encoded(header)}.{token.split('.', 1)[1]}"


Forge = Callable[[Provider], str]
FORGED: dict[str, Forge] = {
    "not yet valid": lambda p: p.signed(nbf=int(time.time()) + 600),
    "issued in the future": lambda p: p.signed(iat=int(time.time()) + 600),
    "wrong audience": lambda p: p.signed(aud="https://another.example"),
    "no audience": lambda p: p.signed(aud=None),
    "an audience that is no text": lambda p: p.signed(aud=[7]),
    "no end": lambda p: p.signed(exp=None),
    "no time of issue": lambda p: p.signed(iat=None),
    "another issuer": lambda p: p.signed(iss="https://id.example"),
    "our issuer": lambda p: p.signed(iss="leaderboard"),
    "another's key": lambda p: p.signed(keys=Keys()),
    "alg none": lambda p: f"{encoded({'alg': 'none'})}.{encoded(p.said())}.",
    "alg None": lambda p: f"{encoded({'alg': 'None', 'kid': p.keys.kid})}.{encoded(p.said())}.",
    "HS256 by the public key (SPKI)": lambda p: of_public_key(p, PublicFormat.SubjectPublicKeyInfo),
    "HS256 by the public key (PKCS1)": lambda p: of_public_key(p, PublicFormat.PKCS1),
    "HS256 by nothing": lambda p: by_hand({"alg": "HS256"}, p.said(), b""),
    "a key of its own": by_jwks,
    "an algorithm that is not ours to take": lambda p: (
        f"{encoded({'alg': 'RS512', 'kid': p.keys.kid})}.{p.signed().split('.', 1)[1]}"
    ),
    "the other family": lambda p: (
        f"{encoded({'alg': 'ES256', 'kid': p.keys.kid})}.{p.signed().split('.', 1)[1]}"
    ),
    "half a signature": lambda p: p.signed()[:-20],
    "another payload": lambda p: ".".join(
        [p.signed().split(".")[0], encoded(p.said(sub="eve")), p.signed().split(".")[2]]
    ),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_what_only_looks_like_a_token_of_the_provider_is_refused_without_a_reason(
    server: Server, provider: Provider, forge: Forge
) -> None:
    token = forge(provider)
    for answer in (await post(server, token), await post(server, token, channel="/nowhere/a")):
        assert answer["errors"] == [{"errorType": "UnauthorizedException", "message": DENIED}]
    client = await server.client(None, token=token, init=False)
    await client.send(type="connection_init")
    assert error_types(await client.expect("connection_error")) == ["UnauthorizedException"]
    assert await client.closed() == 1000
    client = await server.client()
    authorization = {"Authorization": token}
    assert error_types(await client.subscribing(BOARD, authorization=authorization)) == [
        "UnauthorizedException"
    ]


async def test_an_expired_token_is_told_so_and_a_clock_may_be_somewhat_wrong(
    server: Server, provider: Provider
) -> None:
    now = int(time.time())
    answer = await post(server, provider.signed(iat=now - 600, exp=now - 60))
    assert answer["errors"] == [
        {"errorType": "UnauthorizedException", "message": "This token has expired."}
    ]
    assert len((await post(server, provider.signed(exp=now - 10)))["successful"]) == 1
    ahead = provider.signed(iat=now + 10, nbf=now + 10)
    assert len((await post(server, ahead))["successful"]) == 1


async def test_older_tokens_are_cut_here_too(serve: Serve, provider: Provider) -> None:
    now = int(time.time())
    server = await serve(tokens_not_before=now - 60)
    assert "tokens_not_before" in (await post(server, provider.signed(iat=now - 120)))["message"]
    assert len((await post(server, provider.signed()))["successful"]) == 1


# -- its keys ----------------------------------------------------------------------------------------------------------


async def test_after_a_rotation_new_keys_are_taken_at_once_and_old_ones_no_more(
    serve: Serve, provider: Provider
) -> None:
    server = await serve()
    old, of_old = provider.keys, provider.signed(sub="old")
    assert len((await post(server, await provider.token("umpire")))["successful"]) == 1
    await provider.rotate()
    assert len((await post(server, await provider.token("umpire")))["successful"]) == 1
    assert error_types(await post(server, of_old)) == ["UnauthorizedException"]
    unnamed = replace(provider, keys=old)
    assert error_types(await post(server, unnamed.signed())) == ["UnauthorizedException"]


async def test_keys_are_remembered(server: Server, provider: Provider) -> None:
    await post(server, provider.signed())
    before = await provider.fetches()
    for _ in range(5):
        await post(server, provider.signed())
    assert await provider.fetches() == before


async def test_a_flood_of_unknown_keys_asks_the_provider_once(
    serve: Serve, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "PAUSE", 600.0)
    server = await serve()
    before = await provider.fetches()
    stranger = replace(provider, keys=Keys())
    tokens = [stranger.signed() for _ in range(40)]
    answers = await asyncio.gather(*(post(server, token) for token in tokens))
    assert {kind for answer in answers for kind in error_types(answer)} == {"UnauthorizedException"}
    assert await provider.fetches() == before + 1
    assert len((await post(server, provider.signed()))["successful"]) == 1


async def test_a_provider_that_cannot_be_reached_is_a_fault_that_passes(
    serve: Serve, unused_tcp_port: int, provider: Provider
) -> None:
    nobody = f"http://127.0.0.1:{unused_tcp_port}"
    server = await serve(oidc={"issuer": nobody, "audiences": (AUDIENCE,)})
    http = await server.http(token=replace(provider, issuer=nobody).signed())
    answer = await http.get(f"/api/boards{BOARD}")
    assert (answer.status_code, error_types(answer.json())) == (503, ["AuthUnavailable"])
    assert nobody not in answer.text
    assert (await (await server.http(ADMIN)).get(f"/api/boards{BOARD}")).status_code == 200


async def test_while_keys_are_fetched_later_frames_wait_and_others_do_not(
    serve: Serve, provider: Provider
) -> None:
    hung = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hung.wait()
        writer.close()

    listener = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with listener:
        issuer = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        both = ("OPENID_CONNECT", "API_KEY")
        server = await serve(
            oidc={"issuer": issuer, "audiences": (AUDIENCE,)}, default_publish_auth_modes=both
        )
        waiting, other = await server.client(), await server.client()
        token = replace(provider, issuer=issuer).signed()
        first = waiting.publication(
            BOARD, {"player": "a", "score": 1}, authorization={"Authorization": token}
        )
        second = waiting.publication(BOARD, {"player": "b", "score": 1})
        await waiting.send(**first)
        await waiting.send(**second)
        answer = await other.publish(BOARD, {"player": "c", "score": 1})
        assert answer["type"] == "publish_success"
        assert players(await other.look(BOARD)) == ["c"]
        hung.set()
        assert error_types(await waiting.receive()) == ["AuthUnavailable"]
        assert (await waiting.receive())["id"] == second["id"]


# -- its end -----------------------------------------------------------------------------------------------------------


async def test_what_a_token_opened_ends_with_it(serve: Serve, provider: Provider) -> None:
    server = await serve(oidc=rules(provider, clock_skew="1ms"), limits={"first_frame": 2.0})
    now = int(time.time())
    token = provider.signed(exp=now + 2)
    opened_by, client = await server.client(None, token=token), await server.client()
    id_ = await client.subscribe(BOARD, authorization={"Authorization": token})
    ended = await client.expect("subscribe_error", id=id_)
    assert ended["errors"][0]["message"] == "This token has expired."
    assert await client.alive()
    assert error_types(await opened_by.expect("connection_error")) == ["UnauthorizedException"]
    assert await opened_by.closed() == 1000


async def test_a_token_is_revoked_by_the_id_that_its_provider_gave_it(
    serve: Serve, provider: Provider
) -> None:
    server = await serve()
    token = provider.signed(jti="lost")
    opened_by, client = await server.client(None, token=token), await server.client()
    id_ = await client.subscribe(BOARD, authorization={"Authorization": token})
    admin = await server.http(token=provider.signed(**in_groups(["admins"])))
    assert (await admin.delete("/api/tokens/lost")).status_code == 204
    assert error_types(await client.expect("subscribe_error", id=id_)) == ["UnauthorizedException"]
    assert await opened_by.closed() == 1000
    assert (await post(server, token))["message"] == "This token was revoked."


async def test_a_key_of_another_mode_opens_nothing_here(serve: Serve) -> None:
    key = ApiKey(key=SecretStr(ADMIN), role="admin")
    server = await serve(connection_auth_modes=("OPENID_CONNECT",), api_keys=(key,))
    client = await server.client(ADMIN, init=False)
    await client.send(type="connection_init")
    assert error_types(await client.expect("connection_error")) == ["UnauthorizedException"]
