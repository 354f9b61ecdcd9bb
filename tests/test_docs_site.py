"""The documentation's pages: they are built, load nothing from other hosts, and a broken reference fails."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from leaderboard import asyncapi
from leaderboard.cli import cli
from tests.checkout import ROOT

pytestmark = pytest.mark.timeout(300)


def built(docs: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """`make docs`, from a copy of the folder."""
    (target,) = re.findall(
        r"^docs:.*\n\t(.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    options = target.split()[1:-2]
    assert "--fail-on-warning" in options
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, docs, out],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder, among copies of what it points to."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("docs", "leaderboard"):
        ignored = shutil.ignore_patterns("reference", "__pycache__")
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for file in ROOT.glob("*.md"):
        shutil.copy(file, copy)
    return copy / "docs"


@pytest.fixture(scope="module")
def site(docs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    build = built(docs, out)
    assert build.returncode == 0, build.stderr
    return out


class Loads(HTMLParser):
    """What a browser loads for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {"link": "href", "form": "action"}.get(tag, "src")
        self.found += [value or "" for name, value in attrs if name == names]


def test_pages_load_nothing_from_another_host(site: Path) -> None:
    pages = [page for page in sorted(site.rglob("*.html")) if "_downloads" not in page.parts]
    assert len(pages) > 30
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text("utf-8"))
        assert loads.found
        assert not [each for each in loads.found if re.match(r"(\w+:)?//", each)], page
    for style in site.rglob("*.css"):
        foreign = re.findall(
            r"(?:url\(|@import)\s*['\"]?\s*(?:https?:)?//", style.read_text("utf-8")
        )
        assert not foreign, style


def test_the_reference_has_every_message_and_every_command(site: Path) -> None:
    messages = (site / "reference" / "messages.html").read_text("utf-8")
    for name in asyncapi.document("http://127.0.0.1:8000")["components"]["schemas"]:
        assert name in messages
    commands = (site / "reference" / "cli.html").read_text("utf-8")
    for command in cli.registered_commands:
        assert command.callback is not None
        assert (command.name or command.callback.__name__) in commands


@pytest.mark.parametrize(
    "broken",
    ["[there](no-such-page.md)", "[there](lab.md#no-such-heading)", "![](no-such-picture.png)"],
)
def test_a_broken_reference_fails_the_build(broken: str, docs: Path, tmp_path: Path) -> None:
    small = tmp_path / "docs"
    small.mkdir()
    for name in ("conf.py", "reference.py", "lab.md", "fan-out.svg"):
        if (docs / name).exists():
            shutil.copy(docs / name, small)
    (small / "fan-out.svg").touch()
    shutil.copytree(docs / "_static", small / "_static")
    (small / "index.md").write_text("# Home\n\n```{toctree}\nlab\nreference/index\n```\n", "utf-8")
    (tmp_path / "leaderboard").mkdir()
    (tmp_path / "leaderboard" / "__init__.py").touch()  # the lab points to it
    assert built(small, tmp_path / "good").returncode == 0
    with (small / "index.md").open("a", encoding="utf-8") as file:
        file.write(f"\n{broken}\n")
    build = built(small, tmp_path / "bad")
    assert build.returncode != 0
    assert "no-such" in build.stderr
