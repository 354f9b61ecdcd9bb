"""Who gets in where: every door, by every credential, in every auth mode, on the right channel and on a wrong one.

The table is made, not written: what is expected follows from one line per door (the least role), per credential (role,
mode, channels), and per namespace (the modes that it takes).
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from pydantic import SecretStr

from leaderboard.grants import Role
from leaderboard.settings import ApiKey, AuthMode
from tests.appsync import Client, error_types
from tests.conftest import Server, running
from tests.handled import placed
from tests.provider import AUDIENCE, Provider, providing

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODES: dict[str, AuthMode] = {
    "keys": "API_KEY",
    "oidc": "OPENID_CONNECT",
    "lambda": "AWS_LAMBDA",
}
"""A namespace for each mode, which takes that one alone."""
SECRET = "a secret of the tests, 32 bytes or more"
ROLES = ("viewer", "player", "scorekeeper", "host", "admin")


@dataclass(frozen=True)
class Holder:
    """Somebody with a credential: for the boards called ``in``, of every namespace."""

    name: str
    role: str
    mode: AuthMode | None
    """None: it is no credential."""


HOLDERS = [
    *(Holder(f"key of a {role}", role, "API_KEY") for role in ROLES if role != "player"),
    *(Holder(f"token of a {role}", role, "API_KEY") for role in ROLES),
    *(Holder(f"provider's {role}", role, "OPENID_CONNECT") for role in ROLES),
    *(Holder(f"authorizer's {role}", role, "AWS_LAMBDA") for role in ROLES),
    *(Holder(name, "viewer", None) for name in ("nothing", "unknown key", "forged", "expired")),
]


def authorize(event: dict[str, Any]) -> dict[str, Any]:
    """Lets those in who say who they are, on the boards called ``in``."""
    said, channel = event["authorizationToken"], event["requestContext"]["channel"]
    known = said.startswith("I am a ")
    inside = channel is None or channel.endswith("/in")
    context = {"role": said.removeprefix("I am a "), "player": "ann"}
    return {"isAuthorized": known and inside, "handlerContext": context if known else {}}


def signed(role: str, channel: str, lifetime: int = 3600) -> str:

    now = int(time.time())
    claims = {
        "iss": "leaderboard",
        "aud": "leaderboard",
        "jti": f"{role}{channel.replace('/', '-')}",
        "iat": now - 10,
        "exp": now + lifetime,
        "role": role,
        "channel": channel,
        **({"sub": "ann"} if role == "player" else {}),
    }
    return jwt.encode(claims, SECRET, "HS256")


@dataclass
class World:
    """A server that takes everything somewhere, and the credentials of all who try."""

    server: Server
    provider: Provider
    socket: Client
    """A connection that was opened by somebody else: each operation has a credential of its own."""
    http: httpx.AsyncClient

    def credential(self, holder: Holder, namespace: str) -> dict[str, str]:
        """What a holder sends for boards of a namespace."""
        kind = holder.name
        if kind.startswith("key of"):
            return {"x-api-key": f"da2-key-of-{holder.role}"}
        if kind.startswith("provider's"):
            claims: dict[str, Any] = {"groups": [holder.role], "sub": "ann"}
            return {"Authorization": self.provider.signed(**claims)}
        return {
            "nothing": {},
            "unknown key": {"x-api-key": "da2-nobody-was-given-it"},
            "forged": {"Authorization": signed("admin", "/*")[:-8] + "AAAAAAAA"},
            "expired": {"Authorization": signed("admin", "/*", -5)},
        }.get(
            kind,
            {
                "Authorization": f"I am a {holder.role}"
                if kind.startswith("authorizer's")
                else signed(holder.role, f"/{namespace}/in")
            },
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole() -> AsyncIterator[World]:
    inside = tuple(f"/{namespace}/in" for namespace in MODES)
    keys = tuple(
        ApiKey(key=SecretStr(f"da2-key-of-{role}"), role=role, channels=inside)
        for role in ("viewer", "scorekeeper", "host", "admin")
    )
    every = tuple(MODES.values())
    async with providing() as provider:
        oidc = {
            "issuer": provider.issuer,
            "audiences": (AUDIENCE,),
            "role_claim": "groups",
            "roles": {role: role for role in ROLES},
            "channels": inside,
        }
        async with running(
            api_keys=keys,
            secret=SECRET,
            viewer_key="",
            oidc=oidc,
            authorizer=placed(authorize),
            connection_auth_modes=every,
            default_publish_auth_modes=every,
            default_subscribe_auth_modes=every,
            namespaces={
                name: {"publish_auth_modes": [mode], "subscribe_auth_modes": [mode]}
                for name, mode in MODES.items()
            },
            limits={"publishes_per_second": 0, "publishes_per_player": 0},
        ) as server:
            socket, http = await server.client("da2-key-of-viewer"), await server.http()
            yield World(server, provider, socket, http)


@pytest_asyncio.fixture(loop_scope="module")
async def world(whole: World) -> AsyncIterator[World]:
    """The one server of all tests; what a test opens itself ends with it."""
    async with AsyncExitStack() as stack:
        yield replace(whole, server=replace(whole.server, _stack=stack))


# -- the doors ---------------------------------------------------------------------------------------------------------

Try = Callable[[World, dict[str, str], str], Awaitable[str]]
"""Tries a door with a credential on a channel: ``in``, or the type of the error."""

SCORE = {"player": "ann", "score": 1}
OTHERS = {"player": "bob", "score": 1}
CONTROL = {"op": "open"}


def told(answer: dict[str, Any]) -> str:
    """What became of one event: an answer of either door."""
    errors = [*answer.get("errors", ()), *answer.get("failed", ())]
    return str(errors[0]["errorType"]) if errors else "in"


def by_socket(event: dict[str, Any]) -> Try:
    async def attempt(world: World, credential: dict[str, str], channel: str) -> str:
        return told(await world.socket.publish(channel, event, authorization=credential))

    return attempt


def by_http(event: dict[str, Any]) -> Try:
    async def attempt(world: World, credential: dict[str, str], channel: str) -> str:
        body = {"channel": channel, "events": [json.dumps(event)]}
        return told((await world.http.post("/event", json=body, headers=credential)).json())

    return attempt


def subscribing(**view: Any) -> Try:
    async def attempt(world: World, credential: dict[str, str], channel: str) -> str:
        members = {"authorization": credential, **({"view": view} if view else {})}
        answer = await world.socket.subscribing(channel, **members)
        if answer["type"] == "subscribe_success":
            await world.socket.unsubscribe(answer["id"])
        return told(answer)

    return attempt


def reading(behind: str = "") -> Try:
    async def attempt(world: World, credential: dict[str, str], channel: str) -> str:
        answer = await world.http.get(f"/api/boards{channel}{behind}", headers=credential)
        return "in" if answer.status_code == 200 else told(answer.json())

    return attempt


async def control(world: World, credential: dict[str, str], channel: str) -> str:
    return told(
        (await world.http.post(f"/api/boards{channel}", json=CONTROL, headers=credential)).json()
    )


async def people(world: World, credential: dict[str, str], channel: str) -> str:
    answer = await world.http.get(f"/api/players{channel}", headers=credential)
    return "in" if answer.status_code == 200 else told(answer.json())


async def link(world: World, credential: dict[str, str], channel: str) -> str:
    wanted = {"role": "viewer", "channel": channel}
    answer = await world.http.post("/api/links", json=wanted, headers=credential)
    return "in" if answer.status_code == 201 else told(answer.json())


@dataclass(frozen=True)
class Doorway:
    """A door, the least role that gets through, and what those get that may go to the channel but not through."""

    attempt: Try
    least: Role
    instead: Callable[[Role], str] = lambda role: "UnauthorizedException"


def failure_of_the_event(role: Role) -> str:
    """Whoever may publish is told of the one event; a viewer may not at all."""
    return "UnauthorizedException" if role is Role.VIEWER else "NotAllowed"


DOORS = {
    "subscribe": Doorway(subscribing(), Role.VIEWER),
    "subscribe behind the curtain": Doorway(subscribing(live=True), Role.HOST),
    "read": Doorway(reading(), Role.VIEWER),
    "read behind the curtain": Doorway(reading("?live=true"), Role.HOST),
    "read a file": Doorway(reading(".csv"), Role.VIEWER),
    "own score by socket": Doorway(by_socket(SCORE), Role.PLAYER),
    "own score by http": Doorway(by_http(SCORE), Role.PLAYER),
    "another's score by socket": Doorway(by_socket(OTHERS), Role.SCOREKEEPER, failure_of_the_event),
    "another's score by http": Doorway(by_http(OTHERS), Role.SCOREKEEPER, failure_of_the_event),
    "control by socket": Doorway(by_socket(CONTROL), Role.HOST, failure_of_the_event),
    "control": Doorway(control, Role.HOST, failure_of_the_event),
    "people": Doorway(people, Role.HOST),
    "link": Doorway(link, Role.HOST),
}


def expected(door: Doorway, holder: Holder, namespace: str, inside: bool) -> str:
    """What has to come of it."""
    if namespace not in MODES or holder.mode != MODES[namespace] or not inside:
        return "UnauthorizedException"
    role = Role[holder.role.upper()]
    return "in" if role >= door.least else door.instead(role)


@pytest.mark.parametrize("name", DOORS)
async def test_whoever_tries_a_door_gets_what_the_table_says(world: World, name: str) -> None:
    door = DOORS[name]
    wrong: list[str] = []
    tried = 0
    places = itertools.product([*MODES, "nowhere"], (True, False))
    for (namespace, inside), holder in itertools.product(places, HOLDERS):
        channel = f"/{namespace}/{'in' if inside else 'out'}"
        if name.startswith(("read", "people")) and holder.name == "nothing":
            wanted = "ResourceNotFound"  # nothing is public: it looks as if nothing were there
        else:
            wanted = expected(door, holder, namespace, inside)
        got = await door.attempt(world, world.credential(holder, namespace), channel)
        tried += 1
        if got != wanted:
            wrong.append(f"{holder.name} at {channel}: {got}, not {wanted}")
    assert not wrong, "\n".join(wrong)
    assert tried == len(HOLDERS) * 8


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: str(holder.name))
@pytest.mark.parametrize("mode", [*MODES.values(), "all"])
async def test_a_connection_opens_for_the_modes_that_it_takes_and_for_nobody_else(
    world: World, holder: Holder, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = tuple(MODES.values()) if mode == "all" else (mode,)
    auth = world.server.app.state.auth
    settings = world.server.settings.model_copy(update={"connection_auth_modes": taken})
    monkeypatch.setattr(auth.access, "_settings", settings)
    credential = world.credential(holder, "keys")
    client = await world.server.client(
        credential.get("x-api-key"), token=credential.get("Authorization"), init=False
    )
    await client.send(type="connection_init")
    if holder.mode in taken:
        assert await client.expect("connection_ack")
    else:
        assert error_types(await client.expect("connection_error")) == ["UnauthorizedException"]
        assert await client.closed() == 1000


@pytest.mark.parametrize("channel", ["/keys/out", "/nowhere/in"])
async def test_a_refusal_is_the_same_whether_there_is_something_or_not(
    world: World, channel: str
) -> None:
    """Word for word, for a credential that is good elsewhere."""
    http = await world.server.http("da2-key-of-admin")
    body = {"channel": channel, "events": [json.dumps(SCORE)]}
    answers = [
        await http.post("/event", json=body),
        await http.get(f"/api/boards{channel}"),
        await http.get(f"/api/players{channel}"),
        await http.post(f"/api/boards{channel}", json=CONTROL),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json()["message"] for answer in answers} == {
        "You are not authorized to make this call."
    }
