"""The documentation as pages of the server itself: what docs/ says, for `/docs/guide`.

Its Markdown is ours, so HTML in it stays. What there is to show is found once, by walking the folder: an address is a
key and never a path. The reference that Sphinx writes from the code is not among it: `/docs` says the same here.
"""

from __future__ import annotations

import posixpath
import re
import struct
from collections.abc import Iterator
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec import Struct

from leaderboard.assets import DOCS
from leaderboard.settings import LOCAL

ROOT: Final = "/docs/guide"
REFERENCE: Final = "/docs"
PICTURES: Final = {".png": "image/png", ".svg": "image/svg+xml"}
LISTED: Final = ("examples", "deploy")
"""Folders whose files are shown as they are."""

_NAMED: Final = re.compile(r"^:(\w+):\s*(.*)$")
_ELSEWHERE: Final = re.compile(r"[a-z]+:")


class Page(Struct, frozen=True):
    """A document: its title, and its text as HTML."""

    title: str
    body: str


class Picture(Struct, frozen=True):
    """A picture of a document, with its size in pixels."""

    data: bytes
    kind: str
    width: int
    height: int


class Entry(Struct, frozen=True):
    """A line of the table of contents."""

    address: str
    title: str
    below: tuple[Entry, ...] = ()


class Part(Struct, frozen=True):
    """What stands under one heading of the table of contents."""

    caption: str
    entries: tuple[Entry, ...]


@cache
def contents() -> tuple[Part, ...]:
    """The table of contents, by the lists of docs/index.md."""
    return tuple(
        Part(named["caption"], tuple(_entries("index.md", names)))
        for named, names in _lists("index.md")
    )


def page(address: str) -> Page | None:
    """The document at an address below `ROOT`, without a slash before it; None if there is none."""
    file = _files().get(address, "")
    return _page(file) if file and Path(file).suffix not in PICTURES else None


def picture(address: str) -> Picture | None:
    """The picture at an address; None if there is none."""
    file = _files().get(address, "")
    return _picture(file) if Path(file).suffix in PICTURES else None


@cache
def _page(file: str) -> Page:
    text = (DOCS / file).read_text("utf-8")
    if not file.endswith(".md"):
        name = Path(file).name
        return Page(name, f"<h1>{name}</h1>\n{_code(text)}")
    tokens = _markdown().parse(text)
    _resolve(file, tokens)
    return Page(_title(tokens), _markdown().renderer.render(tokens, _markdown().options, {}))


@cache
def _picture(file: str) -> Picture:
    data = (DOCS / file).read_bytes()
    kind = PICTURES[Path(file).suffix]
    if kind == "image/png":
        width, height = struct.unpack(">II", data[16:24])  # of the first chunk, IHDR
    else:
        box = re.search(rb'viewBox="0 0 ([\d.]+) ([\d.]+)"', data)
        width, height = (round(float(each)) for each in box.groups()) if box else (0, 0)
    return Picture(data, kind, width, height)


# -- what there is -----------------------------------------------------------------------------------------------------


@cache
def _files() -> dict[str, str]:
    """Files below docs/, by address."""
    found = {}
    for path in sorted(DOCS.rglob("*")):
        file = path.relative_to(DOCS)
        listed = file.parts[0] in LISTED and path.is_file()
        if {"reference", "__pycache__"} & set(file.parts) or not (
            listed or file.suffix in {".md", *PICTURES}
        ):
            continue
        found[_address(file.as_posix())] = file.as_posix()
    return found


def _address(file: str) -> str:
    """Where a file is shown: `how-to/embed`, and `how-to` for the page that introduces a folder.

    >>> _address("how-to/embed.md"), _address("examples/README.md"), _address("index.md")
    ('how-to/embed', 'examples', '')
    """
    return re.sub(r"(^|/)(index|README)$", "", file.removesuffix(".md"))


# -- lists of documents ------------------------------------------------------------------------------------------------


def _lists(file: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """The lists of a document (``toctree``): what each is told, and the names in it."""
    for token in _markdown().parse((DOCS / file).read_text("utf-8")):
        if token.type == "fence" and token.info == "{toctree}":
            yield _list(token.content)


def _list(text: str) -> tuple[dict[str, str], list[str]]:
    lines = [line for line in text.splitlines() if line]
    named = {match[1]: match[2] for line in lines if (match := _NAMED.match(line))}
    return named, [line for line in lines if not _NAMED.match(line)]


def _entries(file: str, names: list[str]) -> Iterator[Entry]:
    folder = posixpath.dirname(file)
    for name in names:
        target = posixpath.join(folder, name)
        if target.startswith("reference/"):
            yield Entry(REFERENCE, "The HTTP interface")
            continue
        pattern = f"{target}.md"
        for found in sorted(each.relative_to(DOCS).as_posix() for each in DOCS.glob(pattern)):
            below = [entry for _, names in _lists(found) for entry in _entries(found, names)]
            yield Entry(_link(_address(found)), _titled(found), tuple(below))


def _titled(file: str) -> str:
    return _title(_markdown().parse((DOCS / file).read_text("utf-8")))


def _title(tokens: list[Token]) -> str:
    for token, after in pairwise(tokens):
        if token.type == "heading_open":
            return _plain(after)
    return ""


def _plain(inline: Token) -> str:
    return "".join(each.content for each in inline.children or ())


def _link(address: str) -> str:
    return f"{ROOT}/{address}".rstrip("/")


# -- from Markdown to HTML ---------------------------------------------------------------------------------------------


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark").enable("table")
    rules = markdown.renderer.rules  # type: ignore[attr-defined]
    rules["fence"] = lambda tokens, index, *_: _code(tokens[index].content)
    rules["table_open"] = lambda *_: (
        '<div class="table-frame" tabindex="0"><table class="fields">\n'
    )
    rules["table_close"] = lambda *_: "</table></div>\n"
    return markdown


def _code(text: str) -> str:
    return f'<pre class="code" tabindex="0"><code>{escape(text, quote=False)}</code></pre>\n'


def _resolve(file: str, tokens: list[Token]) -> None:
    """Have the headings be found, the links lead to where things are here, and the pictures keep their place."""
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrs["id"] = _slug(_plain(tokens[index + 1]))
        elif token.type == "th_open" and not tokens[index + 1].content:
            token.tag = tokens[index + 2].tag = "td"  # a heading without a word is none
        elif token.type == "fence" and token.info == "{toctree}":
            named, names = _list(token.content)
            token.type, token.content = "html_block", ""
            if "hidden" not in named:
                lines = "\n".join(
                    f'<li><a href="{entry.address}">{escape(entry.title)}</a></li>'
                    for entry in _entries(file, names)
                )
                token.content = f"<ul>\n{lines}\n</ul>\n"
        closes: Token | None = None
        for each in token.children or ():
            if each.type == "link_open":
                closes = _lead(file, each)
            elif each.type == "link_close" and closes is not None:
                each.tag, closes = closes.tag, None
            elif each.type == "image":
                _place(file, each)


def _lead(file: str, link: Token) -> Token:
    """Have a link lead to where its target is here; where that is nowhere, it is none."""
    target, _, heading = str(link.attrs["href"]).partition("#")
    anchor = f"#{heading}" if heading else ""
    if target.startswith(LOCAL):  # which is this server
        link.attrs["href"] = (target.removeprefix(LOCAL) or "/") + anchor
    elif target and not _ELSEWHERE.match(target):
        meant = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
        if meant in _files().values():
            link.attrs["href"] = _link(_address(meant)) + anchor
        elif meant.startswith("reference/"):
            link.attrs["href"] = REFERENCE
        else:
            link.tag, link.attrs = "span", {}
    return link


def _place(file: str, image: Token) -> None:
    meant = posixpath.normpath(posixpath.join(posixpath.dirname(file), str(image.attrs["src"])))
    image.attrs["src"] = _link(meant)
    shown = picture(meant)
    if shown is not None:
        image.attrs |= {"width": shown.width, "height": shown.height}


def _slug(heading: str) -> str:
    """The name of a heading in an address, as code hosts and the generator of the site have it.

    >>> _slug("Links that carry a role, `rate` and all")
    'links-that-carry-a-role-rate-and-all'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
