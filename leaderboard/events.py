"""What can happen to a board: scores, removals, and what its host decides. The vocabulary of a board channel.

Events come here as typed values: `messages` makes them from text, a `board` applies them.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

MAX_PLAYER = 128
LONGEST_WAIT = 3_600_000
"""Milliseconds until a round that is announced begins: an hour."""
LONGEST_ROUND = 86_400_000
"""Milliseconds of a timed round: a day."""

PlayerId = Annotated[str, Meta(min_length=1, max_length=MAX_PLAYER)]


class Score(Struct, frozen=True, gc=False):
    """A player's score: the new one, or what is added to it where the mode is ``sum``."""

    player: str
    score: float
    name: str | None = None
    meta: str | None = None
    """Canonical JSON text of an object."""
    by: str = ""
    n: int | None = None
    round: int | None = None


class Remove(Struct, frozen=True, gc=False, tag="remove", tag_field="op"):
    """Take a player's entry off the board; without effect if there is none."""

    player: str


class Open(Struct, frozen=True, tag="open", tag_field="op"):
    """Take scores: at once or in ``in_ms`` milliseconds, until closed or for ``for_ms`` from then on."""

    in_ms: Annotated[int, Meta(ge=0, le=LONGEST_WAIT)] = 0
    for_ms: Annotated[int, Meta(ge=1, le=LONGEST_ROUND)] | None = None


class Close(Struct, frozen=True, tag="close", tag_field="op"):
    """Take no more scores."""


class Clear(Struct, frozen=True, tag="clear", tag_field="op"):
    """Begin the next round; the standings of this one are kept.

    The board is empty then, or, where scores sum up, has the same ``players``, each at 0 and in the order in which it
    got there.
    """

    players: bool = False


class Freeze(Struct, frozen=True, tag="freeze", tag_field="op"):
    """Show everyone the board as it is now, whatever is scored from here on."""


class Unfreeze(Struct, frozen=True, tag="unfreeze", tag_field="op"):
    """Show everyone the board as it has become."""


class Reveal(Struct, frozen=True, tag="reveal", tag_field="op"):
    """Show a frozen board as it has become, from the bottom up: so many places now, or one every so often."""

    steps: Annotated[int, Meta(ge=1, le=100)] = 1
    every_ms: Annotated[int, Meta(ge=100, le=60_000)] | None = None


class Props(Struct, frozen=True, tag="props", tag_field="op"):
    """What a page needs beyond the ranking; its member ``public`` is in every snapshot."""

    props: dict[str, Any]


class Enter(Struct, frozen=True, gc=False, tag="enter", tag_field="op"):
    """Give a player a row at 0, whether scores count now or not; one that has a row gets the name and the ``meta``.

    So a room shows who is there before its first round. Only for boards that sum up: elsewhere no score is none.
    """

    player: str
    name: str | None = None
    meta: dict[str, Any] | None = None


class Hide(Struct, frozen=True, gc=False, tag="hide", tag_field="op"):
    """Show a player to nobody: it goes on scoring, but has no rank and is not counted."""

    player: str


class Show(Struct, frozen=True, gc=False, tag="show", tag_field="op"):
    """Show a player again that was hidden."""

    player: str


class Ban(Struct, frozen=True, gc=False, tag="ban", tag_field="op"):
    """Take a player off the board and refuse what it scores from here on."""

    player: str


class Unban(Struct, frozen=True, gc=False, tag="unban", tag_field="op"):
    """Let a player that was banned score again, from nothing."""

    player: str


class Undo(Struct, frozen=True, tag="undo", tag_field="op"):
    """Take the last removal or ban back: the entry stands where it stood."""


Staging = Open | Close | Clear | Freeze | Unfreeze | Reveal | Props | Undo
"""What a host decides of the board as a whole."""
Control = Staging | Enter | Hide | Show | Ban | Unban
"""What a host alone may do."""
Event = Score | Remove | Control
