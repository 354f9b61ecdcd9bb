"""What the JavaScript of static/js says of its types, by TypeScript's own compiler: tests/interop/tsconfig.json."""

from __future__ import annotations

import subprocess
from pathlib import Path

from leaderboard.assets import STATIC
from tests.checkout import ROOT
from tests.needs import missing, needs

INTEROP = ROOT / "tests" / "interop"


def compiled(*flags: str) -> str:
    """What the compiler has to say; nothing is written."""
    compiler = needs("node_modules") / "typescript" / "bin" / "tsc"
    if not compiler.is_file():
        missing("the npm package typescript is not installed")
    done = subprocess.run(
        [needs("node"), compiler, "--noEmit", "--pretty", "false", *flags],
        check=False, capture_output=True, text=True, cwd=INTEROP, timeout=120,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_every_module_and_a_page_in_typescript_are_sound() -> None:
    """The page is tests/interop/typed.ts, in which each mistake has to be found, or finding none is an error."""
    assert compiled("--project", ".") == ""


def test_nothing_is_left_out() -> None:
    listed = compiled("--project", ".", "--listFilesOnly").splitlines()
    modules = {Path(line).name for line in listed if Path(line).parent == STATIC / "js"}
    assert modules == {path.name for path in (STATIC / "js").glob("*.js")}


def test_a_wrong_type_would_have_been_found(tmp_path: Path) -> None:
    module = tmp_path / "wrong.js"
    text = (STATIC / "js" / "link.js").read_text("utf-8")
    module.write_text(text.replace("lastKnown = null;", 'lastKnown = "never";'), "utf-8")
    flags = ("--ignoreConfig", "--allowJs", "--checkJs", "--strict", "--lib", "esnext,dom")
    assert "wrong.js" in compiled(*flags, "--module", "esnext", str(module))
