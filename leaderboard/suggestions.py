"""Names that are suggested to people who join a room: two friendly words, short enough for a phone."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from random import Random

from leaderboard.nicknames import key

FIRST, LAST = (
    tuple(line.split())
    for line in Path(__file__).with_name("friendly_names.txt").read_text("utf-8").splitlines()
)
TRIES = 20


def suggest(dice: Random, taken: Container[str] = ()) -> str:
    """A name, if chance allows one whose `key` is not ``taken``; the same dice give the same names.

    >>> suggest(Random(1))
    'Early Turtle'
    """
    names = [f"{dice.choice(FIRST)} {dice.choice(LAST)}" for _ in range(TRIES)]
    return next((name for name in names if key(name) not in taken), names[0])


def is_suggested(name: str) -> bool:
    """Whether it is one of those, with a number or without.

    >>> is_suggested("Brave Otter 2"), is_suggested("Brave Hedy")
    (True, False)
    """
    first, _, rest = name.partition(" ")
    last, _, number = rest.partition(" ")
    return first in FIRST and last in LAST and (not number or number.isdigit())
