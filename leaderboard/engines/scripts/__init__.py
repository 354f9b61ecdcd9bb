"""The scripts that run inside Redis, each put together from the nouns that it needs.

A script is known to Redis by the hash of its text, so two versions of this program can run side by side.
"""

from __future__ import annotations

import re
from hashlib import sha1
from importlib.resources import files

from msgspec import Struct

_BOARD = ("partition", "ranking", "board")
_PARTS = {
    "apply": (*_BOARD, "retries", "hosting"),
    "read": _BOARD,
    "people": _BOARD,
    "find": _BOARD,
    "watch": _BOARD,
    "sweep": _BOARD,
    "takeover": ("partition",),
    "watching": ("partition",),
    "changes": ("partition",),
    "revoke": ("partition",),
    "keep": ("partition",),
    "kept": ("partition",),
    "lead": ("partition",),
    "unled": ("partition",),
    "lease": ("partition",),
    "settings": ("partition",),
    "layout": (),
    "fitness": (),
}


class Script(Struct, frozen=True):
    """A script and its hash."""

    text: bytes
    sha: str


def load() -> dict[str, Script]:
    """All scripts by name."""
    return {name: _script((*parts, name)) for name, parts in _PARTS.items()}


def commands() -> list[str]:
    """All commands of Redis that the scripts use, but for those that publish."""
    found: set[bytes] = set()
    for script in load().values():
        found.update(re.findall(rb"\bcall\(['\"]([A-Z]+)['\"]", script.text))
    return sorted(name.decode() for name in found)


def _script(parts: tuple[str, ...]) -> Script:
    folder = files(__name__)
    text = b"\n".join((folder / f"{part}.lua").read_bytes() for part in parts)
    return Script(text, sha1(text, usedforsecurity=False).hexdigest())
