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


def written(folder: Path, site: Site, *parts: str, key: str = "pk_viewer") -> None:
    """A page with a badge, whose script has a link and these parts."""
    link = (
        'import { connect } from "http://127.0.0.1:8000/static/js/link.js";\n'
        f'const link = connect({{ url: "http://127.0.0.1:8000", key: "{key}" }});'
    )
    script = Block("", 0, "js", "\n".join((link, *parts))).here(site.url, ADMIN)
    html = f'<!doctype html><body><p id="badge"></p><script type="module">{script}</script>'
    (folder / "page.html").write_text(html, "utf-8")


def test_a_page_shows_how_its_link_stands(page: Page, site: Site, tmp_path: Path) -> None:
    written(tmp_path, site, block("js", "lb:state").text)
    with another_site(tmp_path) as elsewhere:
        page.goto(f"{elsewhere}/page.html")
        expect(page.locator("#badge")).to_have_text("live")


def test_a_page_hears_why_a_subscription_is_refused(page: Page, site: Site, tmp_path: Path) -> None:
    shown = block("js", "(error, again)").text.replace("/leaderboard/arcade", "/nowhere/at/all")
    written(tmp_path, site, "const show = () => {};", shown)
    with another_site(tmp_path) as elsewhere:
        page.goto(f"{elsewhere}/page.html")
        expect(page.locator("#badge")).to_contain_text("UnauthorizedException: ")


@pytest.mark.parametrize(("key", "said"), [(ADMIN, "rank 1"), ("pk_viewer", "not authorized")])
def test_a_page_says_what_became_of_a_score(
    page: Page, site: Site, tmp_path: Path, key: str, said: str
) -> None:
    shown = block("js", "OutcomeUnknown").text.replace("arcade", "scored")
    use = 'document.querySelector("#badge").textContent = await score("ann", 120);'
    written(tmp_path, site, shown, use, key=key)
    with another_site(tmp_path) as elsewhere:
        page.goto(f"{elsewhere}/page.html")
        expect(page.locator("#badge")).to_contain_text(said)


def test_a_row_explains_itself(page: Page, site: Site, tmp_path: Path) -> None:
    written(tmp_path, site, block("js", "standing.js").text.replace("arcade", "explained"))
    scores = [{"player": "bob", "score": 132}, {"player": "ann", "score": 120}]
    site.publish("/leaderboard/explained", *scores)
    with another_site(tmp_path) as elsewhere:

        def explains(message: ConsoleMessage) -> bool:
            return "12 points to 1st" in message.text

        with page.expect_console_message(explains):
            page.goto(f"{elsewhere}/page.html")
