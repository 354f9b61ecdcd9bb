"""leaderboard.packing: what it makes of modules does what they did, is small, and what it cannot read it refuses."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from leaderboard.assets import STATIC
from leaderboard.packing import PackError, pack, shorten
from tests.needs import needs

WIDGET = STATIC / "js" / "widget.js"
MOST = 10_000
"""Bytes that a page of another site may be asked to load, compressed."""


def run(code: str) -> object:
    """What a module prints as JSON."""
    done = subprocess.run(
        [needs("node"), "--input-type=module"],
        input=code,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_the_widget_weighs_less_than_ten_kilobytes(capsys: pytest.CaptureFixture[str]) -> None:
    packed = pack(WIDGET).encode()
    weight = len(gzip.compress(packed, 9))
    with capsys.disabled():
        print(f"\n/widget.js: {weight} bytes gzipped of {MOST}, {len(packed)} plain")
    assert weight < MOST


def test_it_is_the_same_in_every_process() -> None:
    program = "from leaderboard import embeds; print(embeds.script())"
    made = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(made) == 1


def test_the_widget_needs_no_other_file() -> None:
    packed = pack(WIDGET)
    assert not re.search(r"\bimport\b(?!\.meta)|\bexport\b", packed)
    assert "//" not in re.sub(r"https?://|wss?://", "", packed)


@pytest.mark.parametrize(
    "code",
    [
        # names: variables, properties, shorthands, and what only looks alike
        "const width = 2; const box = { width, height: width + 1 }; return box;",
        "const make = (one, two = one) => ({ one, other: two }); return make(1);",
        "const { one: first, two } = { one: 1, two: 2 }; return [first, two];",
        "function twice(value) { return value * 2; } return [1, 2].map(twice);",
        "let name = 'x'; const all = { name: 1 }; return `${name} ${all.name}`;",
        "const list = [1, 2, 3]; const [head, ...rest] = list; return [head, ...rest];",
        "const key = 'a'; return { [key]: key ? key : 0 };",
        "class Count { #n = 0; n = 5; more() { this.#n += 1; return this.#n + this.n; } }\nreturn new Count().more();",
        "class Box { size = 1; of = 2; } const size = 5, of = 6; return [{ ...new Box() }, size, of];",
        "let size = 1; if (size) { size = 2; } const put = () => { size = 3; }; put(); return { size };",
        "class Has { #it = 1; static in(other) { return #it in other; } } return Has.in(new Has());",
        # slashes and strings
        "const all = 8; const part = 2; const rest = all / part / 2; return rest;",
        r"return 'a/b//c'.replace(/\/[/b]/g, '-').split(/-/);",
        "return [/x/.test('x'), 4 / 2, '/* no comment */', \"// none\"];",
        "const a = 1; // one\n/* two */ const b = 2; return a + /* plus */ b;",
        # where a line end or a space counts
        "let a = 1\nlet b = 2\n;[a, b] = [b, a]\nreturn [a, b]",
        "const a = 1; const b = 2; return [a - -b, a + +b, typeof a, void 0 ?? 1];",
        "let a = 1;\na++\n++a\nreturn a;",
        "const f = () => {\n  return {\n    a: 1,\n  };\n};\nreturn f();",
        "for (const [a, b] of Object.entries({ x: 1 })) if (a) { return [a, b]; }",
        "const f = (a) => {\n  return a\n}\nconst g = function (a) {\n  return a\n}\nreturn f(g(1))",
        "let a = 0\nif (!a) {\n  a = 1\n}\nfor (const b of [1]) {\n  a += b\n}\n[1].map(() => a)\nreturn a",
        "class A {\n  b() {\n    return 1\n  }\n  *c() {}\n  static d = 2\n}\nreturn [new A().b(), A.d]",
        "const all = { const: 1 }; return all.const;",
        "switch (1) { case 1: { const one = 'y'; return one; } default: return 'n'; }",
    ],
)
def test_shortened_code_does_the_same(code: str) -> None:
    wrapped = f"console.log(JSON.stringify((() => {{ {code} }})()))"
    assert run(shorten(wrapped)) == run(wrapped)


def test_modules_become_one(tmp_path: Path) -> None:
    (tmp_path / "deep.js").write_text(
        "let made = 0;\n"
        "/** Counts. */\nexport class Counter {\n  next() {\n    made += 1;\n    return made;\n  }\n}\n"
        "export const start = 10;\n"
    )
    (tmp_path / "middle.js").write_text(
        'import { Counter, start as first } from "./deep.js";\n'
        "const made = new Counter();\n"
        "export function step() {\n  return first + made.next();\n}\n"
    )
    entry = tmp_path / "entry.js"
    entry.write_text(
        'import { step } from "./middle.js";\n'
        'import { Counter } from "./deep.js";\n'
        "console.log(JSON.stringify([step(), step(), new Counter().next()]));\n"
    )
    assert run(pack(entry)) == [11, 12, 3]  # one deep module, whoever imports it


@pytest.mark.parametrize(
    "code",
    [
        "export default 1;",
        'export * from "./other.js";',
        'import * as all from "./other.js";',
        "const text = `a ${`b`} c`;",
        "const text = 'no end",
    ],
)
def test_what_is_not_understood_is_an_error(tmp_path: Path, code: str) -> None:
    (tmp_path / "entry.js").write_text(code + "\n")
    with pytest.raises(PackError, match=r"entry\.js"):
        pack(tmp_path / "entry.js")
