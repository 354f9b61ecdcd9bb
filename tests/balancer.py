"""nginx in front of servers, by the project's own configuration: as a plain process on a port of this machine."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.checkout import ROOT
from tests.needs import needs
from tests.redis_server import free_port

CONFIG = ROOT / "docs" / "deploy" / "nginx.conf"


@contextmanager
def balancer(folder: Path, urls: Sequence[str]) -> Iterator[str]:
    """Where it is, once a server behind it is ready. There may be fewer servers than the configuration has."""
    port = free_port()
    text = CONFIG.read_text().replace("listen 8080", f"listen 127.0.0.1:{port}")
    for number, url in enumerate(urls, 1):
        text = text.replace(f"app{number}:8000", url.removeprefix("http://"))
    text = re.sub(r"\n *server app\d:8000 [^\n]*", "", text)
    text = re.sub(r"/tmp(?=/)", str(folder), text)  # noqa: S108, it is replaced
    (folder / "nginx.conf").write_text(text)
    nginx = subprocess.Popen(
        [needs("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-g", "daemon off;"]
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _until_ready(url)
        yield url
    finally:
        nginx.terminate()
        nginx.wait(10)


def _until_ready(url: str) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError("nobody answers behind the balancer")
