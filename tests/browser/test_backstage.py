"""The operators' page: opened by a key in the fragment or typed, which then stands nowhere."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import ADMIN, VIEWER, Site, Watch


def test_a_key_in_the_fragment_opens_and_leaves_the_address(
    site: Site, page: Page, watch: Watch, channel: str
) -> None:
    site.fill(channel)
    page.goto(f"{site.url}/-/#key={ADMIN}")
    expect(page.get_by_role("heading", name="Settings in force")).to_be_visible()
    assert page.url == f"{site.url}/-/"
    expect(page.get_by_role("link", name=channel)).to_be_visible()
    assert ADMIN not in page.content()


def test_a_key_that_is_none_of_an_admin_asks_again(site: Site, page: Page, watch: Watch) -> None:
    watch.expected = "status of 403"
    page.goto(f"{site.url}/-/")
    field = page.get_by_label("An admin’s key")
    field.fill(VIEWER)
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("status")).to_have_text("This key is none of an admin of all channels.")
    expect(page.get_by_role("heading", name="Settings in force")).to_have_count(0)
    field.fill(ADMIN)
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_role("heading", name="Settings in force")).to_be_visible()
    expect(page.locator("#trouble")).to_have_text("")
    expect(page.get_by_label("An admin’s key")).to_be_hidden()


def test_it_looks_again_by_itself(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/-/#key={ADMIN}")
    first = page.locator(".facts div", has_text="up for").locator("dd").inner_text()
    expect(page.locator(".facts div", has_text="up for").locator("dd")).not_to_have_text(
        re.compile(re.escape(first)), timeout=10_000
    )
