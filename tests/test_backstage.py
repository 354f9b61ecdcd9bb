"""What only operators see: `/-/`, metrics behind a key, and the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from leaderboard import logs
from leaderboard.settings import ApiKey, Settings
from leaderboard.sources import toml
from tests.appsync import eventually
from tests.conftest import ADMIN, HOST, VIEWER, Server, Start

BOARD = "/leaderboard/arcade"


async def look(server: Server, key: str | None = ADMIN) -> httpx.Response:
    return await (await server.http(key)).get("/-/now")


@pytest.mark.parametrize("key", [None, VIEWER, HOST, "da2-no-such-key"])
async def test_only_an_admin_looks_backstage(server: Server, key: str | None) -> None:
    answer = await look(server, key)
    assert answer.status_code in (401, 403)
    assert "Settings in force" not in answer.text


async def test_a_key_in_the_query_opens_nothing(server: Server) -> None:
    answer = await (await server.http()).get("/-/now", params={"key": ADMIN, "x-api-key": ADMIN})
    assert answer.status_code == 401


async def test_the_page_itself_says_nothing_of_the_server(server: Server) -> None:
    answer = await (await server.http()).get("/-/")
    assert answer.status_code == 200
    assert BOARD not in answer.text
    assert "public_url" not in answer.text


async def test_an_admin_sees_settings_connections_boards_and_refusals(server: Server) -> None:
    client = await server.client(HOST)
    await client.subscribe(BOARD)
    await client.publish(BOARD, {"player": "ann", "score": 1})
    await client.publish(BOARD, {"player": "<b>ann", "score": "much"})
    answer = await look(server)
    assert answer.headers["cache-control"] == "no-store"
    for told in (
        BOARD,
        "api_keys.1 (host)",
        "InvalidEvent",
        "event of leaderboard",
        'engine_url = "memory://"',
    ):
        assert told.replace('"', "&#34;") in answer.text
    for secret in (ADMIN, HOST):
        assert secret not in answer.text


async def test_equal_refusals_are_one_line_with_a_count(server: Server) -> None:
    http = await server.http("da2-no-such-key")
    for _ in range(3):
        await http.post("/event", json={"channel": BOARD, "events": ["{}"]})
    shown = (await look(server)).text
    assert shown.count("POST /event") == 1
    assert '<td class="count">3</td><td>POST /event</td>' in shown


async def test_reasons_that_clients_invent_do_not_pile_up(server: Server) -> None:
    client = await server.client()
    for number in range(150):
        await client.subscribing(f"/invented-{number}/x")
    assert len(server.app.state.operations.refusals.latest()) == 100


async def test_a_request_has_an_id_and_keeps_the_balancers(server: Server) -> None:
    http = await server.http()
    first, second = [(await http.get("/healthz")).headers["x-request-id"] for _ in range(2)]
    assert first != second
    given = await http.get("/healthz", headers={"x-request-id": "edge-7"})
    assert given.headers["x-request-id"] == "edge-7"
    odd = await http.get("/healthz", headers={"x-request-id": "a b" * 40})
    assert " " not in odd.headers["x-request-id"]


# -- metrics -----------------------------------------------------------------------------------------------------------

KEY = "scrape-me-if-you-can"


@pytest.mark.parametrize(
    "headers",
    [{"authorization": f"Bearer {KEY}"}, {"authorization": f"bearer {KEY}"}, {"x-api-key": KEY}],
)
async def test_protected_metrics_are_for_who_carries_the_key(
    start: Start, headers: dict[str, str]
) -> None:
    http = await (await start(metrics_key=KEY)).http()
    assert "leaderboard_requests_total" in (await http.get("/metrics", headers=headers)).text


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": KEY}, {"authorization": "Bearer x"}, {"x-api-key": ADMIN}]
)
async def test_protected_metrics_are_refused_to_all_others(
    start: Start, headers: dict[str, str]
) -> None:
    server = await start(metrics_key=KEY)
    answer = await (await server.http()).get("/metrics", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "leaderboard_requests_total" not in answer.text
    assert "GET /metrics" in (await look(server)).text


# -- the log -----------------------------------------------------------------------------------------------------------

SECRETS: dict[str, Any] = {
    "secret": "s" * 31 + "ecret",
    "metrics_key": KEY,
    "api_keys": (ApiKey(key=SecretStr(ADMIN), role="admin"),),
}


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """Restores the log, and gives what was written to stderr when the test asks for it."""
    root, ours = logging.getLogger(), logging.getLogger("leaderboard")
    before = (root.handlers[:], root.level, ours.level)
    lines: list[str] = []
    yield lines
    root.handlers[:], level, ours_level = before
    root.setLevel(level)
    ours.setLevel(ours_level)


def fail_with(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("leaderboard.test").exception(
            "a %s failed", "thing", extra={"connection": "c1"}
        )


def test_json_lines_are_json_with_ids_and_without_secrets(
    logged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(Settings(log_format="json", **SECRETS))
    named = logs.request_id.set("r1")
    fail_with(f"{ADMIN} and {KEY}\x1b[2J")
    logs.request_id.reset(named)
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == (
        "error",
        "leaderboard.test",
        "a thing failed",
    )
    assert (told["connection"], told["request"]) == ("c1", "r1")
    assert told["exception"].endswith("ValueError: ******** and ********\x1b[2J")
    assert "\x1b" not in line


def test_lines_for_people_move_no_cursor(
    logged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(Settings(**SECRETS))
    fail_with(f"{ADMIN}\x1b[2J")
    said = capsys.readouterr().err
    assert said.splitlines()[0].endswith("error leaderboard.test: a thing failed (connection=c1)")
    assert "\x1b" not in said
    assert ADMIN not in said


def test_debugging_is_said_only_when_asked_for(
    logged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    log = logging.getLogger("leaderboard.test")
    logs.configure(Settings())
    log.debug("quiet")
    logs.configure(Settings(log_level="debug"))
    log.debug("loud")
    logging.getLogger("websockets").debug("what it carries")
    assert [line.rpartition(" ")[2] for line in capsys.readouterr().err.splitlines()] == ["loud"]


async def test_what_goes_wrong_in_a_session_names_its_connection(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await server.client()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(server.app.state.operations, "publish", broken)
    answer = await client.publish(BOARD, {"player": "ann", "score": 1})
    assert answer["type"] == "publish_error"

    async def listed() -> bool:
        (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
        return str(vars(record)["connection"]) in (await look(server)).text

    await eventually(listed)


def test_the_engines_password_is_shown_nowhere() -> None:
    settings = Settings(engine_url="redis://app:hunter2pass@127.0.0.1:6379")
    assert "hunter2pass" not in settings.model_dump_json()
    assert "hunter2pass" not in "\n".join(toml(settings, {}))
    assert logs.secrets_of(settings) == ["hunter2pass"]
