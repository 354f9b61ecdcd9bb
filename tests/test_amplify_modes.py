"""Interoperability: the real client of `aws-amplify` in the auth modes beside keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.amplify import Rejected, application
from tests.conftest import ADMIN, running
from tests.handled import placed
from tests.provider import AUDIENCE, providing

BOARD = "/leaderboard/cup"


def everywhere(mode: str) -> dict[str, Any]:
    lists = (
        "connection_auth_modes",
        "default_publish_auth_modes",
        "default_subscribe_auth_modes",
    )
    return dict.fromkeys(lists, (mode,))


def configuration(port: int, mode: str) -> dict[str, Any]:
    events = {"endpoint": f"HTTP://127.0.0.1:{port}/event", "defaultAuthMode": mode}
    return {"API": {"Events": events}}


@pytest.mark.parametrize(
    ("name", "mode"), [("oidc", "OPENID_CONNECT"), ("userPool", "AMAZON_COGNITO_USER_POOLS")]
)
async def test_a_user_of_a_provider_publishes_and_watches(name: str, mode: str) -> None:
    async with providing() as provider:
        oidc = {
            "issuer": provider.issuer,
            "audiences": (AUDIENCE,),
            "role_claim": "cognito:groups",
            "roles": {"umpires": "scorekeeper"},
        }
        async with running(oidc=oidc, **everywhere(mode)) as server, application({}) as app:
            await app.configure(configuration(server.port, name), await provider.token("umpire"))
            channel = await app.connect(BOARD)
            subscription = await channel.subscribe()
            await channel.publish({"player": "ann", "score": 7})
            while not (rows := (await subscription.event())["rows"]):
                pass
            assert rows[0]["player"] == "ann"
            await app.post(BOARD, {"player": "bob", "score": 3})


async def test_a_custom_authorizer_lets_in_whom_it_likes() -> None:
    def authorize(event: dict[str, Any]) -> dict[str, Any]:
        return {"isAuthorized": event["authorizationToken"] == "open sesame"}

    async with (
        running(authorizer=placed(authorize), **everywhere("AWS_LAMBDA")) as server,
        application({}) as app,
    ):
        await app.configure(configuration(server.port, "lambda"))
        token = {"authMode": "lambda", "authToken": "open sesame"}
        channel = await app.connect(BOARD, **token)
        subscription = await channel.subscribe(**token)
        await channel.publish({"player": "ann", "score": 7}, **token)
        while not (rows := (await subscription.event())["rows"]):
            pass
        assert rows[0]["player"] == "ann"
        await app.post(BOARD, {"player": "bob", "score": 3}, **token)
        with pytest.raises(Rejected, match="UnauthorizedException"):
            await channel.publish({"player": "ann", "score": 8}, authMode="lambda", authToken="x")


@pytest.mark.parametrize("mode", ["lambda", "none", "userPool"])
async def test_a_viewers_token_is_answered_in_each_mode_after_a_second_configure(mode: str) -> None:
    async with running() as server, application({}) as app:
        token, _ = server.app.state.auth.issue("viewer", BOARD, None, 600)
        keys = configuration(server.port, "apiKey")
        keys["API"]["Events"]["apiKey"] = ADMIN
        await app.configure(keys)
        before = await (await app.connect(BOARD)).subscribe()
        # Where users sign in the token is theirs; else each call names it.
        user = mode == "userPool"
        await app.configure(configuration(server.port, mode), token if user else None)
        options = {} if user else {"authMode": mode, "authToken": token}
        channel = await app.connect(BOARD, **options)
        subscription = await channel.subscribe(**options)
        assert (await subscription.event())["channel"] == BOARD
        with pytest.raises(Rejected, match="Publish errors: UnauthorizedException"):
            await channel.publish({"player": "ann", "score": 7}, **options)
        with pytest.raises(Rejected, match="UnauthorizedException"):
            await app.post(BOARD, {"player": "ann", "score": 7}, **options)
        assert (await before.event())["channel"] == BOARD  # which nothing of this has ended


@pytest.mark.parametrize("mode", ["lambda", "none"])
async def test_a_subscribe_without_a_token_is_never_sent_and_amplify_tells_nobody(
    mode: str,
) -> None:
    async with running() as server, application({}) as app:
        keys = configuration(server.port, "apiKey")
        keys["API"]["Events"]["apiKey"] = ADMIN
        await app.configure(keys)
        await (await app.connect(BOARD)).subscribe()
        await app.configure(configuration(server.port, mode))
        channel = await app.connect(BOARD)  # the connection is open: nobody asks for a token
        await app.state("Connected")
        pending = asyncio.create_task(channel.subscribing().ready())
        # Amplify closes its connection instead, on which it has sent nothing that could be answered.
        await app.state("ConnectionDisrupted")
        with pytest.raises(Rejected, match="No auth token specified"):
            await channel.publish({"player": "ann", "score": 7})
        metrics = server.app.state.broker.metrics
        asked = ("SubscribeSuccess", "SubscribeClientError", "PublishSuccess", "PublishClientError")
        assert [metrics[name] for name in asked] == [1, 0, 0, 0]
        assert not pending.done()
        pending.cancel()
