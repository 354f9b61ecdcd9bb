"""`leaderboard demo`: a room for everybody who is there, from one command."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import ssl
import sys
from pathlib import Path

import httpx
import pytest

from tests.processes import serve

COMMAND = (sys.executable, "-m", "leaderboard", "demo", "--port", "0")


async def printed(tmp_path: Path, *arguments: str, **environ: str) -> tuple[str, httpx.Response]:
    """What it prints, and what its room is while it runs."""
    clean = {name: value for name, value in os.environ.items() if "LEADERBOARD" not in name}
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        cwd=tmp_path,
        env={**clean, "PYTHONUNBUFFERED": "1", "DISPLAY": "", "WAYLAND_DISPLAY": "", **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            text = (await process.stdout.readuntil(b"and the room with it.\n")).decode()
        presenter = re.search(r"presenter +(http://\S+)/r/(\w+)/present#(eyJ\S+)", text)
        assert presenter
        base, code, token = presenter.groups()
        async with httpx.AsyncClient(base_url=base) as web:
            room = await web.get(f"/api/rooms/{code}")
            form = {"token": token}
            claimed = await web.post(f"/ui/room/{code}/host", data=form, headers={"origin": base})
            assert claimed.status_code == 204
            assert (await web.get(f"/r/{code}/present")).status_code == 200
            if opened := environ.get("OPENED"):
                async with asyncio.timeout(20):
                    while not Path(opened).exists():  # noqa: ASYNC110, ASYNC240
                        await asyncio.sleep(0.05)
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = await process.communicate()
    assert process.returncode == 0
    assert rest.decode().endswith("Stopped.\n")
    return text, room


async def test_it_lets_phones_in_and_prints_a_code_to_join_by(tmp_path: Path) -> None:
    text, room = await printed(tmp_path, "--bots", "3", LEADERBOARD_PUBLIC_URL="http://me.example")
    assert room.json()["game"]["bots"] == 3
    assert f"http://me.example/j/{room.json()['code']}" in text
    assert "▄▄▄▄▄" in text
    assert "No phone" not in text


async def test_where_no_phone_can_get_it_says_so_and_prints_no_code(tmp_path: Path) -> None:
    text, _ = await printed(tmp_path, "--host", "127.0.0.1")
    assert "No phone can get here" in text
    assert "▄▄▄▄▄" not in text


async def test_it_serves_tls_and_logs_as_the_settings_say(tmp_path: Path) -> None:
    settings = {"tls_cert": "dev", "log_format": "json", "log_level": "debug"}
    flags = ("--bots", "0", "--no-browser")
    async with serve(*flags, program=("leaderboard", "demo"), **settings) as demo:
        await demo.says("and the room with it")
        stage = (await demo.says(r"presenter +(https://\S+)/r/"))[1]
        assert "ca.pem" in demo.said
        async with httpx.AsyncClient(verify=False) as stranger:  # noqa: S501, it asks whom to trust
            authority = tmp_path / "ca.pem"
            authority.write_bytes((await stranger.get(f"{stage}/-/ca.pem")).content)
        trusting = ssl.create_default_context(cafile=str(authority))
        async with httpx.AsyncClient(verify=trusting) as web:
            assert (await web.get(f"{stage}/healthz")).status_code == 200
        await demo.says(r'"message": ?"GET /healthz"')
        assert await demo.ends() == 0


async def test_it_refuses_an_engine_that_it_would_share_with_nobody() -> None:
    settings = {"engine_url": "redis://127.0.0.1:1", "api_keys": None}
    async with serve("--no-browser", program=("leaderboard", "demo"), **settings) as demo:
        assert await demo.ends(None) == 1
        assert "every process needs the same secret and api_keys: set them" in demo.said


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these have a browser of their own")
async def test_it_opens_the_presenter_page_in_a_browser_if_there_is_one(tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o700)
    text, room = await printed(tmp_path, BROWSER=str(browser), DISPLAY=":99", OPENED=str(opened))
    assert opened.read_text() in text
    assert f"/r/{room.json()['code']}/present#eyJ" in opened.read_text()
