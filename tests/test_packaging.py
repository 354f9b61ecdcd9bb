"""What a person installs: the sdist is whole, and the wheel serves without the checkout."""

import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.checkout import ROOT, tracked
from tests.needs import missing

# The build and a fresh installation of all dependencies: some 20 s, longer when pip has nothing in its cache.
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True)
class Distributions:
    sdist: Path
    wheel: Path


def python_m(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a module of this environment, whatever comes of it."""
    return subprocess.run(
        [sys.executable, "-m", *command], check=False, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Both distributions, the wheel built from the unpacked sdist and not from the checkout."""
    out = tmp_path_factory.mktemp("dist")
    build = python_m("build", "--no-isolation", "--outdir", out, ROOT)
    assert build.returncode == 0, build.stdout + build.stderr
    (sdist,) = out.glob("*.tar.gz")
    (wheel,) = out.glob("*.whl")
    return Distributions(sdist, wheel)


@pytest.fixture(scope="module")
def installed(built: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that holds the wheel and what it declares to need, and nothing else."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False)
    pip = python_m(
        *("pip", "--disable-pip-version-check", "--python", home, "install", "--quiet"),
        *("--constraint", ROOT / ".ci" / "constraints.txt", built.wheel),
    )
    if pip.returncode != 0:
        missing(f"pip could not install the wheel: {pip.stderr.strip().splitlines()[-1]}")
    return home


@contextmanager
def serving(installed: Path, cwd: Path) -> Iterator[str]:
    """URL of `leaderboard serve`, run from `cwd` with no settings; at the end it must leave well on Ctrl-C."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LEADERBOARD_", "PYTHON", "VIRTUAL_ENV"))
    }
    with subprocess.Popen(
        [installed / "bin" / "leaderboard", "serve", "--port", str(port)],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 30
            while status(f"{url}/healthz") != httpx.codes.OK:
                if server.poll() is not None or time.monotonic() > deadline:
                    server.kill()
                    pytest.fail(f"the server did not come up:\n{server.communicate()[0]}")
                time.sleep(0.05)
            yield url
            server.send_signal(signal.SIGINT)
            said, _ = server.communicate(timeout=10)
            assert server.returncode == 0, said
        finally:
            server.kill()


def status(url: str) -> int | None:
    """HTTP status of a GET; None while nobody listens."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code
    except httpx.TransportError:
        return None


def test_the_sdist_holds_the_whole_project(built: Distributions) -> None:
    with tarfile.open(built.sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert set(tracked()) <= held
    assert not any("node_modules" in name or name.startswith(".venv") for name in held)


def test_the_wheel_holds_the_package_and_both_folders_inside_it(built: Distributions) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        held = set(archive.namelist())
    for path in tracked():
        top = path.partition("/")[0]
        if top == "leaderboard":
            assert path in held
        if top in {"templates", "static"} or (top == "docs" and path.endswith(".md")):
            assert f"leaderboard/{path}" in held
    outside = {name for name in held if not name.startswith("leaderboard/")}
    assert all(name.partition("/")[0].endswith(".dist-info") for name in outside)


def test_the_installed_wheel_serves_from_anywhere(installed: Path, tmp_path: Path) -> None:
    with serving(installed, cwd=tmp_path) as url:
        assert status(f"{url}/") == httpx.codes.OK
        assert status(f"{url}/static/vendor/htmx.min.js") == httpx.codes.OK
        assert status(f"{url}/lab") == httpx.codes.OK
        assert status(f"{url}/docs/guide/how-to/embed") == httpx.codes.OK
        assert status(f"{url}/docs/guide/board.png") == httpx.codes.OK
        assert status(f"{url}/docs/guide/examples/page.html") == httpx.codes.OK
        assert status(f"{url}/healthz") == httpx.codes.OK
        assert status(f"{url}/static/no-such-file.js") == httpx.codes.NOT_FOUND
    assert not list(tmp_path.iterdir()), "the server wrote a file"
