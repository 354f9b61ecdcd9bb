"""The lab: each step ticks itself when what it waits for has passed, and not before."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ADMIN, Site
from tests.checkout import ROOT


def open_lab(page: Page, site: Site, channel: str, step: int = 1) -> None:
    """A step of the lab, not yet connected."""
    page.goto(f"{site.url}/lab/{step}")
    expect(page.locator("html[data-started]")).to_be_attached()
    page.get_by_label("Credential", exact=True).fill(ADMIN)
    for region in ("Subscribe", "Publish"):
        page.get_by_role("region", name=region).get_by_label("Channel").fill(channel)


def connect(page: Page) -> None:
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#state")).to_have_text("Live")


def subscribe(page: Page) -> None:
    page.get_by_role("region", name="Subscribe").get_by_role("button", name="Subscribe").click()
    expect(page.locator("#frames .type", has_text="subscribe_success").first).to_be_attached()


def publish(page: Page, event: str = '{"player": "ann", "score": 120}') -> None:
    page.get_by_label("Event, or a list of up to five").fill(event)
    page.get_by_role("region", name="Publish").get_by_role(
        "button", name="Publish", exact=True
    ).click()


def expect_done(page: Page, *steps: int) -> None:
    expect(page.locator(".progress a[data-done]")).to_have_text(
        [re.compile(rf"^Step {step}: .*Done$") for step in steps]
    )


def test_the_first_three_steps_tick_one_by_one(site: Site, page: Page, channel: str) -> None:
    open_lab(page, site, channel)
    expect_done(page)
    connect(page)
    expect_done(page, 1)
    expect(page.locator(".lesson:visible .verdict")).to_have_text("Done")
    page.get_by_role("link", name="Next step").click()
    expect(page).to_have_url(f"{site.url}/lab/2")
    expect(page.get_by_role("heading", name="2. Subscribe")).to_be_focused()
    expect(page.locator(".lesson:visible .verdict")).to_have_text("To do")
    expect(page.locator("#state")).to_have_text("Live")  # the connection has stayed
    subscribe(page)
    expect_done(page, 1, 2)
    publish(page, "{")  # is marked, and not sent
    expect_done(page, 1, 2)
    publish(page)
    expect_done(page, 1, 2, 3)


def test_a_score_of_somebody_else_is_not_ones_own(site: Site, page: Page, channel: str) -> None:
    open_lab(page, site, channel, 3)
    connect(page)
    subscribe(page)
    site.publish(channel, {"player": "eve", "score": 5})
    expect(page.locator("#frames .type", has_text=re.compile("^data$"))).to_have_count(2)
    expect_done(page, 1, 2)


def test_a_race_takes_two(site: Site, page: Page, channel: str) -> None:
    open_lab(page, site, channel, 4)
    connect(page)
    subscribe(page)
    publish(page)
    expect_done(page, 1, 2, 3)
    other = page.context.new_page()
    open_lab(other, site, channel, 4)
    connect(other)
    subscribe(other)
    publish(other, '{"player": "bob", "score": 130}')
    expect_done(page, 1, 2, 3, 4)
    publish(page, '{"player": "ann", "score": 140}')
    expect_done(other, 1, 2, 3, 4)


def test_a_crowd_is_more_than_its_snapshots(site: Site, page: Page, channel: str) -> None:
    open_lab(page, site, channel, 5)
    connect(page)
    subscribe(page)
    publish(page)
    expect_done(page, 1, 2, 3)
    page.get_by_role("button", name="100 events/s").click()
    expect(page.locator(".progress a[data-step='5'][data-done]")).to_be_visible(timeout=15_000)


def test_a_lost_connection_that_comes_back(site: Site, page: Page, channel: str) -> None:
    open_lab(page, site, channel, 6)
    connect(page)
    subscribe(page)
    expect_done(page, 1, 2)
    page.locator("#fault-panel > summary").click()
    page.get_by_role("button", name="Cut", exact=True).click()
    expect_done(page, 1, 2, 6)


def from_the_guide(language: str, site: Site, channel: str) -> str:
    """The only example of a language in the guide, for this server and channel."""
    guide = (ROOT / "docs" / "lab.md").read_text("utf-8")
    (example,) = re.findall(rf"```{language}\n(.*?)```", guide, re.DOTALL)
    return (
        str(example)
        .replace("http://127.0.0.1:8000", site.url)
        .replace("/leaderboard/demo", channel)
    )


def test_the_page_of_the_guide_shows_the_board_and_is_one_more_watcher(
    site: Site, page: Page, tmp_path: Path, channel: str
) -> None:
    (tmp_path / "page.html").write_text(from_the_guide("html", site, channel))
    (tmp_path / "favicon.ico").touch()  # the browser asks for it by itself
    open_lab(page, site, channel, 7)
    connect(page)
    subscribe(page)
    publish(page)
    expect_done(page, 1, 2, 3)
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        (port,) = re.findall(r"port (\d+)", server.stdout.readline())
        elsewhere = page.context.new_page()
        elsewhere.goto(f"http://127.0.0.1:{port}/page.html")
        expect(elsewhere.get_by_role("row", name=re.compile("ann.*120"))).to_be_visible()
        expect_done(page, 1, 2, 3, 7)
        elsewhere.close()
        server.terminate()


def test_the_program_of_the_guide_is_a_player(
    site: Site, page: Page, tmp_path: Path, channel: str
) -> None:
    program = from_the_guide("python", site, channel)
    lines = [line for line in program.splitlines() if line]
    assert len(lines) == 12
    file = tmp_path / "player.py"
    file.write_text(program)
    open_lab(page, site, channel, 8)
    connect(page)
    subscribe(page)
    with subprocess.Popen(
        [sys.executable, file], env={**os.environ, "LEADERBOARD_KEY": ADMIN}
    ) as player:
        expect_done(page, 1, 2, 8)
        player.terminate()


def test_ticks_outlive_a_reload_and_the_credential_does_not(
    site: Site, page: Page, channel: str
) -> None:
    open_lab(page, site, channel)
    connect(page)
    expect_done(page, 1)
    assert page.evaluate("({ ...sessionStorage, ...localStorage })") == {"lab": "[1]"}
    page.reload()
    expect_done(page, 1)
    assert page.get_by_label("Credential", exact=True).input_value() != ADMIN
    page.evaluate("sessionStorage.setItem('lab', 'no JSON')")
    page.reload()
    expect(page.locator("html[data-started]")).to_be_attached()
    expect_done(page)


def test_back_and_forward_go_through_the_steps(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/lab/3")
    expect(page.locator("html[data-started]")).to_be_attached()
    page.get_by_role("navigation", name="Steps").get_by_role("link", name="Step 5").click()
    expect(page.get_by_role("heading", name="5. A crowd")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="3. Publish a score")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", name="5. A crowd")).to_be_visible()
    expect(page.locator("[aria-current=step]")).to_have_text(re.compile("^Step 5"))


def test_the_guide_can_be_read_without_a_script(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/lab")
    for number in range(1, 9):
        expect(
            page.get_by_role("heading", level=2, name=re.compile(rf"^{number}\. "))
        ).to_be_visible()
        if number < 8:
            page.get_by_role("link", name="Next step").click()
    expect(page.get_by_role("heading", name="What you have seen")).to_be_visible()
    context.close()


def test_on_a_laptop_all_three_are_in_sight(site: Site, page: Page, channel: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    for path in ("/lab/3", "/console"):
        page.goto(site.url + path)
        expect(page.locator("html[data-started]")).to_be_attached()
        page.get_by_label("Credential", exact=True).fill(ADMIN)
        page.get_by_role("region", name="Subscribe").get_by_label("Channel").fill(channel)
        connect(page)
        subscribe(page)
        publishing = page.get_by_role("region", name="Publish")
        expect(publishing.get_by_role("button", name="Publish", exact=True)).to_be_in_viewport(
            ratio=1
        )


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_a_busy_lab_does_not_overflow(site: Site, page: Page, channel: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    open_lab(page, site, channel, 8)
    connect(page)
    subscribe(page)
    publish(page)
    expect_done(page, 1, 2, 3)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
