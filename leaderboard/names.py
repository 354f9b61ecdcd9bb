"""What a name on a board may look like: text from strangers, made fit to stand in everyone's page.

Not a censor: this keeps a name from hiding, reversing or overflowing what stands around it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

import regex

MAX_NAME = 64
"""Characters of a name after cleaning: two projector columns of the widest script."""
MAX_MARKS = 5
"""Marks on one letter: no living script stacks more; what is beyond only climbs into the rows around."""

# Cc control, Cf format (bidi overrides, zero-width space, BOM, tags), Cs lone surrogates, Co private use,
# Cn unassigned, Zl/Zp line and paragraph separators.
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that show nothing: the grapheme joiner, the fillers of Hangul, vowels and selectors of Khmer and
# Mongolian that are there for encoders only.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f")
_BLANK = "\u2800"  # the Braille pattern without dots: a space by another name
_JOINERS = "\u200c\u200d"
_MARKS = ("Mn", "Me")
_KEYCAPS = "0123456789#*"
# England, Scotland, Wales: a black flag, a code in tags, the cancelling tag (Unicode TS #51, ED-14a). No other tags
# show anywhere: they could only hide a text, or make two names look like one.
_TAGGED_FLAGS = regex.compile(
    "(\U0001f3f4(?:gbeng|gbsct|gbwls)\U000e007f)".translate(
        {letter: 0xE0000 + letter for letter in range(ord("a"), ord("z") + 1)}
    )
)


def clean_name(text: str) -> str:
    """NFKC, without control, bidi-override or zero-width characters, inner spaces collapsed; may come out empty.

    The two joiners stay where they join: emoji families, Persian and Indic scripts are spelled with them. Next to ASCII
    or a space they could only hide, so there they go. Marks stay where they mark: behind a letter, and not too many.
    Tags stay in the three flags that are spelled with them. Cleaning a clean name changes nothing.

    >>> clean_name("  Ada\\u202e \\u200b Lovelace ")
    'Ada Lovelace'
    >>> len(clean_name("👩\\u200d👧"))
    3
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    normal = unicodedata.normalize("NFKC", text).replace(_BLANK, " ")
    kept = "".join(_joined(list(_marked(_standing(normal)))))
    # Once more: what stood between a letter and its mark may be gone.
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def is_printable_id(text: str) -> bool:
    """Whether a player id holds no control character and no lone surrogate (it is otherwise opaque)."""
    return text.isprintable() or not any(
        unicodedata.category(char) in ("Cc", "Cs") for char in text
    )


def graphemes(text: str) -> list[str]:
    """What readers see as letters: an emoji family is one, and so is a letter with its marks (Unicode annex #29).

    >>> len(graphemes("👩\u200d👧")), len(graphemes("Zoe\u0308"))
    (1, 3)
    """
    return regex.findall(r"\X", text)


def _standing(text: str) -> Iterator[str]:
    """Without the characters that may not stand in a name."""
    for index, piece in enumerate(_TAGGED_FLAGS.split(text)):
        yield from piece if index % 2 else filter(_may_stand, piece)


def _may_stand(char: str) -> bool:
    """Whether a character may stand in a name at all."""
    if char in _JOINERS or char in "\t\n\r":
        return True
    return unicodedata.category(char) not in _DROPPED and char not in _INVISIBLE


def _marked(chars: Iterable[str]) -> Iterator[str]:
    """Without the marks that stand on nothing, are too many, or select a form of what has only one."""
    before, begun, marks = "", False, 0
    for char in chars:
        if unicodedata.category(char) in _MARKS:
            if not begun or marks == MAX_MARKS or (_selects(char) and not _has_forms(before)):
                continue
            marks += 1
        elif char not in _JOINERS:
            marks = 0
            begun = begun or not char.isspace()
        before = char
        yield char


def _joined(chars: list[str]) -> Iterator[str]:
    """Without the joiners that have nothing to join."""
    before = ""
    for char, after in zip(chars, [*chars, ""][1:], strict=True):
        if char in _JOINERS and not (_joins(before) and _joins(after)):
            continue
        before = char
        yield char


def _selects(char: str) -> bool:
    """Whether it is a variation selector: one form of an emoji, or of a Chinese character."""
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _has_forms(char: str) -> bool:
    return char in _KEYCAPS if char.isascii() else _joins(char) and not _selects(char)


def _joins(char: str) -> bool:
    return not (char.isascii() or char.isspace() or char in _JOINERS)
