"""The pages and scripts in README and docs, as they are written, on a site of their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.browser.conftest import ADMIN, Site, Watch
from tests.browser.sites import another_site
from tests.documents import Block, block, blocks

CHANNEL = re.compile(r"/leaderboard/\w+")


@pytest.fixture(autouse=True)
def _no_icon(watch: Watch) -> None:
    """A browser asks each site for its icon; these have none."""
    watch.expected = r"404 \(File not found\)"


@pytest.mark.parametrize("shown", blocks("html"), ids=str)
def test_a_page_shows_the_board(shown: Block, page: Page, site: Site, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(shown.here(site.url, ADMIN), "utf-8")
    channel = CHANNEL.findall(shown.text)[0]
    with another_site(tmp_path) as elsewhere:
        page.goto(f"{elsewhere}/page.html")
        site.publish(channel, {"player": "zoe", "name": "Zoë", "score": 9_000_000})
        expect(page.locator("body")).to_contain_text("Zoë")


def test_a_row_explains_itself(page: Page, site: Site, tmp_path: Path) -> None:
    explained = block("js", "standing.js")
    link = (
        'import { connect } from "http://127.0.0.1:8000/static/js/link.js";\n'
        'const link = connect({ url: "http://127.0.0.1:8000", key: "pk_viewer" });\n'
    )
    script = Block("", 0, "js", f"{link}{explained.text}".replace("arcade", "explained"))
    html = f'<!doctype html><script type="module">{script.here(site.url, ADMIN)}</script>'
    (tmp_path / "page.html").write_text(html, "utf-8")
    scores = [{"player": "bob", "score": 132}, {"player": "ann", "score": 120}]
    site.publish("/leaderboard/explained", *scores)
    with another_site(tmp_path) as elsewhere:

        def explains(message: ConsoleMessage) -> bool:
            return "12 points to 1st" in message.text

        with page.expect_console_message(explains):
            page.goto(f"{elsewhere}/page.html")
