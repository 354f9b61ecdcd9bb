"""A server in a process of its own, and what can be seen of it from outside."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.conftest import ADMIN
from tests.processes import Serve, serve

SETTINGS: dict[str, Any] = {
    "namespaces": {
        "soak": {"mode": "sum"},
        "brief": {"idle_ttl": "1s"},
        "fast": {"mode": "latest", "interval_ms": 10, "top": 100},
    }
}


class Failed(Exception):
    """A run did not show what it should; the text says what."""


def must(holds: bool, what: str) -> None:
    if not holds:
        raise Failed(what)


class Served:
    """A running server."""

    def __init__(self, serve: Serve, url: str, http: httpx.AsyncClient) -> None:
        self.url = url
        self.socket_url = f"ws{url.removeprefix('http')}/event/realtime"
        self.port = urlsplit(url).port or 0
        self._serve = serve
        self._http = http

    async def stop(self) -> None:
        """SIGTERM, and wait: it must drain and end in order."""
        await self._http.aclose()
        code = await self._serve.ends()
        must(code == 0, f"the server ended with {code}:\n{self._serve.said[-2000:]}")

    async def metrics(self) -> defaultdict[str, float]:
        """All samples, those of all namespaces added up."""
        found: defaultdict[str, float] = defaultdict(float)  # what never happened is not named
        for line in (await self._http.get("/metrics")).text.splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name.partition("{")[0]] += float(value)
        return found

    async def boards(self) -> int:
        """How many boards live."""
        found, after = 0, ""
        while True:
            page: dict[str, str | int] = {"limit": 1000, "after": after}
            answer = (await self._http.get("/api/boards", params=page)).json()
            found += len(answer["boards"])
            if not (after := answer["next"]):
                return found

    async def scores(self, board: str) -> dict[str, int]:
        """A whole board."""
        lines = (await self._http.get(f"/api/boards{board}.jsonl")).text.splitlines()
        rows = (json.loads(line) for line in lines if line)
        return {row["player"]: row["score"] for row in rows if "player" in row}


@asynccontextmanager
async def serving(port: int = 0, **limits: Any) -> AsyncIterator[Served]:
    """Start one; it ends with the block."""
    most: dict[str, Any] = {"publishes_per_second": 0, **limits}
    async with serve(port=port, limits=most, **SETTINGS) as process:
        url = await process.url()
        headers = {"x-api-key": ADMIN}
        # Kept open they would be closed by the server after some seconds, now and then just as the next request leaves.
        fresh = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(
            base_url=url, headers=headers, timeout=30, limits=fresh
        ) as http:
            yield Served(process, url, http)


def slope(samples: Iterable[tuple[float, float]]) -> float:
    """Growth per minute of what was sampled at times in seconds."""
    return statistics.linear_regression(*zip(*samples, strict=True)).slope * 60
