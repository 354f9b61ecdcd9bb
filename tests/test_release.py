"""A release: its changelog, its notes, its workflow, and that whoever builds it gets the same bytes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from leaderboard import __version__
from tests.checkout import ROOT, tracked

NOTES = ROOT / ".ci" / "release-notes"
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


# -- the changelog -----------------------------------------------------------------------------------------------------


def test_the_changelog_is_in_order() -> None:
    headings = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert "Unreleased" not in headings[1:]
    released = [heading for heading in headings if heading != "Unreleased"]
    matches = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) - (\d{4}-\d\d-\d\d)", each) for each in released]
    assert all(matches)
    versions = [tuple(map(int, match.groups()[:3])) for match in matches if match]
    dates = [match[4] for match in matches if match]
    assert versions == sorted(set(versions), reverse=True)
    assert dates == sorted(dates, reverse=True)
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= KINDS


def test_what_the_code_calls_itself_can_be_released() -> None:
    done = told(NOTES, __version__)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n- ") > 1


def told(script: Path, version: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, script, version], check=False, capture_output=True, text=True
    )


def notes(folder: Path, version: str, changelog: str) -> subprocess.CompletedProcess[str]:
    """What the script says of a checkout with that changelog, whose code is 0.2.0."""
    (folder / ".ci").mkdir()
    (folder / "leaderboard").mkdir()
    script = Path(shutil.copy(NOTES, folder / ".ci"))
    (folder / "leaderboard" / "__init__.py").write_text(
        '"""…"""\n\n__version__ = "0.2.0"\n', "utf-8"
    )
    (folder / "CHANGELOG.md").write_text(changelog, "utf-8")
    return told(script, version)


RELEASED = """# Changelog

## Unreleased

## 0.2.0 - 2026-12-24

### Added

- Snow.

## 0.1.0 - 2026-11-24

### Added

- Everything.
"""


@pytest.mark.parametrize("version", ["0.2.0", "v0.2.0"])
def test_the_notes_are_those_of_the_version(tmp_path: Path, version: str) -> None:
    done = notes(tmp_path, version, RELEASED)
    assert (done.returncode, done.stdout) == (0, "### Added\n\n- Snow.\n")


@pytest.mark.parametrize(
    ("version", "changelog", "why"),
    [
        ("0.3.0", RELEASED, "the code calls itself 0.2.0, not 0.3.0"),
        ("0.2.0", RELEASED.replace("0.2.0", "0.2.1"), "has no heading as: ## 0.2.0 - "),
        ("0.2.0", RELEASED.replace(" - 2026-12-24", ""), "has no heading as: ## 0.2.0 - "),
        ("0.2.0", RELEASED.replace("- Snow.\n", ""), "the changelog says nothing of 0.2.0"),
    ],
)
def test_a_release_that_is_not_ready_is_told_why(
    tmp_path: Path, version: str, changelog: str, why: str
) -> None:
    done = notes(tmp_path, version, changelog)
    assert done.returncode == 1
    assert why in done.stderr


# -- the workflow ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: str(file.name))
def test_a_workflow_runs_what_is_there_with_the_least_rights(file: Path) -> None:
    workflow: dict[Any, Any] = yaml.safe_load(file.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            for command in re.findall(r"\.ci/[\w-]+", step.get("run", "")):
                assert os.access(ROOT / command, os.X_OK), command
            assert re.fullmatch(r"[\w-]+/[\w-]+@[\w./-]+", step.get("uses", "a/b@v1"))


def test_nothing_is_released_unchecked() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))
    jobs = workflow["jobs"]
    assert jobs["release"]["needs"] == "build"
    assert jobs["publish"]["needs"] == "release"
    commands = " ".join(step.get("run", "") for step in jobs["build"]["steps"])
    places = [commands.index(each) for each in ("release-notes", ".ci/run", ".ci/distributions")]
    assert places == sorted(places)


# -- the distributions -------------------------------------------------------------------------------------------------


def built(checkout: Path, out: Path, **variables: str) -> dict[str, str]:
    """The digests of the distributions of a checkout."""
    build = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, checkout],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )
    assert build.returncode == 0, build.stdout + build.stderr
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(out.iterdir())
    }


@pytest.mark.timeout(300)
def test_whoever_builds_gets_the_same_bytes(tmp_path: Path) -> None:
    """Whenever, wherever, with whatever umask files were checked out, and from the sdist too."""
    paths = tracked()
    for name, mode, stamp in (("one", 0o644, 1_700_000_000), ("another", 0o664, 1_800_000_000)):
        for path in paths:
            copy = tmp_path / name / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, copy)
            copy.chmod(mode | (copy.stat().st_mode & 0o111))
            os.utime(copy, (stamp, stamp))
    one = built(tmp_path / "one", tmp_path / "out-one", TZ="UTC")
    another = built(tmp_path / "another", tmp_path / "out-another", TZ="Pacific/Apia", LC_ALL="C")
    assert len(one) == 2
    assert one == another
    (sdist,) = (tmp_path / "out-one").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    again = built(unpacked, tmp_path / "out-again")
    (wheel,) = (name for name in one if name.endswith(".whl"))
    assert again[wheel] == one[wheel]
