"""What the benchmarks run with: an environment of their own, the compiled generator, packages from npm.

`enter` is called by whichever Python was at hand; from then on the process runs in `.build/venv`, where the product
and its peers are installed with the same versions of what they share.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
BUILD = HERE / ".build"
PEERS = HERE / "peers"
LOAD = BUILD / "load"

_VENV = BUILD / "venv"
_PINS = ROOT / ".ci" / "constraints.txt"
_REQUIREMENTS = PEERS / "requirements.txt"


def enter() -> None:
    """Continue in the benchmarks' own environment; made first where it is missing or out of date."""
    if Path(sys.prefix) == _VENV:
        return
    _make_venv()
    _compile(LOAD, HERE / "load.c", "-lm")
    _compile(BUILD / "floor.so", PEERS / "floor.c", "-shared", "-fPIC")
    _install_node_modules()
    python = str(_VENV / "bin" / "python")
    os.execv(python, [python, "-m", "benchmarks", *sys.argv[1:]])  # noqa: S606, no shell is meant


def missing(program: str) -> str:
    """Why peers that need a program cannot be measured, or "" if they can."""
    if not shutil.which(program):
        return f"{program} is not installed"
    if program == "node" and not (PEERS / "node_modules" / ".package-lock.json").exists():
        return "its packages are not installed"
    return ""


def _make_venv() -> None:
    inputs = (ROOT / "pyproject.toml", _PINS, _REQUIREMENTS)
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in inputs)).hexdigest()
    stamp = _VENV / ".digest"
    if stamp.exists() and stamp.read_text() == digest:
        return
    _say("Installing the product and its peers from PyPI")
    venv.create(_VENV, clear=True, with_pip=True)
    python = str(_VENV / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    # The second is the name that newer versions of pip read when they build the project itself.
    pinned = {"PIP_CONSTRAINT": str(_PINS), "PIP_BUILD_CONSTRAINT": str(_PINS)}
    subprocess.run(
        [*pip, "--editable", str(ROOT), "--requirement", str(_REQUIREMENTS)],
        check=True,
        env=os.environ | pinned,
    )
    stamp.write_text(digest)


def _compile(output: Path, source: Path, *flags: str) -> None:
    if output.exists() and output.stat().st_mtime > source.stat().st_mtime:
        return
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        sys.exit("The load generator is written in C: install gcc.")
    strict = ["-O2", "-std=c11", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *strict, "-o", output, source, *flags], check=True)


def _install_node_modules() -> None:
    installed = PEERS / "node_modules" / ".package-lock.json"  # npm writes it last
    lock = PEERS / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime > lock.stat().st_mtime:
        return
    if not shutil.which("npm"):
        return
    _say("Installing peers from npm")
    if subprocess.run(["npm", "ci", "--loglevel=error"], cwd=PEERS, check=False).returncode:
        _say("npm failed: peers that run in Node.js are left out")


def _say(text: str) -> None:
    print(text, "…", file=sys.stderr, flush=True)
