"""What browsers are told, what other sites may do, and what never gets out: by logs, metrics or errors."""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote

import pytest
import websockets

from tests.appsync import NAME, Client
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, Start
from tests.rawsocket import RawSocket

BOARD = "/leaderboard/arcade"
SECRET = "the-secret-of-the-tests-which-nobody-may-see"
PATHS = [
    "/",
    "/boards",
    f"/l{BOARD}",
    "/docs",
    "/openapi.json",
    "/api/boards",
    f"/api/boards{BOARD}",
    f"/api/boards{BOARD}.csv",
    "/healthz",
    "/readyz",
    "/metrics",
    "/static/js/link.js",
    "/nowhere",
    "/api/boards/nope/x",
]
LEGION = "<script>alert(1)</script>"


# -- headers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
async def test_every_answer_tells_browsers_to_be_careful(server: Server, accept: str) -> None:
    http = await server.http()
    answers = [await http.get(path, headers={"accept": accept}) for path in PATHS]
    answers.append(await http.post("/event", content=b"{"))
    answers.append(await http.put("/healthz"))
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff", answer.url
        assert answer.headers["referrer-policy"] == "same-origin", answer.url
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'"), answer.url
        assert "frame-ancestors" in policy, answer.url
        assert "unsafe" not in policy, answer.url


async def test_no_answer_sets_a_cookie_or_names_its_software(server: Server) -> None:
    http = await server.http()
    for path in PATHS:
        answer = await http.get(path)
        assert "set-cookie" not in answer.headers
        assert "server" not in answer.headers


# -- other sites -------------------------------------------------------------------------------------------------------


async def test_other_sites_may_use_the_interface_and_nothing_else(server: Server) -> None:
    http = await server.http()
    for path in PATHS:
        answer = await http.get(path, headers={"origin": "https://elsewhere.example"})
        allowed = answer.headers.get("access-control-allow-origin")
        meant = path.startswith(("/event", "/api/", "/static/"))
        assert allowed == ("*" if meant else None), path
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_cookie_opens_nothing(server: Server) -> None:
    """So a page of another site that makes a browser ask here gains nothing by whose browser it is."""
    http = await server.http()
    event = {"channel": BOARD, "events": ['{"player":"ann","score":1}']}
    for name in ("x-api-key", "authorization", "host_KX7M"):
        answer = await http.post("/event", json=event, headers={"cookie": f"{name}={ADMIN}"})
        assert answer.status_code == 401
    async with websockets.connect(
        server.socket_url, subprotocols=[NAME], additional_headers={"cookie": f"x-api-key={ADMIN}"}
    ) as socket:
        await socket.send('{"type":"connection_init"}')
        assert json.loads(await socket.recv())["type"] == "connection_error"


async def test_a_host_header_gets_into_no_policy(server: Server) -> None:
    for host in ("a b", "a;script-src *", 'a"', "evil.example/x"):
        raw = await RawSocket.bare(server.port)
        await raw.write(f"GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
        head = (await raw.until_eof()).partition(b"\r\n\r\n")[0].decode().lower()
        raw.close()
        policy = [line for line in head.splitlines() if line.startswith("content-security")]
        assert not any("script-src *" in line or "evil" in line for line in policy)


# -- what never gets out -----------------------------------------------------------------------------------------------

HOSTILE = [
    "a\nERROR forged",
    "a\r\nset-cookie: x=1",
    "\x1b[31mred",
    "\u2028line",
    LEGION,
    "%0d%0aforged",
    "${jndi:ldap://x}",
    "\x00",
]


async def knock(server: Server, client: Client) -> str:
    """Every door with hostile names and with credentials; all that was answered."""
    http = await server.http()
    heard = ""
    for text in HOSTILE:
        for path in ("/api/boards/", "/l/", "/"):
            answer = await http.get(path + quote(text, safe=""))
            heard += answer.text + str(answer.headers)
        key = "".join(letter for letter in text if letter.isascii() and letter.isprintable())
        answer = await http.post("/event", content=b"{}", headers={"x-api-key": key})
        heard += answer.text + str(answer.headers)
        for members in (
            {"type": text, "id": "x"},
            {"type": "publish", "id": text, "channel": BOARD, "events": ["1"]},
            {"type": "subscribe", "id": "s", "channel": "/" + text},
            {"type": "subscribe", "id": "s", "channel": BOARD, "view": {text: 1}},
        ):
            await client.send(**members, authorization=client.authorization)
        event = {"player": text, "score": 1, "name": text, "meta": {text: text}}
        heard += json.dumps(await client.publish(BOARD, event))
        heard += json.dumps(await client.publish(BOARD, {"op": text}))
    header = base64.urlsafe_b64encode(json.dumps({"x-api-key": ADMIN[:-1]}).encode()).decode()
    for protocol in ("header-" + header.rstrip("="), "header-!!!"):
        raw = await server.raw(None, protocols=[NAME, protocol])
        await raw.send(type="connection_init")
        frames, _ = await raw.until_closed()
        heard += json.dumps(frames)
        raw.close()
    assert await client.alive()
    return heard + json.dumps(client.frames)


async def test_no_secret_gets_out_and_nothing_forges_a_line_of_the_log(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = await start(secret=SECRET)
    client = await server.client()
    token = server.app.state.auth.issue("player", BOARD, "ann", 60)[0]
    player = await server.client(None, token=token)
    await player.publish(BOARD, {"player": "bob", "score": 1})
    heard = await knock(server, client)
    http = await server.http()
    heard += (await http.get("/metrics")).text
    heard += "".join([(await http.get(path)).text for path in PATHS])
    logged = "\n".join(record.getMessage() for record in caplog.records)
    for secret in (ADMIN, ADMIN[:-1], HOST, SCOREKEEPER, SECRET, token):
        assert secret not in heard
        assert secret not in logged
    assert LEGION not in (await http.get(f"/l{BOARD}")).text
    assert LEGION not in (await http.get(f"/api/boards{BOARD}.svg")).text
    for record in caplog.records:
        message = record.getMessage()
        assert message.isprintable(), f"{record.name} may be made to print {message!r}"


async def test_a_fault_is_logged_in_one_line_whatever_the_request_is_called(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("leaderboard.engines.memory.MemoryEngine.find", broken)
    monkeypatch.setattr("leaderboard.engines.memory.MemoryEngine.read", broken)
    http = await server.http()
    for path in ("/api/boards/leaderboard/a%0aERROR%20forged", "/api/boards/leaderboard/ok"):
        answer = await http.get(path, headers={"x-api-key": VIEWER})
        assert answer.status_code in (400, 404, 500)
        assert "ZeroDivisionError" not in answer.text
    page = await http.get(f"/l{BOARD}")
    assert (page.status_code, page.headers["x-content-type-options"]) == (500, "nosniff")
    assert "The fault is the server’s, not yours" in page.text
    assert "ZeroDivisionError" not in page.text
    for record in caplog.records:
        assert "\n" not in record.getMessage()
        assert ADMIN not in record.getMessage()
