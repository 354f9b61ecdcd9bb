"""What people may call themselves when they join a room: shorter than a name on a board, decent, and told apart.

`names` has made a text fit to be shown; this is about people in one room. It is a courtesy and not a wall: who wants to
be rude finds a spelling, and the host can take anybody out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Container, Iterable
from itertools import groupby
from pathlib import Path

import regex

from leaderboard.errors import NameRefused
from leaderboard.names import MAX_NAME, clean_name, graphemes

MAX_LETTERS = 20
"""Letters as readers count them: what a phone shows beside a score."""
MAX_CHARACTERS = 16
"""Characters of one letter: the longest emoji that fonts draw have ten, the longest Indic clusters fewer."""

BLOCKED = tuple(
    line
    for line in Path(__file__).with_name("blocked_names.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
)
"""Refused unless the setting ``blocked_names`` says otherwise."""

Forbids = Callable[[str], bool]

_DIGITS = str.maketrans("401357@$!", "aoiestasi")
_LETTER = r"[\p{L}401357@$!]"
_WORD = regex.compile(rf"{_LETTER}*\p{{L}}{_LETTER}*")
# Letters that stand alone: f u c k, f.u.c.k, 5 h 1 t.
_SPELLED = regex.compile(rf"(?<!\w){_LETTER}(?:[^{_LETTER[1:-1]}]+{_LETTER})+(?!\w)")
# Of what a clean name may hold: joiners and variation selectors, which alone tell no two names apart.
_UNSEEN = regex.compile("[\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def nickname(text: str, taken: Container[str] = (), forbids: Forbids | None = None) -> str:
    """The name for somebody who joins: cleaned, 1 to 20 letters, numbered if it is taken ("Ann 2").

    ``taken`` holds the `key` of each name in the room, ``forbids`` comes from `blocker` (default: the built-in list).
    Raises `NameRefused`, which says why. A name that came from here is not changed by coming again.

    >>> nickname("  Ada \\u202e  Lovelace "), nickname("ann", {key("Ann")})
    ('Ada Lovelace', 'ann 2')
    """
    if len(text) > 10 * MAX_NAME:  # not worth cleaning
        raise NameRefused(f"A name has at most {MAX_LETTERS} letters.")
    name = clean_name(text)
    if not name:
        raise NameRefused("A name needs something that can be seen.")
    letters = graphemes(name)
    if len(letters) > MAX_LETTERS:
        raise NameRefused(f"A name has at most {MAX_LETTERS} letters; this one has {len(letters)}.")
    if len(name) > MAX_NAME or max(map(len, letters)) > MAX_CHARACTERS:
        raise NameRefused("This name is made of too many characters.")
    name = _numbered(name, taken)
    if (forbids or _forbids)(name):
        raise NameRefused("This name is not welcome here. Please take another one.")
    return name


def key(name: str) -> str:
    """What two names that readers take for the same have in common.

    >>> key("Straße 1") == key("STRASSE 1"), key("\\u2764\\ufe0f") == key("\\u2764")
    (True, True)
    """
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", name.casefold()))


def blocker(words: Iterable[str] = BLOCKED) -> Forbids:
    """Whether a name holds one of these words, also in digits for letters (sh1t), stretched or spelled (s.h.i.t).

    A word counts where it stands alone; with a ``*`` at an end also with more letters on that side.

    >>> forbids = blocker(["spam", "*egg*"])
    >>> [forbids(name) for name in ("S p a m", "Spamalot", "Legg3r", "Ann")]
    [True, False, True, False]
    """
    bare, starred = [], []
    for word in words:
        letters = filter(str.isalpha, _plain(word))
        stretched = "".join(f"{letter}{{{len([*same])},}}" for letter, same in groupby(letters))
        if stretched:
            before, after = (r"\p{L}*" if word[end] == "*" else "" for end in (0, -1))
            bare.append(stretched)
            starred.append(before + stretched + after)
    if not bare:
        return lambda _: False
    alone, inside = regex.compile("|".join(bare)), regex.compile("|".join(starred))

    def forbids(name: str) -> bool:
        plain = _plain(name)
        if any(alone.search(_letters(spelled)) for spelled in _SPELLED.findall(plain)):
            return True
        # A digit may stand for a letter, or for itself: sh1t, shit1.
        for reading in (_WORD.sub(lambda word: word[0].translate(_DIGITS), plain), plain):
            for chunk in reading.split():
                tokens = regex.findall(r"\p{L}+", chunk)
                if any(inside.fullmatch(token) for token in tokens):
                    return True
                # Only whole tokens are joined (fu-ck): Push-It holds no other word.
                runs = ("".join(tokens[i:j]) for j in range(len(tokens) + 1) for i in range(j - 1))
                if any(alone.fullmatch(run) for run in runs):
                    return True
        return False

    return forbids


def _numbered(name: str, taken: Container[str]) -> str:
    """The name, or with the number that makes it a new one; shortened if need be."""
    if key(name) not in taken:
        return name

    def with_number(number: int) -> str:
        end = f" {number}"
        letters = graphemes(name)[: MAX_LETTERS - len(end)]
        while sum(map(len, letters)) > MAX_NAME - len(end):
            letters.pop()
        return clean_name("".join(letters)) + end  # cleaned: a joiner may have lost its neighbour

    # A room of a thousand Anns is not counted through for the next one: doubled until one is free, then halved back.
    last, free = 1, 2
    while key(with_number(free)) in taken:
        last, free = free, 2 * free
    while free - last > 1:
        middle = (last + free) // 2
        if key(with_number(middle)) in taken:
            last = middle
        else:
            free = middle
    return with_number(free)


def _plain(text: str) -> str:
    """Without case and without marks."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in apart if unicodedata.category(char) != "Mn")


def _letters(spelled: str) -> str:
    return "".join(regex.findall(_LETTER, spelled)).translate(_DIGITS)


_forbids = blocker()
