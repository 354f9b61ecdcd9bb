"""One script of many modules: how /widget.js is made of those of static/js when the server starts.

A page of another site shall load one small file, not a chain of seven. So the modules that an entry imports are put
into one, each in a function of its own as it had a scope of its own, without comments and needless spaces, and with
short names for what nobody outside can see; a style sheet becomes a string.

Code is read as tokens and no further. That is enough because a name is either renamed wherever it stands in a module,
or nowhere: one that is ever a property, a shorthand for one, or part of a template stays as it is. What cannot be read
is an error, not a guess: `PackError` says where.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct


class PackError(Exception):
    """A module is written in a way that cannot be packed."""


class Token(Struct, frozen=True):
    """A word or sign of JavaScript, and what kept it apart from the one before: nothing, a space or a line end."""

    kind: str
    text: str
    gap: str = ""


_TOKEN: Final = re.compile(
    r"""
    (?P<gap> (?: \s | //[^\n]* | /\*[\s\S]*?\*/ )+ )
  | (?P<string> "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' )
  | (?P<template> `(?:\\.|[^`\\])*` )
  | (?P<private> \#[A-Za-z_$][\w$]* )
  | (?P<word> [\w$]+ )
  | (?P<unread> ["'`] )
  | (?P<sign> \.\.\. | => | [\s\S] )
    """,
    re.VERBOSE,
)
_REGEX: Final = re.compile(r"(?P<regex>/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*)")
_BEFORE_REGEX: Final = frozenset(
    {"", "(", ",", "=", ":", "[", "!", "&", "|", "?", "{", "}", ";", "return", "=>"}
)
_IMPORT: Final = re.compile(
    r"""^import (?:\{ (?P<names>[^}]+) \}|(?P<sheet>\w+)) from "(?P<path>[^"]+)"(?: with \{ type: "css" \})?;$""",
    re.MULTILINE,
)
_EXPORT: Final = re.compile(r"^export (?=(?:class|function|const) (?P<name>\w+))", re.MULTILINE)
_LEFT: Final = re.compile(r"^(?:import|export) .*", re.MULTILINE)


def pack(entry: Path) -> str:
    """The module and all that it imports, as one module that imports and exports nothing."""
    parts: list[str] = []
    _add(entry.resolve(), parts, {})
    return "\n".join(parts)


class _Added(Struct, frozen=True):
    """A module that is in the pack already: the name of the array of its exports, and what they are called."""

    name: str
    exports: tuple[str, ...]


def _add(path: Path, parts: list[str], known: dict[Path, _Added]) -> _Added:
    """Puts a module behind those that it needs, unless it is there."""
    if path in known:
        return known[path]
    text = path.read_text("utf-8")
    exports = tuple(match["name"] for match in _EXPORT.finditer(text))
    known[path] = added = _Added(f"m{len(known)}", exports)
    if path.suffix == ".css":
        sheet = shorten_css(text)
        if set(sheet) & set("`$\\"):
            raise PackError(f"{path.name}: a style sheet that cannot stand in a template literal")
        parts.append(f"const {added.name}=new CSSStyleSheet;{added.name}.replaceSync(`{sheet}`);")
        return added

    def imported(match: re.Match[str]) -> str:
        source = _add((path.parent / match["path"]).resolve(), parts, known)
        if match["sheet"]:
            return f"const {match['sheet']} = {source.name};"
        return " ".join(_taken(source, each.strip()) for each in match["names"].split(","))

    code = _EXPORT.sub("", _IMPORT.sub(imported, text))
    if left := _LEFT.search(code):
        raise PackError(f"{path.name}: not understood: {left[0]}")
    try:
        code = shorten(f"{code}\nreturn [{', '.join(exports)}];")
    except PackError as error:
        raise PackError(f"{path.name}, {error}") from None
    parts.append(f"const {added.name}=(()=>{{{code}}})();")
    return added


def _taken(source: _Added, what: str) -> str:
    name, _, other = what.partition(" as ")
    return f"const {other or name} = {source.name}[{source.exports.index(name)}];"


def shorten(code: str) -> str:
    """JavaScript without comments and needless spaces, with short names where no other module can see them.

    >>> shorten("class Half {\\n  #count = 0; // so many\\n  of() {\\n    return this.#count / 2;\\n  }\\n}\\n")
    'class a{#a=0;of(){return this.#a/2}}'
    """
    tokens = list(_tokens(code))
    names = _short_names(tokens)
    out: list[str] = []
    before = ""
    braces: list[bool] = []
    ended_block = False
    for at, token in enumerate(tokens):
        text = (
            names.get(token.text, token.text) if token.kind in ("word", "private") else token.text
        )
        if text == "const" and before != "." and tokens[at + 1].text != ":":
            text = "let"  # TypeScript has told long before who assigns to what is none
        gap = token.gap
        if before + text in (";}", ",}", ",)"):  # the last of a list needs no end of its own
            out.pop()
            before = ""
        elif before == "}" and ended_block:
            gap = ""
        if text == "{":
            braces.append(_is_block(tokens, at))
        ended_block = text == "}" and braces.pop()
        out.append(_between(before, gap, text) + text)
        before = text
    return "".join(out)


def _tokens(code: str) -> Iterator[Token]:
    before = gap = ""
    at = 0
    # A slash divides behind a value, and begins a regular expression elsewhere.
    while match := (before in _BEFORE_REGEX and _REGEX.match(code, at)) or _TOKEN.match(code, at):
        kind, text, at = match.lastgroup or "", match[0], match.end()
        if kind == "gap":
            gap = "\n" if "\n" in text else " "
            continue
        # A template inside a template's ${} would seem to end the outer one.
        if kind == "unread" or (kind == "template" and text.count("${") > text.count("}")):
            raise PackError(
                f"line {code.count(chr(10), 0, match.start()) + 1}: {text} is not understood"
            )
        yield Token(kind, text, gap)
        before, gap = text, ""


def _between(before: str, gap: str, after: str) -> str:
    """What has to stay of the space between two tokens."""
    left, right = before[-1:], after[:1]
    if not gap or not left:
        return ""
    if gap == "\n" and left not in "{;,([=:?&|>" and right not in ".)}],:?":
        return "\n"  # it may end a statement
    words = re.fullmatch(r"[\w$][\w$#]", left + right)
    return " " if words or (left in "+-/" and right in "+-/") else ""


# -- names -------------------------------------------------------------------------------------------------------------


def _short_names(tokens: Sequence[Token]) -> dict[str, str]:
    """A short name for each private one, and for each that a module declares and uses as a variable only."""
    words = Counter(token.text for token in tokens if token.kind == "word")
    private = Counter(token.text for token in tokens if token.kind == "private")
    inner = _declared(tokens) - _seen_outside(tokens)
    fresh = (name for name in _letters() if name not in words)
    # Of names that are as common, a set has each process begin with another.
    common = sorted(inner, key=lambda name: (-words[name], name))
    names = dict(zip(common, fresh, strict=False))
    return names | {
        name: f"#{short}"
        for (name, _), short in zip(private.most_common(), _letters(), strict=False)
    }


def _declared(tokens: Sequence[Token]) -> set[str]:
    """Names of variables, functions and classes, and of parameters."""
    found: set[str] = set()
    for at, token in enumerate(tokens):
        before = tokens[at - 1].text if at else ""
        if token.kind != "word":
            continue
        if before in ("const", "let", "function", "class"):
            found.add(token.text)
        elif before in ("(", ",", "..."):
            found |= {token.text} if _is_parameter(tokens, at) else set()
    return found


def _is_parameter(tokens: Sequence[Token], at: int) -> bool:
    """Whether a word stands right in the brackets of a function's head."""
    start, end = _bracket(tokens, at, -1), _bracket(tokens, at, 1)
    if start < 1 or end + 1 >= len(tokens) or tokens[start].text != "(":
        return False
    head = tokens[start - 1].text not in ("if", "for", "while", "switch")
    return tokens[end + 1].text == "=>" or (head and tokens[end + 1].text == "{")


def _bracket(tokens: Sequence[Token], at: int, step: int) -> int:
    """Where the bracket around a token begins (-1) or ends (1)."""
    opening, closing = ("([{", ")]}") if step > 0 else (")]}", "([{")
    depth = 0
    at += step
    while 0 <= at < len(tokens):
        text = tokens[at].text
        if len(text) == 1 and text in closing:
            if not depth:
                break
            depth -= 1
        elif len(text) == 1 and text in opening:
            depth += 1
        at += step
    return at


def _seen_outside(tokens: Sequence[Token]) -> set[str]:
    """Names that are, at least once, a property or a method, or a shorthand for one, or stand in a template."""
    found: set[str] = set()
    for at, token in enumerate(tokens):
        if token.kind == "template":
            found.update(re.findall(r"[\w$]+", token.text))
        if token.kind != "word":
            continue
        before = tokens[at - 1].text if at else ""
        after = tokens[at + 1].text if at + 1 < len(tokens) else ""
        member = before in ("{", ",", "...") and after in (",", "}", "=", ":")
        field = before in ("{", ";", "}", "static") and after in ("=", ";")
        if (
            before == "."
            or (member and _is_object(tokens, _bracket(tokens, at, -1)))
            or (field and _is_class(tokens, _bracket(tokens, at, -1)))
        ):
            found.add(token.text)
        elif after == "(" and before != "function":
            end = _bracket(tokens, at + 2, 1) if tokens[at + 2].text != ")" else at + 2
            if end + 1 < len(tokens) and tokens[end + 1].text == "{":
                found.add(token.text)  # a method, or a keyword
    return found


def _is_object(tokens: Sequence[Token], at: int) -> bool:
    """Whether a bracket may hold properties: a brace that does not begin a block."""
    before = tokens[at - 1].text if at > 0 else ""
    return tokens[at].text == "{" and before not in (")", "=>", "else", "try", "finally")


def _is_block(tokens: Sequence[Token], at: int) -> bool:
    """Whether a brace begins the body of a statement or a method: no line end behind it can be the end of one."""
    if tokens[at - 1].text != ")":
        return tokens[at - 1].text in ("else", "try", "finally") or _is_class(tokens, at)
    head = _bracket(tokens, at - 1, -1)
    return all(token.text != "function" for token in tokens[max(0, head - 2) : head])


def _is_class(tokens: Sequence[Token], at: int) -> bool:
    """Whether a bracket is the body of a class."""
    return tokens[at].text == "{" and any(
        token.text in ("class", "extends") for token in tokens[max(0, at - 4) : at]
    )


def _letters() -> Iterator[str]:
    """a, b, … z, aa, ab, … without the keywords among them."""
    for length in itertools.count(1):
        for letters in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=length):
            if (name := "".join(letters)) not in (
                "do",
                "if",
                "in",
                "for",
                "let",
                "new",
                "try",
                "var",
            ):
                yield name


def shorten_css(text: str) -> str:
    """A style sheet without comments and needless spaces. No string in it may hold a brace or a comment.

    >>> shorten_css(".a > .b:is(c, d) {\\n  color: red; /* why */\\n  inset: 0 auto;\\n}\\n")
    '.a > .b:is(c,d){color:red;inset:0 auto}'
    """
    text = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))
    text = re.sub(r" ?([{};]) ?", r"\1", text)
    text = re.sub(r"([,:]) ", r"\1", text)
    text = re.sub(r'="([a-z]+)"\]', r"=\1]", text)
    return re.sub(r"\b0(?=\.\d)", "", text).replace(";}", "}").strip()
