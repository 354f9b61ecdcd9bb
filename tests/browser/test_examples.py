"""The pages in docs/examples, in a browser and on a site of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ADMIN, Site, Watch
from tests.browser.sites import another_site
from tests.checkout import ROOT

EXAMPLES = ROOT / "docs" / "examples"
WRITTEN = "http://127.0.0.1:8000"


@pytest.fixture
def elsewhere(site: Site, tmp_path: Path) -> Iterator[str]:
    """The address of another site, with the examples that are pages; they look for the leaderboard where it is."""
    for page in EXAMPLES.glob("*.html"):
        text = page.read_text("utf-8")
        assert WRITTEN in text
        (tmp_path / page.name).write_text(text.replace(WRITTEN, site.url), "utf-8")
    with another_site(tmp_path) as address:
        yield address


@pytest.fixture(autouse=True)
def _no_icon(watch: Watch) -> None:
    """A browser asks each site for its icon; these have none."""
    watch.expected = r"404 \(File not found\)"


def test_a_plain_page_watches_and_publishes(page: Page, elsewhere: str) -> None:
    page.goto(f"{elsewhere}/page.html")
    expect(page.locator("#state")).to_have_text("0 playing, 1 watching")
    for player, score in (("ann", 12), ("<b>bob</b>", 30), ("cid", 12)):
        page.get_by_label("Player").fill(player)
        page.get_by_label("Score").fill(str(score))
        page.get_by_label("Key").fill(ADMIN)
        page.get_by_role("button").click()
        expect(page.locator("#rows li", has_text=player)).to_have_count(1)
    expect(page.locator("#rows li")).to_have_text(["<b>bob</b>: 30", "ann: 12", "cid: 12"])
    assert [item.get_attribute("value") for item in page.locator("#rows li").all()] == [
        "1",
        "2",
        "2",
    ]


def test_a_plain_page_tells_why_a_score_did_not_count(
    page: Page, elsewhere: str, watch: Watch
) -> None:
    watch.expected += "|status of 401"
    page.goto(f"{elsewhere}/page.html")
    page.get_by_label("Player").fill("eve")
    page.get_by_label("Score").fill("1")
    page.get_by_label("Key").fill("pk_viewer")
    page.get_by_role("button").click()
    expect(page.locator("#answer")).to_have_text("You are not authorized to make this call.")


def test_a_static_site_shows_a_live_board(page: Page, elsewhere: str, site: Site) -> None:
    page.goto(f"{elsewhere}/static_site.html")
    board = page.locator("live-leaderboard")
    expect(board).to_contain_text("Top five")
    site.fill("/leaderboard/cup", 6)
    expect(board.locator("[part~=row]")).to_have_count(5)
    expect(board.locator("[part~=row]").first).to_contain_text("Edsger Dijkstra 1")


def test_a_static_site_has_a_link_where_no_script_runs(
    page: Page, elsewhere: str, watch: Watch
) -> None:
    watch.expected += "|ERR_FAILED"
    page.route(re.compile("widget"), lambda route: route.abort())
    page.goto(f"{elsewhere}/static_site.html")
    link = page.get_by_role("link", name="The leaderboard of the spring cup")
    expect(link).to_be_visible()
