"""leaderboard.manual: the documentation as the server itself shows it, over HTTP."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from leaderboard import manual
from tests.checkout import ROOT, tracked
from tests.conftest import Server

HOSTS = {"127.0.0.1", "localhost"}
"""Whom the documentation may point to: examples of servers on the reader's machine."""


class Seen(HTMLParser):
    """What a page links to, what it loads, and what can be pointed to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.names: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.names.append(value or "")
            elif name == "src" or (name == "href" and tag == "link"):
                self.loads.append(value or "")
            elif name == "href":
                self.links.append(value or "")


async def read(http: httpx.AsyncClient, address: str) -> str:
    answer = await http.get(address, headers={"accept": "text/html"})
    assert answer.status_code == 200, address
    return answer.text


def every_entry() -> list[manual.Entry]:
    entries = [entry for part in manual.contents() for entry in part.entries]
    return entries + [below for entry in entries for below in entry.below]


async def test_every_document_is_in_the_contents_and_every_link_leads_somewhere(
    server: Server,
) -> None:
    http = await server.http()
    texts = {manual.ROOT: await read(http, manual.ROOT)}
    listed = {entry.address: entry.title for entry in every_entry()}
    for address, title in listed.items():
        texts[address] = await read(http, address)
        assert address == "/docs" or f"{title}</h1>" in re.sub(r"</?code>", "", texts[address])
    written = {path for path in tracked() if re.fullmatch(r"docs/.+\.md", path)}
    assert len(written) == len(listed)  # without the guide's own page, and with that of HTTP
    todo = list(texts)
    for page in todo:
        seen = Seen(texts[page])
        assert len(seen.names) == len(set(seen.names)), page
        for load in seen.loads:
            assert load.startswith("/"), load
            assert not load.startswith("//"), load
            assert (await http.get(load)).status_code == 200, load
        for link in seen.links:
            target = urlsplit(urljoin(page, link))
            if target.netloc:
                assert target.hostname in HOSTS, link
                continue
            if target.path not in texts:
                texts[target.path] = await read(http, target.path)
                if target.path.startswith(manual.ROOT):
                    todo.append(target.path)  # a file of an example
            if target.fragment:
                assert target.fragment in Seen(texts[target.path]).names, f"{page}: {link}"
    for name in ("examples/game_server.py", "examples/page.html", "deploy/nginx.conf"):
        assert f"{manual.ROOT}/{name}" in texts


async def test_a_document_looks_as_it_was_written(server: Server) -> None:
    http = await server.http()
    text = await read(http, f"{manual.ROOT}/how-to/embed")
    assert "<title>Show a board in a page of your own · leaderboard</title>" in text
    assert re.search(r'<img src="/docs/guide/embed.png" alt="[^"]+" width="\d+" height="\d+"', text)
    assert "<td><code>limit</code></td>\n<td>Rows, 10 unless given, at most 100.</td>" in text
    assert "&lt;live-leaderboard channel=" in text
    assert '<a href="/embed">http://127.0.0.1:8000/embed</a>' in text
    assert '<a href="/docs/guide/how-to/embed" aria-current="page">' in text
    assert '<h2 id="links-that-carry-a-role">' in await read(
        http, f"{manual.ROOT}/how-to/credentials"
    )
    shown = await read(http, f"{manual.ROOT}/examples/page.html")
    assert "<h1>page.html</h1>" in shown
    assert "&lt;!doctype html&gt;" in shown


async def test_pictures_come_as_they_are(server: Server) -> None:
    http = await server.http()
    for name, kind in (("board.png", "image/png"), ("fan-out.svg", "image/svg+xml")):
        answer = await http.get(f"{manual.ROOT}/{name}")
        assert answer.headers["content-type"] == kind
        assert "max-age" in answer.headers["cache-control"]
        assert answer.content == (ROOT / "docs" / name).read_bytes()


@pytest.mark.parametrize(
    "address",
    [
        "nothing",
        "conf.py",
        "performance.json",
        "reference.py",
        "_static/pages.css",
        "index.md",
        "how-to/nothing",
        "../README.md",
        "..%2f..%2fREADME.md",
        "%2e%2e/%2e%2e/pyproject.toml",
        "examples/../conf.py",
        "//etc/passwd",
        "examples/__pycache__",
        "%00",
    ],
)
async def test_what_is_no_page_is_the_sites_own_404(server: Server, address: str) -> None:
    http = await server.http()
    for path in (f"{manual.ROOT}/{address}", f"{manual.ROOT}/how-to/{address}"):
        answer = await http.get(path, headers={"accept": "text/html"})
        assert answer.status_code == 404, path
        assert "There is nothing here" in answer.text
        assert "content-security-policy" in answer.headers


async def test_the_guide_is_found_from_other_pages(server: Server) -> None:
    http = await server.http()
    for page in ("/", "/docs", "/l", "/play", f"{manual.ROOT}/lab"):
        assert f'href="{manual.ROOT}"' in await read(http, page), page
