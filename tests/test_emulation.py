"""`emulate`: a server that is no more than AppSync Events at AWS, and tells who relies on more."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
import websockets
from pydantic import SecretStr
from websockets.typing import Subprotocol

from leaderboard.emulation import MOST_TOLD, Emulation, emulated
from leaderboard.settings import ApiKey, Limits, Namespace, Oidc, Settings
from tests.amplify import APPLICATION, Rejected, application
from tests.appsync import NAME, error_types, eventually
from tests.checkout import ROOT
from tests.conftest import ADMIN, Server, Start
from tests.handled import placed
from tests.needs import needs
from tests.provider import AUDIENCE, providing

CHAT = "/default/chat"


@pytest.fixture
async def server(start: Start) -> Server:
    return await start(emulate=True)


def told(server: Server) -> list[str]:
    """What clients have relied on that AWS does not have."""
    return list(server.app.state.emulation.told)


# -- settings ----------------------------------------------------------------------------------------------------------


def test_without_configuration_it_is_a_new_api_of_the_console() -> None:
    settings, differences = emulated(Settings())
    assert settings.emulate
    assert settings.namespaces == {"default": Namespace(kind="relay")}
    assert settings.viewer_key == ""
    assert differences == []


def test_what_is_more_or_less_than_aws_is_told() -> None:
    settings, differences = emulated(
        Settings(
            namespaces={
                "arcade": Namespace(mode="sum", on_publish="a:b"),
                "chat": Namespace(kind="relay"),
            },
            limits=Limits(publishes_per_second=0, keep_alive=5, connections=7),
            api_keys=(
                ApiKey(key=SecretStr("da2-12345678"), role="viewer", channels=("/a/*",)),
                ApiKey(key=SecretStr("da2-abcdefgh"), role="admin"),
            ),
        )
    )
    assert settings.namespaces["arcade"] == Namespace(kind="relay", on_publish="a:b")
    assert settings.limits == Limits(connections=7)
    assert [(key.role, key.channels) for key in settings.api_keys] == [
        ("scorekeeper", ("/*",)),
        ("admin", ("/*",)),
    ]
    assert differences == [
        "namespaces.arcade ranks scores; at AWS, and here, it relays events as they came.",
        "limits.publishes_per_second is 0; AWS's quota holds, 25.",
        "limits.keep_alive is 5; AWS's quota holds, 60.",
        "api_keys.0 is restricted; at AWS, and here, a key may use every channel.",
    ]


def test_what_a_provider_says_of_roles_and_channels_counts_as_little_as_at_aws() -> None:
    settings, differences = emulated(
        Settings(
            oidc=Oidc(
                issuer="https://id.example",
                audiences=("scores",),
                role_claim="groups",
                roles={"fans": "viewer", "admins": "admin"},
                default_role="none",
                channels=("/a/*",),
            )
        )
    )
    assert settings.oidc.roles == {"fans": "scorekeeper", "admins": "admin"}
    assert (settings.oidc.default_role, settings.oidc.channels) == ("scorekeeper", ("/*",))
    assert differences == [
        "oidc restricts tokens; at AWS, and here, a token may use every channel."
    ]
    assert emulated(settings) == (settings, [])


def test_emulated_settings_are_not_changed_again() -> None:
    once, _ = emulated(Settings(namespaces={"arcade": Namespace(top=3)}))
    assert emulated(once) == (once, [])


def test_more_namespaces_than_an_api_has_are_told() -> None:
    names = {f"n{index}": Namespace(kind="relay") for index in range(51)}
    assert emulated(Settings(namespaces=names))[1] == [
        "There are 51 namespaces; at AWS an API has 50 at most."
    ]


def test_a_thing_is_told_once_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        emulation = Emulation(["a"])
        for _ in range(3):
            emulation.tell("b")
        for number in range(MOST_TOLD * 2):
            emulation.tell(f"c{number}")
    assert caplog.messages[:2] == ["emulation: a", "emulation: b"]
    assert len(caplog.messages) == len(emulation.told) == MOST_TOLD


# -- what is ours alone ------------------------------------------------------------------------------------------------


async def test_a_view_is_passed_over_and_told(server: Server) -> None:
    client = await server.client()
    id_ = await client.subscribe(CHAT, view={"top": 3})
    await client.publish(CHAT, {"player": "ann", "score": 1})
    assert await client.event(id_) == {"player": "ann", "score": 1}
    assert told(server) == ["a subscribe has `view`, which is no member of AppSync's"]


async def test_results_are_passed_over_and_told(server: Server) -> None:
    client = await server.client()
    answer = await client.publish(CHAT, 1, results=True)
    assert answer.keys() == {"type", "id", "successful", "failed"}
    assert told(server) == ["a publish has `results`, which is no member of AppSync's"]


async def test_so_they_are_over_http(server: Server) -> None:
    body = {"channel": CHAT, "events": ["1"], "results": True}
    answer = await (await server.http(ADMIN)).post("/event", json=body)
    assert answer.json().keys() == {"successful", "failed"}
    assert told(server) == ["a publish has `results`, which is no member of AppSync's"]


async def test_a_token_of_ours_is_refused_and_told(start: Start) -> None:
    plain, server = await start(secret="s" * 32), await start(emulate=True, secret="s" * 32)
    token, _ = plain.app.state.auth.issue("scorekeeper", "/*", None, 60)
    client = await server.client()
    refused = await client.publish(CHAT, 1, authorization={"Authorization": f"Bearer {token}"})
    assert error_types(refused) == ["UnauthorizedException"]
    http = await server.http(token=token)
    answer = await http.post("/event", json={"channel": CHAT, "events": ["1"]})
    assert answer.status_code == 401
    assert told(server) == ["a client has a token of this server, which AWS would not take"]


async def test_the_public_key_is_refused_and_told(server: Server) -> None:
    client = await server.client()
    refused = await client.subscribing(CHAT, authorization={"x-api-key": "pk_viewer"})
    assert error_types(refused) == ["UnauthorizedException"]
    assert told(server) == ["a client has the public key pk_viewer, which AWS would not take"]


async def test_a_token_of_a_provider_may_do_all_that_its_mode_is_accepted_for(start: Start) -> None:
    async with providing() as provider:
        server = await start(
            emulate=True,
            oidc={"issuer": provider.issuer, "audiences": (AUDIENCE,)},
            connection_auth_modes=("OPENID_CONNECT",),
            default_publish_auth_modes=("AMAZON_COGNITO_USER_POOLS",),
            default_subscribe_auth_modes=("OPENID_CONNECT",),
            namespaces={
                "default": {"kind": "relay"},
                "keys": {"kind": "relay", "publish_auth_modes": ["API_KEY"]},
            },
        )
        token = await provider.token("stranger")
        client = await server.client(None, token=token)
        id_ = await client.subscribe(f"{CHAT}/*")
        assert (await client.publish(f"{CHAT}/a", 1))["type"] == "publish_success"
        http = await server.http(token=token)
        body = {"channel": f"{CHAT}/b", "events": ["2"]}
        assert (await http.post("/event", json=body)).status_code == 200
        assert [await client.event(id_) for _ in range(2)] == [1, 2]

        refused = await client.publish("/keys/a", 1)
        assert error_types(refused) == ["UnauthorizedException"]
        with_key = await client.publish("/keys/a", 1, authorization={"x-api-key": ADMIN})
        assert with_key["type"] == "publish_success"
        refused = await client.publish(CHAT, 1, authorization={"x-api-key": ADMIN})
        assert error_types(refused) == ["UnauthorizedException"]
        expired = provider.signed(iat=int(time.time()) - 600, exp=int(time.time()) - 300)
        refused = await client.publish(CHAT, 1, authorization={"Authorization": expired})
        assert error_types(refused) == ["UnauthorizedException"]
        assert told(server) == []


async def test_a_header_without_a_host_is_refused_and_told(server: Server) -> None:
    text = base64.urlsafe_b64encode(json.dumps({"x-api-key": ADMIN}).encode()).decode().rstrip("=")
    protocols = [NAME, Subprotocol(f"header-{text}")]
    async with websockets.connect(server.socket_url, subprotocols=protocols) as socket:
        await socket.send('{"type":"connection_init"}')
        answer = json.loads(await socket.recv())
    assert answer["type"] == "connection_error"
    assert error_types(answer) == ["UnauthorizedException"]
    assert told(server) == ["the header- sub-protocol of a client has no `host`, so it was refused"]


async def test_headers_of_the_request_have_a_host_of_their_own(server: Server) -> None:
    client = await server.client(carrier="headers")
    await client.subscribe(CHAT)
    assert told(server) == []


async def test_a_client_that_keeps_to_the_protocol_is_not_told_of(server: Server) -> None:
    client = await server.client()
    id_ = await client.subscribe(f"{CHAT}/*")
    await client.publish(f"{CHAT}/a", {"id": "abc123", "score": 1}, payload={"channel": CHAT})
    assert await client.event(id_) == {"id": "abc123", "score": 1}
    assert told(server) == []


# -- quotas and answers ------------------------------------------------------------------------------------------------


async def test_quotas_hold_whatever_was_configured(start: Start) -> None:
    server = await start(emulate=True, limits={"publishes_per_second": 0})
    client = await server.client()
    answers = await client.publish_all(client.publication(CHAT, n) for n in range(26))
    assert [error_types(each) for each in answers if "errors" in each] == [["LimitExceededError"]]


async def test_a_subscribe_of_more_than_240_kb_is_refused(server: Server) -> None:
    client = await server.client()
    refused = await client.subscribing(CHAT, payload="x" * 240 * 1024)
    assert error_types(refused) == ["InvalidInputError"]


async def test_a_publish_of_which_every_event_failed_is_a_success(start: Start) -> None:
    def on_publish(ctx: Any) -> Any:
        for event in ctx.events:
            event.error = "not today"
        return ctx.events

    rules = {"kind": "relay", "on_publish": placed(on_publish)}
    server = await start(emulate=True, namespaces={"default": rules})
    answer = await (await server.client()).publish(CHAT, 1)
    assert answer["type"] == "publish_success"
    assert answer["successful"] == []
    assert [each["message"] for each in answer["failed"]] == ["not today"]


async def test_a_board_is_a_channel_like_any_other(start: Start) -> None:
    server = await start(emulate=True, namespaces={"arcade": {"mode": "sum"}})
    client = await server.client()
    id_ = await client.subscribe("/arcade/a")
    for _ in range(2):
        await client.publish("/arcade/a", {"player": "ann", "score": 1}, "null")
        assert await client.event(id_) == {"player": "ann", "score": 1}
        assert await client.event(id_) is None


async def test_there_are_no_rooms(server: Server) -> None:
    assert (await (await server.http()).post("/api/rooms", json={})).status_code == 404


# -- clients of others -------------------------------------------------------------------------------------------------


async def test_amplify_finds_what_it_expects_and_nothing_is_told_of_it(server: Server) -> None:
    async with application({}) as app:
        endpoint = f"HTTP://127.0.0.1:{server.port}/event"
        events = {"endpoint": endpoint, "defaultAuthMode": "apiKey", "apiKey": ADMIN}
        await app.configure({"API": {"Events": events}})
        channel = await app.connect("/default/leaderboard")
        subscription = await channel.subscribe()
        await app.post("/default/leaderboard", {"id": "abc123", "score": 19})
        assert await subscription.event() == {"id": "abc123", "score": 19}
        await channel.publish([1, 2])
        assert [await subscription.event() for _ in range(2)] == [1, 2]
        with pytest.raises(Rejected, match="InvalidInputError"):
            await channel.publish([0] * 6)
        with pytest.raises(Rejected, match="UnauthorizedException"):
            await app.post("/leaderboard/a", {"player": "ann", "score": 1})
        await subscription.unsubscribe()
        await channel.close()
    assert told(server) == []


async def ran(script: str, server: Server, *arguments: str) -> bytes:
    """What a script of Node's has printed."""
    needs("node_modules")
    process = await asyncio.create_subprocess_exec(
        *(str(needs("node")), script, f"{server.url}/event", *arguments),
        cwd=APPLICATION.parent,
        stdout=PIPE,
    )
    async with asyncio.timeout(50):
        out, _ = await process.communicate()
    return out


async def requested(server: Server, key: str, channel: str, *events: Any) -> dict[str, Any]:
    """What ob-appsync-events-request is answered."""
    out = await ran("request.js", server, key, channel, *map(json.dumps, events))
    answer: dict[str, Any] = json.loads(out)
    return answer


async def test_another_client_publishes_and_is_told_that_its_signature_is_not_checked(
    server: Server,
) -> None:
    client = await server.client()
    id_ = await client.subscribe(CHAT)
    answer = await requested(server, ADMIN, CHAT, {"a": 1}, "b")
    assert answer["status"] == 200
    assert [each["index"] for each in answer["body"]["successful"]] == [0, 1]
    assert [await client.event(id_) for _ in range(2)] == [{"a": 1}, "b"]
    (sentence,) = told(server)
    assert sentence.startswith("a request is signed with IAM")


async def test_a_signature_alone_is_refused(server: Server) -> None:
    answer = await requested(server, "", CHAT, 1)
    assert answer["status"] == 401
    assert error_types(answer["body"]) == ["UnauthorizedException"]


async def spoken(server: Server, key: str, *events: Any) -> list[dict[str, Any]]:
    """What comes to a client without a library, which does as AWS' guide says."""
    out = await ran("socket.js", server, key, CHAT, *map(json.dumps, events))
    return [json.loads(line) for line in out.splitlines()]


async def test_the_steps_of_the_guide_lead_from_a_socket_to_events(server: Server) -> None:
    frames = await spoken(server, ADMIN, {"score": 19}, "b")
    kinds = [frame["type"] for frame in frames if frame["type"] != "ka"]
    assert sorted(kinds) == sorted(
        [
            *("connection_ack", "subscribe_success", "publish_success", "data", "data"),
            *("unsubscribe_success", "closed"),
        ]
    )
    found = {frame["type"]: frame for frame in frames}
    assert found["connection_ack"] == {"type": "connection_ack", "connectionTimeoutMs": 300_000}
    data = [frame for frame in frames if frame["type"] == "data"]
    assert [json.loads(frame["event"]) for frame in data] == [{"score": 19}, "b"]
    subscription = found["subscribe_success"]["id"]
    assert {frame["id"] for frame in data} == {subscription}
    assert found["unsubscribe_success"]["id"] == subscription
    assert [each["index"] for each in found["publish_success"]["successful"]] == [0, 1]
    assert found["publish_success"]["failed"] == []
    assert found["closed"]["protocol"] == "aws-appsync-event-ws"
    assert told(server) == []


async def test_the_steps_of_the_guide_end_at_a_key_that_is_not_known(server: Server) -> None:
    refused, closed = await spoken(server, "da2-nobodys", 1)
    assert refused["type"] == "connection_error"
    assert error_types(refused) == ["UnauthorizedException"]
    assert closed["code"] == 1000


# -- one step in CI ----------------------------------------------------------------------------------------------------


async def serve(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """`leaderboard serve` to its end: exit code, output, and what it logged."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "leaderboard", "serve", "--port", "0", *arguments),
        stdout=PIPE,
        stderr=PIPE,
        cwd=folder,
    )
    async with asyncio.timeout(40):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


ONE_STEP = """
import asyncio, os
from leaderboard.client import connect
async def main():
    async with connect(os.environ["LEADERBOARD_URL"], os.environ["LEADERBOARD_KEY"]) as client:
        await client.publish("/game-beta/a", 1, results=True)
asyncio.run(main())
raise SystemExit(7)
"""


async def test_a_server_its_test_and_the_verdict_are_one_step(tmp_path: Path) -> None:
    template = str(ROOT / "tests" / "template.json")
    arguments = ("--emulate", "--template", template, "--", sys.executable, "-c", ONE_STEP)
    code, out, err = await serve(tmp_path, *arguments)
    assert code == 7
    assert "is ready at" in out
    assert out.endswith(
        "What is not so at AWS, or is only known here:\n"
        "  - a publish has `results`, which is no member of AppSync's\nStopped.\n"
    )
    assert "emulation: a publish has `results`" in err
    assert "note: AWS::Cognito::UserPool: not supported" in err


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("sh", "-c", "exit 0"), 0),
        (("sh", "-c", "kill -9 $$"), 137),
        (("no-such-command",), 127),
    ],
)
async def test_the_servers_exit_code_is_the_commands(
    tmp_path: Path, command: tuple[str, ...], code: int
) -> None:
    ended, out, _ = await serve(tmp_path, "--emulate", "--", *command)
    assert ended == code
    assert "AppSync Events would have done the same" in out


async def test_a_command_does_not_outlive_its_server(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "leaderboard", "serve", "--port", "0", "--"),
        *("sh", "-c", "echo started $$; exec sleep 60"),
        stdout=PIPE,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while not (line := await process.stdout.readline()).startswith(b"started"):
            assert line
        pid = int(line.split()[1])
        process.terminate()
        await process.communicate()
        await eventually(lambda: ended(pid))


async def ended(pid: int) -> bool:
    """Whether a process is no more, or not that process any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
