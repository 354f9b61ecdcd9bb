"""A guide in Markdown as typed text, for a template to put into elements: docs/lab.md is written once and read twice.

The few forms that it uses are known here and no other: headings, paragraphs, fenced code, `code`, **strong** and links.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct


class Piece(Struct, frozen=True):
    """A stretch of text: plain, ``code``, ``strong`` or a ``link``, which has an address."""

    kind: str
    text: str
    address: str = ""


class Block(Struct, frozen=True):
    """A paragraph of pieces, or a ``code`` block, whose only piece is its text."""

    kind: str
    pieces: tuple[Piece, ...]


class Section(Struct, frozen=True):
    """A heading and what stands below it."""

    title: str
    blocks: tuple[Block, ...]


_HEADING: Final = re.compile(r"^#{1,2} (.+)$", re.MULTILINE)
_FENCE: Final = re.compile(r"^```\w*\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_PIECE: Final = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>.+?)\*\*|<(?P<address>https?://[^>]+)>|\[(?P<link>[^\]]+)\]\((?P<to>[^)]+)\)"
)


def read(text: str) -> list[Section]:
    """The sections of a guide, the first with the title of the whole.

    >>> [section] = read("# Lab\\n\\nPress `Go` now.\\n")
    >>> section.title, [piece.text for piece in section.blocks[0].pieces]
    ('Lab', ['Press ', 'Go', ' now.'])
    """
    parts = _HEADING.split(text)[1:]
    return [
        Section(title, tuple(_blocks(body)))
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    ]


def _blocks(text: str) -> list[Block]:
    blocks = []
    for index, part in enumerate(_FENCE.split(text)):
        if index % 2:
            blocks.append(Block("code", (Piece("code", part),)))
        else:
            paragraphs = (each.strip() for each in part.split("\n\n"))
            blocks += [Block("paragraph", tuple(_pieces(each))) for each in paragraphs if each]
    return blocks


def _pieces(paragraph: str) -> list[Piece]:
    text, pieces, end = " ".join(paragraph.split()), [], 0
    for match in _PIECE.finditer(text):
        if match.start() > end:
            pieces.append(Piece("plain", text[end : match.start()]))
        if match["code"]:
            pieces.append(Piece("code", match["code"]))
        elif match["strong"]:
            pieces.append(Piece("strong", match["strong"]))
        elif match["address"]:
            pieces.append(Piece("link", match["address"], match["address"]))
        else:
            pieces.append(Piece("link", match["link"], match["to"]))
        end = match.end()
    if end < len(text):
        pieces.append(Piece("plain", text[end:]))
    return pieces
