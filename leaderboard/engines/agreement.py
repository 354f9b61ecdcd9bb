"""Whether all processes have the same rules: each says its own in the first partition, and hears which others differ.

What boards would mix up is refused where it is met (`ConfigMismatch`). The rest, such as an interval, each process may
have for itself, and has while servers are restarted with other settings, one by one. So it is said in the log, once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from leaderboard.engines import wire
from leaderboard.engines.servers import Servers
from leaderboard.errors import Refusal
from leaderboard.settings import Limits, Namespace

log = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds between two looks."""
SHOWN = 5
"""Differences that are named."""

Tables = dict[str, dict[str, Any]]


class Agreement:
    """Compares the rules of all namespaces, and the ceilings that processes share."""

    def __init__(
        self, servers: Servers, limits: Limits, namespaces: Mapping[str, Namespace]
    ) -> None:
        tables = {f"namespaces.{name}": rules for name, rules in namespaces.items()}
        own: Tables = {name: rules.model_dump(mode="json") for name, rules in tables.items()}
        own["limits"] = {"channels": limits.channels, "entries": limits.entries}
        self._text = msgspec.json.encode(own, order="sorted").decode()
        self._own = msgspec.json.decode(self._text, type=Tables)
        self._servers = servers
        self._next = 0.0
        self._told: set[str] = set()

    def renew(self) -> None:
        """Say it again, and look, every few seconds."""
        now = asyncio.get_running_loop().time()
        if now < self._next:
            return
        self._next = now + EVERY
        partition = self._servers.partitions[0]
        ask = wire.encode(self._servers.request(settings=self._text))
        partition.link.run("settings", partition.base, ask, self._heard)

    def _heard(self, answer: Any) -> None:
        if isinstance(answer, Refusal):
            return
        for text in set(wire.texts_of(answer)) - self._told:
            self._told.add(text)
            found = list(differences(self._own, msgspec.json.decode(text, type=Tables)))
            if found:
                more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
                log.warning(
                    "another process has other settings: %s", "; ".join(found[:SHOWN]) + more
                )


def differences(own: Tables, other: Tables) -> Iterator[str]:
    """Where they differ, in words. What only one of two versions of this program knows is no difference."""
    for name in sorted(own.keys() | other.keys()):
        if name not in other or name not in own:
            yield f"{name} is {'here' if name in own else 'there'} alone"
            continue
        here, there = own[name], other[name]
        for key in sorted(here.keys() & there.keys()):
            if here[key] != there[key]:
                yield f"{name}.{key} is {there[key]!a} there, {here[key]!a} here"
