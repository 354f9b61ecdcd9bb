"""How a page is put into words: the templates, what they may ask for, and the policy that guards what they say.

What a player is called comes from strangers: every template escapes, none holds a line of script or style, and the
policy lets a browser run nothing else. Numbers, titles, faces and prose are worded here, the same as in static/js.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from leaderboard.assets import TEMPLATES
from leaderboard.names import graphemes
from leaderboard.ranking import Row
from leaderboard.standing import amount

HUES: Final = 8
"""Colours of faces: `hue` in static/js/board.js counts the same."""

_HOST = re.compile(r"[A-Za-z0-9.\-:\[\]]+")
_CODE = re.compile(r"(`+)(.+?)\1")


def render(template: str, context: Mapping[str, Any]) -> str:
    """The HTML of a template; a name that it asks for and does not get is an error."""
    return _templates.get_template(template).render(context)


def policy(
    host: str,
    *,
    trusted_types: bool,
    reach: str = "",
    ancestors: Iterable[str] = ("'self'",),
    frames: bool = False,
) -> str:
    """The Content-Security-Policy of a page served under ``host``, as the client called it.

    ``reach`` is one more origin that its scripts may ask: this server under another of its names.

    ``trusted_types`` forbids scripts to write HTML from strings. Ours never do; htmx does, with HTML that the server
    rendered. ``ancestors`` are the sites that may frame the page; with ``frames`` it may frame others of this server.
    """
    # Older Safaris do not count the socket of the same host as 'self'. A client's word for the host goes into a header
    # here, so it must be nothing but a host.
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    rules = [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        f"connect-src 'self'{sockets}{f' {reach}' if reach else ''}",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        f"frame-ancestors {' '.join(ancestors)}",
        *(["frame-src 'self'"] if frames else []),
        *(["require-trusted-types-for 'script'"] if trusted_types else []),
    ]
    return "; ".join(rules)


# -- what templates may ask for ----------------------------------------------------------------------------------------


def title_of(channel: str) -> str:
    """A channel as a headline.

    >>> title_of("/leaderboard/summer-cup")
    'Summer cup'
    """
    words = channel.rpartition("/")[2].replace("-", " ")
    return words[:1].upper() + words[1:]


def number(value: float) -> str:
    """A count or a score as English writes it, with at most three decimals; scripts then follow the reader's locale.

    Of the decimal that is shown everywhere else halves go up, as `Intl.NumberFormat` has it.

    >>> number(1313), number(-2.50), number(1e15), number(0.0005), number(2.0625)
    ('1,313', '-2.5', '1,000,000,000,000,000', '0.001', '2.063')
    """
    text = f"{Decimal(repr(value)).quantize(Decimal('0.001'), ROUND_HALF_UP):,f}"
    return text.rstrip("0").rstrip(".")


def lasting(minutes: int) -> str:
    """A time that is left.

    >>> lasting(45), lasting(120), lasting(90)
    ('45 min', '2 h', '1 h 30 min')
    """
    hours, rest = divmod(minutes, 60)
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{rest} min"] if rest else [])])


def shown(row: Row) -> str:
    """What a player is called."""
    return row.name or row.player


def hue(player: str) -> int:
    """A colour for each player, the same on every screen: FNV-1a over the id."""
    digest = 0x811C9DC5
    for byte in player.encode():
        digest = (digest ^ byte) * 0x01000193 & 0xFFFFFFFF
    return digest % HUES


def initials(name: str) -> str:
    """One or two letters for a face: of the first and the last word, an emoji family counting as one letter.

    One is enough where it is as wide as two. A sign before a name stands beside the face anyway.

    >>> initials("Hedy Lamarr"), initials("ken"), initials("🤖 Mum"), initials("👩\\u200d👧")
    ('HL', 'K', 'M', '👩\\u200d👧')
    """
    words = name.split()
    words = [word for word in words if any(map(str.isalnum, word))] or words
    ends = words if len(words) < 2 else [words[0], words[-1]]
    letters = [graphemes(word)[0] for word in ends]
    both = all(
        each[0].isalnum() and unicodedata.east_asian_width(each[0]) not in "WF" for each in letters
    )
    return ("".join(letters) if both else letters[0]).upper()


def paragraphs(text: str) -> list[list[tuple[bool, str]]]:
    """A docstring as paragraphs of (is it code, text): what stands in backquotes is code, single line ends are none.

    >>> paragraphs("Up to `5`\\nevents.\\n\\nNo more.")
    [[(False, 'Up to '), (True, '5'), (False, ' events.')], [(False, 'No more.')]]
    """
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        pieces = _CODE.split(" ".join(block.split()))
        # Text, backquotes, code, text, backquotes, code, …, text.
        parts = [(False, pieces[0])]
        for code, plain in zip(pieces[2::3], pieces[3::3], strict=True):
            parts += [(True, code), (False, plain)]
        found.append([part for part in parts if part[1]])
    return found


_templates = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(
    {
        each.__name__: each
        for each in (amount, hue, initials, lasting, number, paragraphs, shown, title_of)
    }
)
