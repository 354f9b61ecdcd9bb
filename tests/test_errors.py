"""Every error that a client can meet is documented, once and as it is."""

from __future__ import annotations

import inspect
import re

import pytest

from leaderboard import errors
from leaderboard.errors import Refusal
from tests.checkout import ROOT

REFUSALS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, Refusal) and kind is not Refusal
]
ROW = re.compile(r"^\| `(\w+)` \| (\d{3}) \| (.+) \|$", re.MULTILINE)


def documented() -> dict[str, int]:
    """docs/errors.md: status by error type."""
    return {
        name: int(status)
        for name, status, _ in ROW.findall((ROOT / "docs" / "errors.md").read_text("utf-8"))
    }


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: str(kind.__name__))
def test_an_error_is_documented_with_its_status(kind: type[Refusal]) -> None:
    assert documented().get(kind.error_type) == kind.status


def test_no_error_is_documented_that_there_is_not() -> None:
    assert set(documented()) <= {kind.error_type for kind in REFUSALS}


def test_errors_are_told_apart_by_their_type() -> None:
    types = [kind.error_type for kind in REFUSALS]
    assert len(set(types)) == len(types)
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", name) for name in types)


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: str(kind.__name__))
def test_an_error_says_what_it_was_told_to_say(kind: type[Refusal]) -> None:
    refusal = kind("because")
    assert (refusal.message, str(refusal)) == ("because", "because")
    assert 400 <= refusal.status <= 599
    assert kind.__doc__
