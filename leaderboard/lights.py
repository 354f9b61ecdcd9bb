"""Light Nine, the game: which tile lights, what a press is worth, and what no pair of hands can do.

One of nine tiles is lit; who presses it gains points, and the next one lights at once. The lights follow from the seed
of the room and the number of the round, so that everybody faces the same ones. static/js/lights.js is the same once
more, since a page must know at once what the server will find a moment later; tests/lights.json holds the two together.

Times are milliseconds since the round began.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

TILES = 9
LEAST = 7
"""Points of the first hit; each that follows without a miss is worth one more."""
MOST_COMBO = 8
"""Hits in a row beyond which it is worth no more: 15 points."""
MISS = -5
LOCK = 250
"""After a miss no press counts for so long: who presses all tiles at once presses one."""
GAP = 80
"""Nobody sees a light, finds its tile and presses it faster; two fingers at once are no two hits."""

_MASK = 0xFFFFFFFF


class Hand(Struct, frozen=True):
    """How far a player is: the light that is to be pressed next, the combo, and until when no press counts."""

    light: int = 0
    combo: int = 0
    ready: int = 0


class TooFast(ValueError):
    """A press at which the hand was not ready."""


def press(hand: Hand, tile: int, at: int, lights: Sequence[int]) -> tuple[Hand, int]:
    """What a press does to the hand, and the points of it; raises `TooFast`.

    >>> press(Hand(), 3, 500, [3, 4])
    (Hand(light=1, combo=1, ready=580), 7)
    >>> press(Hand(light=1, combo=1, ready=580), 3, 900, [3, 4])
    (Hand(light=1, combo=0, ready=1150), -5)
    """
    if at < hand.ready:
        raise TooFast(f"no press counts before {hand.ready} ms of the round")
    if lights[hand.light] != tile:
        return Hand(hand.light, 0, at + LOCK), MISS
    points = LEAST + min(hand.combo, MOST_COMBO)
    return Hand(hand.light + 1, hand.combo + 1, at + GAP), points


@lru_cache(maxsize=256)
def lights_of(seed: int, number: int, length: int) -> tuple[int, ...]:
    """The tiles of a round of ``length`` ms, as many as anybody can reach; no tile lights twice in a row.

    >>> lights_of(7, 1, 400)
    (5, 7, 6, 8, 6, 8)
    """
    tile = _mixed(seed + number) % TILES
    tiles = [tile]
    for light in range(1, length // GAP + 1):
        tile = (tile + 1 + _mixed(seed + number + light * 0x9E3779B9) % (TILES - 1)) % TILES
        tiles.append(tile)
    return tuple(tiles)


def _mixed(value: int) -> int:
    """32 bits of which each depends on every bit of the value: the last step of MurmurHash3."""
    value &= _MASK
    value = (value ^ value >> 16) * 0x85EBCA6B & _MASK
    value = (value ^ value >> 13) * 0xC2B2AE35 & _MASK
    return value ^ value >> 16
