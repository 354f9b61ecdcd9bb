"""What can happen to a board: scores, removals, and what its host decides. The vocabulary of a board channel.

Events come from outside as texts, and become typed values here; a `board` applies them. How they travel is for
`messages` to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from leaderboard.errors import InvalidEvent, ScoreOutOfRange, reason
from leaderboard.names import MAX_NAME, clean_name, is_printable_id
from leaderboard.settings import MAX_SCORE

MAX_PLAYER = 128
MAX_META_BYTES = 1024
MAX_PROPS_BYTES = 4096
MAX_PROPS_LEVELS = 32
"""Everybody who watches has to parse the props, and how deep a reader of JSON can go is its own affair."""
MAX_N = 2**53 - 1
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


# -- out of text -------------------------------------------------------------------------------------------------------


class BoardEvent(Struct):
    """A score on a board, or with another ``op`` what else a board knows: then that says which members it must have.

    A score has ``player`` (or ``id``) and ``score``. With ``by`` and ``n`` it counts once, however often it is sent.
    """

    op: str = "score"
    player: str | None = None
    id: str | None = None
    score: float | UnsetType = UNSET
    name: str | None = None
    meta: dict[str, Any] | None = None
    by: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_\-]{0,32}\Z")] = ""
    n: Annotated[int, Meta(ge=1, le=MAX_N)] | None = None
    round: Annotated[int, Meta(ge=1, le=MAX_N)] | None = None


_board_event = msgspec.json.Decoder(BoardEvent)
_staging = msgspec.json.Decoder(Staging)
_STAGING = frozenset(kind.__struct_config__.tag for kind in get_args(Staging))
_OF_A_PLAYER: dict[str, Callable[[str], Event]] = {
    str(kind.__struct_config__.tag): kind for kind in (Remove, Hide, Show, Ban, Unban)
}


def decode_board_event(text: str) -> Event:
    """An event of a board channel; raises `InvalidEvent` or `ScoreOutOfRange`. Unknown members are ignored."""
    try:
        event = _board_event.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(reason(error)) from None
    if event.op in _STAGING:
        return _decode_staging(text)
    if event.op not in ("score", "enter") and event.op not in _OF_A_PLAYER:
        raise InvalidEvent(f"op {event.op[:40]!a} is not one that a board knows")
    player = event.player if event.player is not None else event.id
    if not player:
        raise InvalidEvent("player is missing or empty")
    if len(player) > MAX_PLAYER:
        raise InvalidEvent(f"player has more than {MAX_PLAYER} characters")
    if not player.isprintable() and not is_printable_id(player):
        raise InvalidEvent("player has a control character")
    if event.op in _OF_A_PLAYER:
        return _OF_A_PLAYER[event.op](player)
    name = None if event.name is None else _name(event.name)
    if event.op == "enter":
        if event.meta is not None:
            _canonical(event.meta, "meta", MAX_META_BYTES)
        return Enter(player, name, event.meta)
    if event.score is UNSET:
        raise InvalidEvent("score is missing")
    if not -MAX_SCORE <= event.score <= MAX_SCORE:
        raise ScoreOutOfRange("score is beyond 2^53-1, the range of exact numbers")
    return Score(
        player,
        event.score,
        name,
        None if event.meta is None else _canonical(event.meta, "meta", MAX_META_BYTES),
        event.by,
        event.n,
        event.round,
    )


def _decode_staging(text: str) -> Staging:
    try:
        event: Staging = _staging.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(reason(error)) from None
    if isinstance(event, Props):
        _canonical(event.props, "props", MAX_PROPS_BYTES)
        if _is_deeper(event.props, MAX_PROPS_LEVELS):
            raise InvalidEvent(f"props is nested too deeply: more than {MAX_PROPS_LEVELS} levels")
    return event


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return not levels or any(_is_deeper(each, levels - 1) for each in inner)


def _name(text: str) -> str:
    # The limit holds after cleaning; what is ten times longer is not worth cleaning.
    name = clean_name(text) if len(text) <= MAX_NAME * 10 else text
    if not 1 <= len(name) <= MAX_NAME:
        raise InvalidEvent(f"name must have 1 to {MAX_NAME} visible characters")
    return name


def _canonical(members: dict[str, Any], what: str, limit: int) -> str:
    try:
        text = msgspec.json.encode(members, order="sorted")
    except RecursionError:
        raise InvalidEvent(f"{what} is nested too deeply") from None
    if len(text) > limit:
        raise InvalidEvent(f"{what} has {len(text)} bytes of canonical JSON, {limit} at most")
    return text.decode()


def decode_any_event(text: str) -> Any:
    """An event as the JSON value that it is: subscribers parse what they get. Raises `InvalidEvent`."""
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(reason(error)) from None
