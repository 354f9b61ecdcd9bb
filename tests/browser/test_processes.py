"""Two browsers on two servers that share a Redis: one room, one round, one podium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site, Watch
from tests.browser.room import Room, hit, join, stage
from tests.redis_server import RedisServer


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[tuple[Site, Site]]:
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(tmp_path))
        pair = [Site(engine_url=redis.url, secret="s" * 32) for _ in range(2)]
        for site in pair:
            site.start()
            stack.callback(site.close)
        yield pair[0], pair[1]


@pytest.mark.timeout(120)
def test_two_browsers_on_two_servers_play_one_round(
    sites: tuple[Site, Site], page: Page, browser: Browser, watch: Watch
) -> None:
    here, there = sites
    room = Room(here, title="Final", round_ms=8000)
    join(page, room, "Ann")
    other = browser.new_context()
    second = other.new_page()
    second.goto(f"{there.url}/j/{room.code}")
    second.get_by_label("You are").fill("Bob")
    second.get_by_role("button", name="Join").click()
    stage(second, "lobby")
    for each in (page, second):
        expect(each.locator("#names li")).to_have_text(["Ann", "Bob"])
    room.host(op="open", in_ms=1500, for_ms=8000)
    for each in (page, second):
        stage(each, "play")
    for _ in range(4):
        hit(page)
        hit(second)
    hit(page, "mouse")
    for each in (page, second):
        stage(each, "over")
        expect(each.locator("#podium .name")).to_have_text(["Ann", "Bob"])
    assert room.rows()["Ann"] > room.rows()["Bob"] > 0
    other.close()
