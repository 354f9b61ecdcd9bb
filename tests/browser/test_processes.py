"""Two browsers on two processes that share a Redis, behind a balancer: one room, one round, one podium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.balancer import balancer
from tests.browser.conftest import Site, Watch
from tests.browser.room import LONG, Room, hit, join, stage
from tests.redis_server import RedisServer


class Balanced(Site):
    """A balancer, and each process behind it."""

    def __init__(self, url: str, processes: list[str]) -> None:
        super().__init__()
        self.url = url
        self.processes = processes

    def connections(self) -> list[int]:
        """How many each process has."""
        return [
            int(float(re.findall(r"^leaderboard_active_connections (\S+)", text, re.MULTILINE)[0]))
            for text in (httpx.get(f"{url}/metrics").text for url in self.processes)
        ]


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[Balanced]:
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(tmp_path))
        trusted = ["127.0.0.1"]
        sites = [
            Site(engine_url=redis.patient_url, secret="s" * 32, trusted_proxies=trusted)
            for _ in range(2)
        ]
        for site in sites:
            site.start()
            stack.callback(site.close)
        urls = [site.url for site in sites]
        yield Balanced(stack.enter_context(balancer(tmp_path, urls)), urls)


def part(balanced: Balanced, page: Page) -> None:
    """Load a page anew until it is at a process of its own: the balancer counts what pages fetch just then, too."""
    for _ in range(20):
        connections = balanced.connections()
        if connections == [1, 1]:
            return
        if sum(connections) == 2:
            page.reload()
            expect(page.locator("#link")).to_have_text("Live")
        else:  # the one before has not gone yet
            page.wait_for_timeout(100)
    raise AssertionError(f"both stay at one process: {balanced.connections()}")


@pytest.mark.timeout(180)
def test_two_browsers_on_two_processes_play_one_round(
    balanced: Balanced, page: Page, browser: Browser, watch: Watch
) -> None:
    room = Room(balanced, title="Final", round_ms=8000)
    join(page, room, "Ann")
    other = browser.new_context()
    second = other.new_page()
    second.goto(f"{balanced.url}/j/{room.code}")
    second.get_by_label("You are").fill("Bob")
    second.get_by_role("button", name="Join").click()
    stage(second, "lobby")
    for each in (page, second):
        expect(each.locator("#names li")).to_have_text(["Ann", "Bob"])
    part(balanced, second)
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


@pytest.mark.timeout(180)
def test_what_the_server_cannot_reach_is_not_said_to_be_live(
    tmp_path: Path, page: Page, browser: Browser, watch: Watch
) -> None:
    """The links are well, what is shown may be old: on a board's page, in a widget, on a phone, on the big screen."""
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(tmp_path))
        site = Site(engine_url=redis.url, secret="s" * 32)
        site.start()
        stack.callback(site.close)
        board = "/leaderboard/away"
        site.publish(board, {"player": "ann", "name": "Ann", "score": 120})
        room = Room(site, title="Final", round_ms=8000)
        page.goto(f"{site.url}/l{board}")
        widget, phone, screen = (browser.new_context().new_page() for _ in range(3))
        for each in (widget, phone, screen):
            stack.callback(each.context.close)
        widget.goto(f"{site.url}/embed{board}")
        join(phone, room, "Bob")
        screen.goto(f"{site.url}/r/{room.code}/present#token={room.made['host_token']}")
        embedded = widget.locator("live-leaderboard")
        badges = [
            *(each.locator("#link") for each in (page, phone, screen)),
            embedded.locator(".status"),
        ]
        for badge in badges:
            expect(badge).to_have_text("Live")
        redis.kill()
        for badge in badges:
            expect(badge).to_have_text("Reconnecting", timeout=LONG)
            expect(badge).to_have_attribute("data-state", "reconnecting")
        expect(embedded).to_have_attribute("stale", "")
        expect(page.locator("tr[data-player=ann]")).to_be_visible()
        expect(embedded.locator("tr[data-player=ann]")).to_be_visible()
        redis.start()
        for badge in badges:
            expect(badge).to_have_text("Live", timeout=LONG)
        expect(embedded).not_to_have_attribute("stale", "")
