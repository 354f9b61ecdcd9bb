"""What the JavaScript of static/js says of its types, by TypeScript's own compiler: tests/interop/tsconfig.json."""

from __future__ import annotations

import inspect
import re
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import fields

from leaderboard import client, messages, snapshots
from leaderboard.assets import STATIC
from tests.checkout import ROOT
from tests.link_facts import STATES
from tests.needs import missing, needs

INTEROP = ROOT / "tests" / "interop"


def compiled(*flags: str) -> str:
    """What the compiler has to say."""
    compiler = needs("node_modules") / "typescript" / "bin" / "tsc"
    if not compiler.is_file():
        missing("the npm package typescript is not installed")
    done = subprocess.run(
        [needs("node"), compiler, "--pretty", "false", *flags],
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
    flags = (
        "--noEmit",
        "--ignoreConfig",
        "--allowJs",
        "--checkJs",
        "--strict",
        "--lib",
        "esnext,dom",
    )
    assert "wrong.js" in compiled(*flags, "--module", "esnext", str(module))


# -- the same names as in Python ---------------------------------------------------------------------------------------

LINK = (STATIC / "js" / "link.js").read_text("utf-8")


def members(typedef: str) -> set[str]:
    """Of a type that link.js describes."""
    (described,) = re.findall(rf"@typedef {{object}} {typedef}\b(.*?)\*/", LINK, re.DOTALL)
    return set(re.findall(r"@property {.*?} \[?(\w+)", described))


def named(struct: type) -> set[str]:
    return {each.name for each in fields(struct)}


@pytest.mark.parametrize("name", ["Snapshot", "Row", "Round"])
def test_what_is_read_has_the_names_that_the_server_gives(name: str) -> None:
    given = named(getattr(snapshots, name)) - {"type"}
    assert named(getattr(client, name)) == given
    assert members(name) - {"type"} == given


def test_a_view_is_asked_for_by_the_names_that_the_server_knows() -> None:
    known = named(messages.ViewSpec)
    assert members("View") == known
    asked = set(inspect.signature(client.Client.subscribe).parameters) - {"self", "channel"}
    assert asked == known - {"since"}  # which the client itself says


def test_answers_and_states_have_the_same_names() -> None:
    assert members("Published") == named(client.Published)
    (states,) = re.findall(r"@typedef {(.*)} State \*/", LINK)
    assert tuple(re.findall(r"\w+", states)) == STATES


def test_declarations_can_be_made_of_the_client(tmp_path: Path) -> None:
    """As docs/how-to/browser.md tells."""
    flags = ("--allowJs", "--declaration", "--emitDeclarationOnly", "--target", "esnext")
    module = tmp_path / "link.js"
    module.write_text(LINK, "utf-8")
    assert compiled("--ignoreConfig", str(module), *flags) == ""
    made = (tmp_path / "link.d.ts").read_text("utf-8")
    assert "export declare function connect(options?: Options" in made
