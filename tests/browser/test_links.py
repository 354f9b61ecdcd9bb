"""Links that carry a role, from the host's page to whoever follows one, and what they see when it is revoked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.codes import codes_in
from tests.browser.conftest import ADMIN, Site, Watch
from tests.browser.room import Room, hit, stage

BOARD = "/leaderboard/links"
REVOKED = "This link is good no more"


def make(site: Site, **wanted: Any) -> dict[str, Any]:
    """A link, made with a key."""
    answer = httpx.post(
        f"{site.url}/api/links",
        json={"role": "viewer", "channel": BOARD, **wanted},
        headers={"x-api-key": ADMIN},
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def revoke(site: Site, link: dict[str, Any]) -> None:
    answer = httpx.delete(f"{site.url}/api/links/{link['id']}", headers={"x-api-key": ADMIN})
    assert answer.status_code == 204


def follow(page: Page, link: dict[str, Any]) -> None:
    """Open a link: its token is in the address for no longer than a script takes."""
    page.goto("about:blank")
    page.goto(link["url"])
    page.wait_for_url(re.compile(r"^[^#]+$"))
    assert link["token"] not in page.evaluate("location.href + JSON.stringify(history.state)")


@pytest.fixture
def visitor(browser: Browser, watch: Watch) -> Iterator[Page]:
    """Somebody else's browser."""
    context = browser.new_context()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    yield page
    # The fragment never travels: Playwright shows it only with what was typed into the address bar.
    assert not [url for url in asked if "ey" in url.partition("#")[0].partition("?")[2]]
    context.close()


@pytest.fixture(scope="module")
def private() -> Iterator[Site]:
    """A server that shows nothing to those who have no credential."""
    site = Site(viewer_key="").start()
    site.fill(BOARD, 5)
    yield site
    site.close()


def test_a_viewers_link_shows_a_board_that_is_not_public_until_it_is_revoked(
    private: Site, page: Page, watch: Watch
) -> None:
    watch.expected = "403"  # what a page may not show is said by its status too
    page.goto(f"{private.url}/l{BOARD}")
    expect(page.get_by_text("Public viewing is off")).to_be_visible()
    expect(page.locator("#board")).to_be_hidden()
    link = make(private)
    follow(page, link)
    expect(page.locator("#link")).to_have_text("Live")
    expect(page.locator("tbody tr")).to_have_count(5)
    expect(page.locator("#pass")).to_contain_text("By your link you may watch this board, until")
    expect(page.locator("#scoring")).to_be_hidden()
    expect(page.get_by_text("Public viewing is off")).to_be_hidden()
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(5)
    revoke(private, link)
    expect(page.locator("#link")).to_have_text("Access refused")
    expect(page.locator("#pass")).to_contain_text(REVOKED)
    page.reload()
    expect(page.get_by_text("Public viewing is off")).to_be_visible()
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0


def test_a_scorekeepers_link_sends_scores_for_anybody(site: Site, page: Page) -> None:
    link = make(site, role="scorekeeper", channel="/leaderboard/kept")
    follow(page, link)
    expect(page.locator("#link")).to_have_text("Live")
    for player, score, place in (
        ("ann", "120", "1st"),
        ("bob", "130.5", "1st"),
        ("cy", "3", "3rd"),
    ):
        page.get_by_label("Player", exact=True).fill(player)
        page.get_by_label("Score", exact=True).fill(score)
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#scoring .note")).to_contain_text(f"{score}, {place}")
    expect(page.locator("tbody .name")).to_have_text(["bob", "ann", "cy"])
    revoke(site, link)
    expect(page.locator("#pass")).to_contain_text(REVOKED)
    expect(page.locator("#scoring")).to_be_hidden()
    page.reload()  # the board is public: without the link it is everybody's
    expect(page.locator("#link")).to_have_text("Live")
    expect(page.locator("#pass")).to_be_hidden()


def test_a_players_link_scores_for_that_player_alone(site: Site, page: Page) -> None:
    link = make(site, role="player", player="ann", channel="/leaderboard/own")
    follow(page, link)
    expect(page.get_by_label("Player", exact=True)).to_have_value("ann")
    expect(page.get_by_label("Player", exact=True)).not_to_be_editable()
    page.get_by_label("Score", exact=True).fill("7")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("tbody .name")).to_have_text(["ann"])


def test_a_link_to_many_boards_lists_them_and_is_good_on_each(
    private: Site, page: Page, watch: Watch
) -> None:
    watch.expected = "40[13]"
    private.publish("/default/x", {"a": 1})
    link = make(private, role="scorekeeper", channel="/leaderboard/*")
    follow(page, link)
    page.get_by_role("link", name="Links").click()
    expect(page.locator("tbody tr")).to_have_count(5)
    expect(page.locator("#scoring")).to_be_visible()
    page.go_back()
    expect(page.locator(".tile")).to_have_count(1)
    revoke(private, link)
    expect(page.locator("#pass")).to_contain_text(REVOKED)


def test_a_players_link_to_a_room_plays_as_that_player_until_it_is_revoked(
    site: Site, page: Page, browser: Browser
) -> None:
    room = Room(site, round_ms=60_000)
    link = make(site, role="player", player="Ann", channel=room.made["channel"])
    follow(page, link)
    stage(page, "lobby")
    expect(page.locator(".you")).to_have_text("Ann")
    room.host(op="open", for_ms=60_000)
    hit(page)
    expect(page.locator("#near tr.own .score")).to_have_text("7")
    page.reload()
    hit(page)
    revoke(site, link)
    expect(page.locator("#refusal")).to_contain_text("Your seat in this room has ended")
    again = browser.new_context().new_page()
    follow(again, link)
    expect(again.locator("#refusal")).to_contain_text(REVOKED)
    assert set(room.rows()) == {"Ann"}  # nobody became a stranger by it
    again.get_by_role("link", name="Join as a new player").click()
    expect(again.get_by_label("You are")).to_be_visible()
    again.context.close()


def test_a_game_servers_link_shows_the_credential_and_code_that_works(
    site: Site, page: Page
) -> None:
    link = make(site, role="game-server", channel="/leaderboard/served", rate=10)
    follow(page, link)
    expect(page.locator("#link")).to_have_text("Live")
    expect(page.locator("#channel")).to_have_text("/leaderboard/served")
    expect(page.locator("#rate")).to_have_text("10")
    assert link["token"] not in page.content().replace(
        f'data-secret="{link["token"]}"', ""
    )  # what is seen over a shoulder is masked
    page.get_by_role("button", name="Show it").click()
    expect(page.locator("#token")).to_have_text(link["token"])
    page.get_by_label("Language").select_option("curl")
    expect(page.locator("#code")).to_contain_text('"authorization: Bearer $LEADERBOARD_TOKEN"')
    revoke(site, link)
    expect(page.locator("#pass")).to_contain_text(REVOKED)
    expect(page.locator("#shown")).to_be_hidden()


@pytest.mark.parametrize("page_of", ["/l/leaderboard/cup", "/l", "/credential"])
def test_a_damaged_and_an_ended_link_say_which_it_is(
    site: Site, page: Page, watch: Watch, page_of: str
) -> None:
    watch.expected = "401"
    page.goto(f"{site.url}{page_of}#token=eyJhbGciOiJIUzI1NiIsIn")
    expect(page.locator("#pass")).to_contain_text("This link is damaged")
    short = make(
        site,
        role="viewer",
        channel="/leaderboard/*" if page_of == "/l" else "/leaderboard/cup",
        seconds=1,
    )
    page.wait_for_timeout(1100)  # its whole life
    page.goto("about:blank")
    page.goto(f"{site.url}{page_of}#token={short['token']}")
    expect(page.locator("#pass")).to_contain_text("This link has ended: it was good until")


def test_the_host_makes_shows_and_revokes_a_presenters_link_without_a_reload(
    page: Page, visitor: Page, context: BrowserContext, watch: Watch
) -> None:
    watch.expected = "400"  # a form that is sent without a name
    public = Site(public_url="http://scores.example:8000").start()
    try:
        page.goto(f"{public.url}/host")
        page.get_by_role("button", name="Open the room").click()
        page.wait_for_url(re.compile(r"/r/\w{4}/present$"))
        code = page.locator("main").get_attribute("data-code")
        page.goto(f"{public.url}/host")
        page.get_by_role("link", name="Links").click()
        page.evaluate("window.same = true")
        expect(page.get_by_label("Name of the player")).to_be_hidden()
        page.get_by_label("Role").select_option("player")
        expect(page.get_by_label("Name of the player")).to_be_visible()
        page.get_by_role("button", name="Make the link").click()
        expect(page.locator("#refusal")).to_have_text("A player’s link needs a name.")
        page.get_by_label("Role").select_option("presenter")
        page.get_by_label("To know it by").fill("Stage left")
        page.get_by_role("button", name="Make the link").click()
        shown = page.locator("#address")
        expect(shown).to_be_visible()
        expect(page.locator("#refusal")).to_have_text("")
        address = shown.text_content() or ""
        assert codes_in(context, page.locator(".fresh .qr").screenshot()) == [address]
        expect(page.locator("#links li")).to_contain_text(["Stage left"])

        visitor.goto(address.replace("http://scores.example:8000", public.url))
        expect(visitor.locator("#link")).to_have_text("Live")
        assert visitor.url == f"{public.url}/r/{code}/present"
        visitor.get_by_role("button", name="Freeze", exact=True).click()
        expect(visitor.get_by_role("button", name="Unfreeze")).to_be_visible()

        page.get_by_role("button", name="Revoke: Presenter Stage left").click()
        expect(page.locator("#links")).to_contain_text("None now")
        assert page.evaluate("window.same") is True
        expect(visitor.locator("#link")).to_have_text("Access refused")
        expect(visitor.locator("#refusal")).to_contain_text("the link was revoked")
    finally:
        public.close()
    assert address.partition("#token=")[2] not in public.said


def test_a_new_link_stays_in_sight_while_the_list_is_looked_at_again(
    site: Site, page: Page
) -> None:
    page.goto(f"{site.url}/host")
    page.get_by_role("button", name="Open the room").click()
    page.wait_for_url(re.compile(r"/r/\w{4}/present$"))
    code = page.locator("main").get_attribute("data-code")
    page.clock.install()
    page.goto(f"{site.url}/r/{code}/links")
    page.get_by_role("button", name="Make the link").click()
    expect(page.locator("#address")).to_be_visible()
    make(site, channel=f"/game/{code}", label="Made elsewhere")
    page.clock.fast_forward(31_000)
    expect(page.locator("#good li")).to_have_count(2)
    expect(page.locator("#good")).to_contain_text("Made elsewhere")
    expect(page.locator("#address")).to_be_visible()
