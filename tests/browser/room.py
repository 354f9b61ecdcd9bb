"""A room of the game as tests use it: its host, its players' pages, and what its board says."""

from __future__ import annotations

from typing import Any

import httpx
from playwright.sync_api import Page, expect

from leaderboard.lights import GAP
from tests.browser.conftest import Site

KEYS = "qweasdzxc"
PAD = ("7", "8", "9", "4", "5", "6", "1", "2", "3")
LONG = 45_000
"""Milliseconds that anything of a short round may take on a busy machine."""


class Room:
    """A room with its host's credential."""

    def __init__(self, site: Site, **wanted: Any) -> None:
        self.site = site
        self.made = httpx.post(f"{site.url}/api/rooms", json=wanted).json()
        self.code = self.made["code"]

    def host(self, **event: Any) -> None:
        answer = httpx.post(
            f"{self.site.url}/api/boards{self.made['channel']}",
            json=event,
            headers={"authorization": self.made["host_token"]},
        )
        assert answer.json()["failed"] == [], answer.text

    def player(self, name: str) -> str:
        """The id of the player of that name."""
        board = httpx.get(f"{self.site.url}/api/boards{self.made['channel']}").json()
        return next(str(row["player"]) for row in board["rows"] if row["name"] == name)

    def rows(self) -> dict[str, float]:
        board = httpx.get(f"{self.site.url}/api/boards{self.made['channel']}").json()
        return {row["name"]: row["score"] for row in board["rows"]}


def stage(page: Page, name: str) -> None:
    expect(page.locator("main")).to_have_attribute("data-stage", name, timeout=LONG)


def lit(page: Page) -> int | None:
    """The tile that is lit, if one is."""
    return page.evaluate(  # type: ignore[no-any-return]
        "() => { const t = document.querySelector('.tile-nine.lit'); return t && Number(t.dataset.tile); }"
    )


def hit(page: Page, by: str = "keys") -> None:
    """Press the lit tile as soon as there is one, and see that the score rises at once."""
    page.wait_for_selector(".tile-nine.lit", timeout=LONG)
    before = page.locator("#score").text_content()
    for _ in range(10):
        _press(page, by)
        if page.locator("#score").text_content() != before:
            return
        page.wait_for_timeout(GAP)  # nobody is that fast: it did not count


def _press(page: Page, by: str) -> None:
    tile = lit(page)
    if tile is None:
        return
    if by == "keys":
        page.keyboard.press(f"Key{KEYS[tile].upper()}")
    elif by == "pad":
        page.keyboard.press(f"Numpad{PAD[tile]}")
    elif by == "touch":
        page.locator(f"[data-tile='{tile}']").tap()
    else:
        page.locator(f"[data-tile='{tile}']").click()


def join(page: Page, room: Room, name: str) -> None:
    page.goto(f"{room.site.url}/j/{room.code}")
    page.get_by_label("You are").fill(name)
    page.get_by_role("button", name="Join").click()
    stage(page, "lobby")
