"""The checkout itself, for the tests that are about its files."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.needs import needs

__all__ = ["ROOT", "tracked"]

ROOT: Final = Path(__file__).resolve().parent.parent


def tracked() -> list[str]:
    """Paths of all files that git knows here, relative to `ROOT`. An unpacked sdist has no git: there, skip."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        [needs("git"), "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [path for path in listing.stdout.split("\0") if (ROOT / path).is_file()]
