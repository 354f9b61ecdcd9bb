"""The documents of the checkout, and the blocks of code in them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.checkout import ROOT

__all__ = ["Block", "block", "blocks", "documents"]

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WRITTEN = "127.0.0.1:8000"
"""Where documents say that a server is."""
WRITTEN_KEY = "da2-…"


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    file: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def here(self, url: str, key: str) -> str:
        """The text with a server's address and key in the places of those that are written."""
        text = self.text.replace(WRITTEN, url.removeprefix("http://"))
        return text.replace(WRITTEN_KEY, key)


def documents() -> list[str]:
    """README, and what is in docs but for the pages that are written from the code."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    written = [path for path in found if path.parent.name != "reference"]
    return ["README.md", "CONTRIBUTING.md", *(str(path.relative_to(ROOT)) for path in written)]


def blocks(*languages: str) -> list[Block]:
    """All blocks in these languages; without any, all blocks."""
    return [
        Block(file, text[: match.start()].count("\n") + 1, match[1], match[2])
        for file in documents()
        if (ROOT / file).is_file()
        for text in [(ROOT / file).read_text("utf-8")]
        for match in _FENCE.finditer(text)
        if not languages or match[1] in languages
    ]


def block(language: str, with_: str) -> Block:
    """The one block of a language in which a text stands."""
    (found,) = [each for each in blocks(language) if with_ in each.text]
    return found
