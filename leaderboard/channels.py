"""Channel paths: parse, validate, namespace, wildcard match.

A channel is 1 to 5 segments of 1 to 50 letters, digits and dashes; ``a/b``, ``/a/b`` and ``/a/b/`` are one channel,
and everything behind this module knows it as ``/a/b`` (AppSync Events guide, "Channel namespaces").

Two kinds of pattern exist and must not be mixed up. A *subscription* may end in ``/*``, which means every channel
below, at any depth, but not the path itself; it needs a namespace, so ``/*`` alone is refused. A *credential* pattern
may be ``/*``, which means every channel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from leaderboard.errors import BadRequest

_SEGMENT = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?"
_CHANNEL = re.compile(rf"/?({_SEGMENT}(?:/{_SEGMENT}){{0,4}})/?")
_WILDCARD = re.compile(rf"/?({_SEGMENT}(?:/{_SEGMENT}){{0,3}})/\*")

EVERYTHING = "/*"
"""The credential pattern that covers all channels."""


def parse(text: str) -> str:
    """The normalised form of one channel; raises `BadRequest` for anything else, wildcards included.

    >>> parse("default/scores/")
    '/default/scores'
    """
    match = _CHANNEL.fullmatch(text)
    if match is None:
        raise BadRequest(f"{_quoted(text)} is not a channel: {_why(text)}")
    return "/" + match[1]


def parse_subscription(text: str) -> str:
    """The normalised form of a channel or of a wildcard over the channels below a path.

    >>> parse_subscription("default/*")
    '/default/*'
    """
    match = _WILDCARD.fullmatch(text)
    return f"/{match[1]}/*" if match else parse(text)


def parse_credential_pattern(text: str) -> str:
    """The normalised form of what a credential may cover: ``/*``, a wildcard, or a channel."""
    return EVERYTHING if text in ("/*", "*") else parse_subscription(text)


def namespace(path: str) -> str:
    """The first segment of a normalised channel or wildcard.

    >>> namespace("/game/KX7M")
    'game'
    """
    return path[1:].partition("/")[0]


def is_wildcard(path: str) -> bool:
    """Whether a normalised path stands for the channels below it."""
    return path.endswith("/*")


def covers(pattern: str, path: str) -> bool:
    """Whether a credential pattern covers a channel, or the whole of a wildcard.

    >>> covers("/game/*", "/game/KX7M"), covers("/game/*", "/game/a/*"), covers("/game/*", "/game")
    (True, True, False)
    >>> covers("/game/KX7M", "/game/*")
    False
    """
    if pattern in (EVERYTHING, path):
        return True
    return is_wildcard(pattern) and path.startswith(pattern[:-1])


def wildcards_over(path: str) -> Iterator[str]:
    """The wildcards that match a channel, the widest first: at most four.

    >>> list(wildcards_over("/game/a/b"))
    ['/game/*', '/game/a/*']
    """
    end = path.find("/", 1)
    while end != -1:
        yield path[:end] + "/*"
        end = path.find("/", end + 1)


def _quoted(text: str) -> str:
    """What the client sent, short enough to send back."""
    return ascii(text if len(text) <= 60 else text[:60] + "...")


def _why(text: str) -> str:
    segments = text.strip("/").split("/")
    if "*" in text:
        return (
            "a wildcard is allowed only as the last segment, below a namespace, of a subscription"
        )
    if len(segments) > 5:
        return "at most 5 segments"
    if any(len(segment) > 50 for segment in segments):
        return "at most 50 characters in a segment"
    return "segments are letters, digits and inner dashes, as in /namespace/a/b"
