"""SECURITY.md keeps its word: every test that it names exists, and every line of its table names one."""

from __future__ import annotations

import re

from leaderboard.settings import table
from tests.checkout import ROOT

DOCUMENT = (ROOT / "SECURITY.md").read_text("utf-8")
DEFINED = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text("utf-8"), re.MULTILINE)
}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", DOCUMENT))
    assert len(named) > 30
    assert named <= DEFINED, named - DEFINED


def test_every_threat_has_what_stops_it_and_a_test_that_shows_it() -> None:
    threats = rows("Who tries what, and what stops it")
    assert len(threats) > 15
    for who, tries, stops, shown, _ in threats:
        assert who, tries
        assert tries
        assert stops, tries
        assert re.search(r"`test_\w+`", shown), tries


def test_every_limit_that_is_named_is_a_setting() -> None:
    settings = {name.rpartition(".")[2] for name, _, _ in table()}
    named = {
        name
        for row in rows("Limits, with reasons")
        for name in re.findall(r"`([a-z_]+)`", " ".join(row[1:2]))
    }
    assert len(named) > 12
    assert named <= settings, named - settings
