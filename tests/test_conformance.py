"""docs/conformance.md: each fact has an answer and a test, and each test that it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.checkout import ROOT

DOCUMENT = (ROOT / "docs" / "conformance.md").read_text("utf-8")
FACTS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in DOCUMENT.splitlines()
    if re.match(r"\| \d", line)
]
NAMED = re.compile(r"`(test_\w+\.py)`: `(\w+)`")


@cache
def names_in(file: str) -> set[str]:
    """The names of a file's tests, without what they all begin with."""
    tree = ast.parse((ROOT / "tests" / file).read_bytes(), file)
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return {node.name.removeprefix("test_") for node in functions if node.name.startswith("test_")}


def test_the_document_has_facts() -> None:
    assert len(FACTS) > 60


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: str(fact[0]))
def test_a_fact_has_an_answer_and_tests_that_are_there(fact: list[str]) -> None:
    number, sign, there, here, tests = fact
    assert re.fullmatch(r"\d+\.\d+", number)
    assert sign in ("", "**differs**", "*chosen*")
    assert there
    assert here
    named = NAMED.findall(tests)
    assert named
    assert NAMED.sub("", tests).replace("<br>", "") == "", "nothing but tests stands there"
    for file, name in named:
        assert name in names_in(file), f"{file} has no test_{name}"


def test_facts_are_numbered_in_order() -> None:
    section = count = 0
    for number, *_ in FACTS:
        now, at = map(int, number.split("."))
        assert (now, at) in ((section, count + 1), (section + 1, 1))
        section, count = now, at
