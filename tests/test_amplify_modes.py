"""Interoperability: the real client of `aws-amplify` in the auth modes beside keys."""

from __future__ import annotations

from typing import Any

import pytest

from tests.amplify import Rejected, application
from tests.conftest import running
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
