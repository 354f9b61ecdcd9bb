"""What a test needs from the machine, besides Python packages.

A test names it and gets its path, inside the test or in a fixture::

    chromium = needs("chromium")

Where it is missing, the test is skipped with the reason, so that a laptop runs what it can. Under CI=true the test
fails instead: a check that was silently left out must not look like one that passed.
"""

import os
import shutil
from pathlib import Path
from typing import Literal, NoReturn

import pytest

__all__ = ["Need", "missing", "needs"]

Need = Literal["bash", "chromium", "git", "nginx", "node", "node_modules", "redis-server"]

# by which names a machine may have it, best first
_COMMANDS: dict[Need, tuple[str, ...]] = {
    "bash": ("bash",),
    "chromium": ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"),
    "git": ("git",),
    "nginx": ("nginx", "/usr/sbin/nginx"),
    "node": ("node", "nodejs"),
    "redis-server": ("redis-server",),
}

_NODE_MODULES = Path(__file__).parent / "interop" / "node_modules"


def needs(need: Need) -> Path:
    """Path of the program, or of the folder of the interoperability tests' npm packages (`node_modules`)."""
    if need == "node_modules":
        # npm writes this file last, so a broken installation does not count
        if (_NODE_MODULES / ".package-lock.json").is_file():
            return _NODE_MODULES
        missing("the npm packages of tests/interop are not installed")
    for command in _COMMANDS[need]:
        if path := shutil.which(command):
            return Path(path)
    missing(f"{need} is not installed")


def missing(reason: str) -> NoReturn:
    """Skip the test for `reason`; fail it under CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI leaves no test out", pytrace=False)
    pytest.skip(reason)
