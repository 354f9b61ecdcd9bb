"""A browser, a real server in a process of its own, and a watch over everything that a page must not do."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, WebError, WebSocket

from tests.needs import needs

ADMIN = "da2-admin-key-of-the-tests"
VIEWER = "pk_viewer"
PHONE = "phone.test"
"""A name of this machine that browsers do not trust as they do localhost: pages come by plain http as over a LAN."""
OFF = [
    # Two pages of the address bar's, which each window would draw unseen: they cost as much as a page of ours.
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxPopup",
    # What Playwright switches off, of which the last such option leaves nothing: http stays http, pages are painted at
    # once, and nothing is asked for by the browser itself.
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
]
"""Features of Chromium that tests have no use for."""
CHROMIUM = [
    f"--disable-features={','.join(OFF)}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {PHONE} 127.0.0.1",
]
START_SECONDS = 30
"""A server that has not said that it is ready by then will not."""


def pytest_xdist_auto_num_workers() -> int:
    """One for each core, unlike the other tests: a browser computes all the time."""
    return os.cpu_count() or 1


class Site:
    """A server process, as `leaderboard serve` starts it."""

    def __init__(self, **settings: Any) -> None:
        keys = [{"key": ADMIN, "role": "admin"}]
        values = {"port": 0, "api_keys": keys, **settings}
        self._environ = {
            **{name: value for name, value in os.environ.items() if "LEADERBOARD" not in name},
            **{
                f"LEADERBOARD_{name.upper()}": value
                if isinstance(value, str)
                else json.dumps(value)
                for name, value in values.items()
            },
            "PYTHONUNBUFFERED": "1",
        }
        self.url = ""
        self.said = ""
        """What it printed in the life that ended last."""
        self._http = httpx.Client()
        self._process: subprocess.Popen[str]

    def start(self) -> Self:
        """Start, or start again on the same port; returns when it accepts connections."""
        if self.url:
            self._environ["LEADERBOARD_PORT"] = self.url.rpartition(":")[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "leaderboard", "serve"],
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        said = ""
        # What it is called by others comes first.
        named = "LEADERBOARD_PUBLIC_URL" in self._environ
        own = r"also at +(http://\S+)" if named else r"ready at (http://\S+)"
        for line in self._process.stdout:
            said += line
            if match := re.search(own, line):
                self.url = match[1]
                break
        else:
            pytest.fail(f"the server did not start:\n{said}")
        deadline = time.monotonic() + START_SECONDS
        port = int(self.url.rpartition(":")[2])
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return self
            time.sleep(0.02)
        pytest.fail(f"{self.url} does not accept connections")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it, draining as an operator's Ctrl-C does, or not at all with SIGKILL."""
        self._process.send_signal(number)
        self.said, _ = self._process.communicate(timeout=START_SECONDS)

    def close(self) -> None:
        """End it if it still runs."""
        if self._process.poll() is None:
            self.stop()
        self._http.close()

    def token(self, channel: str) -> str:
        """A token that may view a channel; the server has a secret then."""
        command = [sys.executable, "-m", "leaderboard", "token", "--role", "viewer"]
        done = subprocess.run(
            [*command, "--channel", channel, "--for", "1h"],
            env=self._environ,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def publish(self, channel: str, *events: dict[str, Any]) -> None:
        """Publish through the HTTP door, at most five at a time; every event must be applied."""
        for start in range(0, len(events), 5):
            texts = [json.dumps(event) for event in events[start : start + 5]]
            answer = self._http.post(
                f"{self.url}/event",
                json={"channel": channel, "events": texts},
                headers={"x-api-key": ADMIN},
            )
            assert answer.status_code == 200, answer.text
            assert answer.json()["failed"] == []

    def fill(self, channel: str, players: int = 10) -> None:
        """A board of so many players, the first of whom leads: p1 1000, p2 990, …"""
        names = ["Hedy Lamarr", "Edsger Dijkstra", "Grace Hopper", "Ken Thompson", "Ada Lovelace"]
        self.publish(
            channel,
            *(
                {
                    "player": f"p{number}",
                    "name": f"{names[number % 5]} {number}",
                    "score": 1010 - 10 * number,
                }
                for number in range(1, players + 1)
            ),
        )


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """One server for all tests that do not mind the others: each takes a channel of its own."""
    site = Site().start()
    yield site
    site.close()


@pytest.fixture
def own_site() -> Iterator[Site]:
    """A server that a test may stop and start."""
    site = Site().start()
    yield site
    site.close()


@pytest.fixture
def channel(request: pytest.FixtureRequest) -> str:
    """A channel named after the test."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_"))
    return f"/leaderboard/{name[:50].strip('-')}"


# -- the browser -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def base_url() -> None:
    """None: each test names the server that it means. pytest-playwright's own fixture warns under pytest 9."""


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The machine's own Chromium, with everything off by which it would talk to anyone."""
    return {
        "executable_path": str(needs("chromium")),
        "args": CHROMIUM,
    }


@dataclass
class Watch:
    """What the pages of one test did that somebody may object to."""

    faults: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    sockets: list[WebSocket] = field(default_factory=list)
    expected: str = r"(?!)"
    """Pattern of faults that the test itself provokes."""

    def unexpected(self) -> list[str]:
        """Faults that nobody asked for."""
        return [fault for fault in self.faults if not re.search(self.expected, fault)]


# The console tells of a violation too, but not of each: a report may be swallowed where the page catches the error.
_REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@pytest.fixture(autouse=True)
def watch(context: BrowserContext) -> Iterator[Watch]:
    """Every test fails on an error in a page, a breach of its policy, or a request to any other host."""
    watch = Watch()

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            watch.faults.append(f"console: {message.text}")

    def on_error(error: WebError) -> None:
        watch.faults.append(f"error: {error.error}")

    def on_request(request: Request) -> None:
        watch.requests.append(request.url)
        if not re.match(rf"(http://(127\.0\.0\.1|{re.escape(PHONE)}):\d+/|data:)", request.url):
            watch.faults.append(f"foreign request: {request.url}")

    def on_page(page: Page) -> None:
        page.on("websocket", lambda socket: watch.sockets.append(socket))

    context.on("console", on_console)
    context.on("weberror", on_error)
    context.on("request", on_request)
    context.on("page", on_page)
    context.add_init_script(_REPORT_VIOLATIONS)
    yield watch
    assert watch.unexpected() == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, to be evaluated in a page."""
    return (needs("node_modules") / "axe-core" / "axe.min.js").read_text("utf-8")


PATIENCE = 31_000
"""Milliseconds after which a page whose clock is moved on so far has tried once more to reach its server."""


def source(name: str) -> str:
    """A script of this folder, to be evaluated in a page."""
    return (Path(__file__).parent / name).read_text("utf-8")
