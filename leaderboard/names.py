"""What a name on a board may look like: text from strangers, made fit to stand in everyone's page.

Not a censor: this keeps a name from hiding, reversing or overflowing what stands around it.
"""

from __future__ import annotations

import re
import unicodedata

MAX_NAME = 64
"""Characters of a name after cleaning: two projector columns of the widest script."""

# Cc control, Cf format (bidi overrides, zero-width space, BOM, tags), Cs lone surrogates, Co private use,
# Cn unassigned, Zl/Zp line and paragraph separators.
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"
_SPACES = re.compile(r"\s+")


def clean_name(text: str) -> str:
    """NFKC, without control, bidi-override or zero-width characters, inner spaces collapsed; may come out empty.

    The two joiners stay where they join: emoji families, Persian and Indic scripts are spelled with them. Next to ASCII
    or a space they could only hide, so there they go.

    >>> clean_name("  Ada\\u202e \\u200b Lovelace ")
    'Ada Lovelace'
    >>> len(clean_name("👩\\u200d👧"))
    3
    """
    normal = unicodedata.normalize("NFKC", text)
    kept: list[str] = []
    for index, char in enumerate(normal):
        if char in _JOINERS:
            if kept and _joins(kept[-1]) and _joins(normal[index + 1 : index + 2]):
                kept.append(char)
        elif char in "\t\n\r" or unicodedata.category(char) not in _DROPPED:
            kept.append(char)
    return _SPACES.sub(" ", "".join(kept)).strip()


def is_printable_id(text: str) -> bool:
    """Whether a player id holds no control character and no lone surrogate (it is otherwise opaque)."""
    return text.isprintable() or not any(
        unicodedata.category(char) in ("Cc", "Cs") for char in text
    )


def _joins(char: str) -> bool:
    return bool(char) and ord(char) > 0x7F and not char.isspace() and char not in _JOINERS
