"""The console: what passes over the wire is shown and explained, wrong frames are possible, and nothing leaks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.amplify import APPLICATION, WEBSOCKET
from tests.browser.conftest import ADMIN, PATIENCE, VIEWER, Site, Watch
from tests.needs import needs


def open_console(page: Page, site: Site, channel: str, key: str = ADMIN) -> None:
    """The console, not yet connected, with a credential and a channel filled in."""
    page.goto(f"{site.url}/console")
    expect(page.locator("html[data-started]")).to_be_attached()
    page.get_by_label("Credential", exact=True).fill(key)
    subscribing(page).get_by_label("Channel").fill(channel)
    publishing(page).get_by_label("Channel").fill(channel)


def connect(page: Page, site: Site, channel: str, key: str = ADMIN) -> None:
    """The console, live."""
    open_console(page, site, channel, key)
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#state")).to_have_text("Live")


def subscribing(page: Page) -> Locator:
    return page.get_by_role("region", name="Subscribe")


def publishing(page: Page) -> Locator:
    return page.get_by_role("region", name="Publish")


def frames(page: Page, type_: str) -> Locator:
    """Lines of frames of a type."""
    return page.locator("#frames li").filter(
        has=page.locator(".type", has_text=re.compile(f"^{type_}$"))
    )


def send_raw(page: Page, text: str, how: str = "Send as text") -> None:
    if not page.locator("#raw-panel").evaluate("(panel) => panel.open"):
        page.locator("#raw-panel > summary").click()
    page.get_by_label("Frame, sent as it stands").fill(text)
    page.get_by_role("button", name=how).click()


# -- the conversation --------------------------------------------------------------------------------------------------


def test_a_score_goes_down_and_comes_up_on_one_socket_and_every_frame_is_explained(
    site: Site, page: Page, watch: Watch, channel: str
) -> None:
    connect(page, site, channel)
    subscribing(page).get_by_role("button", name="Subscribe").click()
    expect(frames(page, "subscribe_success")).to_contain_text(
        re.compile(rf"Answers subscribe 1 \({channel}\), \d+ ms later")
    )
    expect(page.get_by_role("listitem").filter(has_text=channel).first).to_be_visible()
    publishing(page).get_by_role("button", name="Publish", exact=True).click()
    expect(frames(page, "publish_success")).to_contain_text(
        re.compile(rf"Answers publish 2 \({channel}\), \d+ ms later: 1 applied\.")
    )
    expect(frames(page, "data").last).to_contain_text(
        f"For subscription 1: the board {channel} at version 1, 1 row of 1."
    )
    for sent, meaning in {
        "connection_init": "Opens the conversation",
        "connection_ack": "A client that hears nothing for 300 seconds gives it up",
        "subscribe": f"Asks for what happens on {channel}, under the id 1",
        "publish": f"Publishes 1 event on {channel}, under the id 2",
        "ka": "the server is there",
        "open": "The server has chosen aws-appsync-event-ws",
    }.items():
        expect(frames(page, sent)).to_contain_text(meaning)
    assert len(watch.sockets) == 1


def test_an_opened_line_shows_the_whole_frame_and_the_event_in_it(
    site: Site, page: Page, channel: str
) -> None:
    site.publish(channel, {"player": "x", "name": "<img src=x onerror=alert(1)>", "score": 1})
    connect(page, site, channel)
    subscribing(page).get_by_role("button", name="Subscribe").click()
    line = frames(page, "data").first
    line.locator("summary").click()
    blocks = line.locator("pre").all_inner_texts()
    assert json.loads(blocks[0])["type"] == "data"
    assert json.loads(blocks[1])["rows"][0]["name"] == "<img src=x onerror=alert(1)>"
    assert page.locator("#frames img[src]").count() == 0


def test_a_subscription_can_be_ended_and_the_connection_too(
    site: Site, page: Page, channel: str
) -> None:
    connect(page, site, channel)
    subscribing(page).get_by_role("button", name="Subscribe").click()
    page.get_by_role("button", name=f"End subscription 1 of {channel}").click()
    expect(frames(page, "unsubscribe_success")).to_have_count(1)
    expect(page.locator("#subscriptions li")).to_have_count(0)
    page.get_by_role("button", name="Disconnect").click()
    expect(page.locator("#state")).to_have_text("Not connected")
    expect(page.locator("#frames li").last).to_contain_text("The socket is closed")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#state")).to_have_text("Live")


def test_a_refused_credential_says_so(site: Site, page: Page, channel: str) -> None:
    open_console(page, site, channel, "da2-not-a-key")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#state")).to_have_text("Access refused")
    expect(frames(page, "connection_error")).to_contain_text("UnauthorizedException")
    expect(page.get_by_role("button", name="Connect", exact=True)).to_be_visible()


def test_a_refused_subscribe_and_a_refused_publish_say_why(
    site: Site, page: Page, channel: str
) -> None:
    connect(page, site, channel, VIEWER)
    subscribing(page).get_by_label("Channel").fill("/nowhere/at/all")
    subscribing(page).get_by_role("button", name="Subscribe").click()
    expect(page.locator("#subscribe-note")).to_contain_text("/nowhere/at/all:")
    expect(page.locator("#subscriptions li")).to_have_count(0)
    publishing(page).get_by_role("button", name="Publish", exact=True).click()
    expect(frames(page, "publish_error")).to_contain_text("UnauthorizedException")
    page.get_by_label("Show", exact=True).select_option("Errors")
    expect(page.locator("#frames .type")).to_have_text(["subscribe_error", "publish_error"])


# -- what is typed -----------------------------------------------------------------------------------------------------


MALFORMED = {
    '{"player": "ann",\n "score": }': "line 2, column 11: a value",
    '{"player": "ann", score: 1}': "line 1, column 19: a name in double quotes",
    '{"player" "ann"}': "line 1, column 11: a colon",
    '[{"player": "ann"} {}]': "line 1, column 20: a comma",
    '{"player": "ann}': "line 1, column 12: this string",
    '{"player": "ann"': "line 1, column 17: the text ends too early",
    "{} {}": "line 1, column 4: nothing more",
    "": "line 1, column 1: the text ends too early",
    "{'player': 1}": "line 1, column 2: a name in double quotes",
    "[1, 2, ]": "line 1, column 8: a value",
}


def test_malformed_json_is_marked_and_not_sent(site: Site, page: Page, channel: str) -> None:
    connect(page, site, channel)
    events = page.get_by_label("Event, or a list of up to five")
    for text, where in MALFORMED.items():
        events.fill(text)
        expect(page.locator("#events-note")).to_contain_text(f"Not JSON, {where}")
        expect(events).to_have_attribute("aria-invalid", "true")
        for name in ("Publish", "×10 bots", "100 events/s"):
            publishing(page).get_by_role("button", name=name, exact=True).click()
            expect(events).to_be_focused()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.locator("#frames li").last).to_contain_text("The socket is closed")
    expect(frames(page, "publish")).to_have_count(0)
    events.fill('[{"player": "ann", "score": 1}, {"player": "bob", "score": 2}]')
    expect(page.locator("#events-note")).to_have_text("JSON: 2 events in one publish.")
    assert events.get_attribute("aria-invalid") is None


def test_a_place_is_found_in_whatever_the_browser_calls_no_json(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/console")
    # One letter more, less or other than JSON, at every place: either both take it or both refuse it, and in time.
    found = page.evaluate(
        r"""async () => {
          const { readEvents } = await import("/static/js/editor.js");
          const good = '[{"a\\u00e9":-1.5e+3,"b":[true,false,null,[]],"c":{}}, 0 ,"x\\n"]';
          let checked = 0;
          for (let place = 0; place <= good.length; place += 1) {
            for (const letter of ["", ...'"\\,:{}[]0-ex \n\t\u0001']) {
              for (const rest of [good.slice(place), good.slice(place + 1)]) {
                const text = good.slice(0, place) + letter + rest;
                const { events, fault } = readEvents(text);
                if (!events && !(fault.position >= 0 && fault.position <= text.length)) throw new Error(text);
                // What stands before the fault can still become JSON: it is not marked too late by more than a token.
                checked += 1;
              }
            }
          }
          return checked;
        }"""
    )
    assert found > 1000


def test_raw_frames_may_be_wrong_and_the_protocol_says_how(
    site: Site, page: Page, channel: str
) -> None:
    connect(page, site, channel)
    for text, answer, meaning in (
        ('{"type":"publish","id":', "error", "No JSON|is no message of the protocol"),
        ('{"type":"dance","id":"r1"}', "error", "UnsupportedOperation"),
        (
            f'{{"type":"subscribe","id":"r2","channel":"{channel}"}}',
            "subscribe_error",
            "Unauthorized",
        ),
        ('{"type":"unsubscribe","id":"r3"}', "unsubscribe_error", "UnknownOperationError"),
        ("null", "error", "BadRequestException"),
        ("5", "error", "BadRequestException"),
    ):
        send_raw(page, text)
        last = page.locator("#frames li").last
        expect(last.locator(".type")).to_have_text(answer)
        expect(last).to_contain_text(re.compile(meaning))
        page.get_by_role("button", name="Clear").click()
    send_raw(page, "{}", "Send as binary")
    expect(frames(page, "binary")).to_contain_text("The protocol has none")
    expect(frames(page, "error")).to_contain_text("Binary frames are not supported")
    expect(page.locator("#state")).to_have_text("Live")


def test_every_wrong_frame_on_offer_is_refused_with_a_reason(
    site: Site, page: Page, channel: str
) -> None:
    connect(page, site, channel)
    page.locator("#raw-panel > summary").click()
    choice = page.get_by_label("Start from")
    names = choice.locator("option").all_inner_texts()
    answers: dict[str, str] = {}
    for name in names:
        choice.select_option(name)
        page.get_by_role("button", name="Send as text").click()
        expect(
            page.locator("#frames li[data-way=in]").last.locator(".meaning")
        ).not_to_contain_text("Keep-alive")
        expect(page.locator("#frames li[data-way=in]")).to_have_count(1 if answers else 3)
        answers[name] = page.locator("#frames li[data-way=in]").last.locator(".type").inner_text()
        page.get_by_role("button", name="Clear").click()
    assert answers.pop("a publish as it should be") == "publish_success"
    assert set(answers.values()) == {
        "error",
        "publish_error",
        "subscribe_error",
        "unsubscribe_error",
    }


# -- the list of frames ------------------------------------------------------------------------------------------------

LOG = """
const { FrameLog, KEPT } = await import("/static/js/frame-log.js");
const log = new FrameLog();
const data = (id) => ({ way: "in", size: 1, text: JSON.stringify({ type: "data", id, event: "{}" }) });
"""


def test_the_log_keeps_500_and_one_line_of_keep_alives(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/console")
    found = page.evaluate(
        f"""async () => {{ {LOG}
          for (let number = 0; number < 40; number += 1) {{
            log.add({{ way: "in", size: 1, text: '{{"type":"ka"}}' }});
            log.add(data("1"));
          }}
          const folded = log.entries.filter((entry) => entry.type === "ka").map((entry) => entry.count);
          for (let number = 0; number < 1000; number += 1) log.add(data("1"));
          log.add({{ way: "in", size: 1, text: '{{"type":"ka"}}' }});
          return [folded, log.entries.length, KEPT, log.entries.at(-1).type, log.entries.at(-1).count];
        }}"""
    )
    assert found == [[40], 500, 500, "ka", 1]


def test_the_list_shows_what_the_log_keeps(site: Site, page: Page, channel: str) -> None:
    connect(page, site, channel)
    page.get_by_label("Event, or a list of up to five").fill("1")
    for _ in range(3):  # each makes 100 publishes with an answer each
        page.locator("#fault-panel").evaluate("(panel) => { panel.open = true; }")
        page.get_by_role("button", name=re.compile("^Flood")).click()
        expect(page.locator("#fault-note")).to_contain_text("Of the flood")
    expect(page.locator("#frames li")).to_have_count(500)
    expect(page.locator("#frames li").last).to_be_in_viewport()  # it follows
    assert page.locator("#scroller").evaluate(
        "(box) => box.scrollHeight - box.scrollTop - box.clientHeight < 40"
    )


def test_pause_freezes_the_list_and_not_the_socket(site: Site, page: Page, channel: str) -> None:
    connect(page, site, channel)
    subscribing(page).get_by_role("button", name="Subscribe").click()
    expect(frames(page, "data")).to_have_count(1)
    page.get_by_role("button", name="Pause", exact=True).click()
    site.publish(channel, {"player": "ann", "score": 1})
    expect(page.get_by_role("button", name="Paused, 1 new")).to_be_visible()
    expect(frames(page, "data")).to_have_count(1)
    page.get_by_role("button", name="Paused, 1 new").click()
    expect(frames(page, "data")).to_have_count(2)
    page.get_by_label("Show", exact=True).select_option("Keep-alives")
    expect(page.locator("#frames .type")).to_have_text(["ka"])
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#frames li")).to_have_count(0)
    expect(page.locator("#nothing")).to_be_visible()


# -- bots and faults ---------------------------------------------------------------------------------------------------


def test_ten_bots_publish_at_once(site: Site, page: Page, channel: str) -> None:
    connect(page, site, channel)
    page.get_by_role("button", name="×10 bots").click()
    expect(frames(page, "publish_success")).to_have_count(10)
    board = page.request.get(f"{site.url}/api/boards{channel}?top=20").json()
    assert sorted(row["player"] for row in board["rows"]) == sorted(
        f"bot-{number}" for number in range(1, 11)
    )


def test_a_crowd_is_conflated_and_stops_when_told(site: Site, page: Page, channel: str) -> None:
    connect(page, site, channel)
    subscribing(page).get_by_role("button", name="Subscribe").click()
    crowd = page.get_by_role("button", name="100 events/s")
    crowd.click()
    expect(frames(page, "publish_success").nth(30)).to_be_attached()
    crowd.click()
    expect(crowd).to_have_attribute("aria-pressed", "false")
    counts = page.locator("#counts").inner_text()
    published, data = re.findall(r"(?:events published|data frames received): ([\d,]+)", counts)
    assert int(published.replace(",", "")) >= 150
    assert int(data) < int(published.replace(",", "")) / 5
    assert frames(page, "publish_error").count() == 0


def test_a_flood_harms_this_connection_only(
    site: Site, page: Page, browser: Browser, channel: str
) -> None:
    other = browser.new_page()
    other.goto(f"{site.url}/l{channel}")
    expect(other.locator("#link")).to_have_text("Live")
    connect(page, site, channel)
    page.locator("#fault-panel > summary").click()
    page.get_by_role("button", name=re.compile("^Flood")).click()
    note = page.locator("#fault-note")
    expect(note).to_contain_text("Of the flood")
    told = re.findall(r"\d+", note.inner_text())
    assert int(told[0]) + int(told[1]) == 100
    assert int(told[0]) >= 25  # more only where the flood took longer than a second
    assert int(told[1]) >= 25
    expect(frames(page, "publish_error").first).to_contain_text("LimitExceededError")
    expect(page.locator("#state")).to_have_text("Live")
    site.publish(channel, {"player": "bystander", "score": 10**6})
    expect(other.locator("tbody tr").first).to_have_attribute("data-player", "bystander")
    other.close()


def test_a_cut_connection_comes_back_and_subscribes_again(
    site: Site, page: Page, watch: Watch, channel: str
) -> None:
    connect(page, site, channel)
    subscribing(page).get_by_role("button", name="Subscribe").click()
    expect(frames(page, "subscribe_success")).to_have_count(1)
    page.locator("#fault-panel > summary").click()
    page.get_by_role("button", name="Cut", exact=True).click()
    expect(frames(page, "closed")).to_contain_text("cut by the fault panel")
    expect(frames(page, "subscribe_success")).to_have_count(2)
    expect(page.locator("#state")).to_have_text("Live")
    assert len(watch.sockets) == 2


def test_a_long_cut_lets_no_attempt_through(
    site: Site, page: Page, watch: Watch, channel: str
) -> None:
    # The clock may jump over the time that an attempt has, while it is on its way.
    watch.expected = "closed before the connection is established"
    page.clock.install()
    connect(page, site, channel)
    page.locator("#fault-panel > summary").click()
    page.get_by_role("button", name="Cut for 10 s").click()
    expect(frames(page, "opening").nth(2)).to_contain_text("lets nothing through")
    expect(page.locator("#state")).to_have_text("Reconnecting")
    assert len(watch.sockets) == 1
    for passing in (10_000, PATIENCE):
        page.clock.fast_forward(passing)
    expect(page.locator("#state")).to_have_text("Live", timeout=30_000)


def test_a_slow_connection_is_slow_both_ways_and_in_order(
    site: Site, page: Page, channel: str
) -> None:
    connect(page, site, channel)
    page.locator("#fault-panel > summary").click()
    page.get_by_label("Slow: each frame takes longer, each way").select_option("0.5 s")
    publish = publishing(page).get_by_role("button", name="Publish", exact=True)
    publish.click()
    publish.click()
    expect(frames(page, "publish")).to_have_count(2)
    answers = frames(page, "publish_success")
    expect(answers).to_have_count(2)
    expect(answers.locator(".id")).to_have_text(["1", "2"])
    told = re.search(r"([\d,]+) ms later", answers.first.inner_text())
    assert told is not None
    assert int(told[1].replace(",", "")) >= 990  # timers of a browser may be a little early


def test_the_server_goes_and_comes_and_the_console_with_it(
    own_site: Site, page: Page, watch: Watch, channel: str
) -> None:
    watch.expected = "ERR_CONNECTION_REFUSED|WebSocket connection"
    connect(page, own_site, channel)
    subscribing(page).get_by_role("button", name="Subscribe").click()
    expect(frames(page, "subscribe_success")).to_have_count(1)
    own_site.stop()
    expect(frames(page, "closed").first).to_contain_text("1,012: the server restarts")
    expect(frames(page, "closed").nth(1)).to_contain_text("nobody said goodbye")
    own_site.start()
    expect(frames(page, "subscribe_success")).to_have_count(2, timeout=30_000)


# -- the credential ----------------------------------------------------------------------------------------------------


def test_the_credential_is_in_memory_only_and_shown_only_when_asked(
    site: Site, page: Page, watch: Watch, channel: str
) -> None:
    connect(page, site, channel)
    subscribing(page).get_by_role("button", name="Subscribe").click()
    publishing(page).get_by_role("button", name="Publish", exact=True).click()
    expect(frames(page, "publish_success")).to_have_count(1)
    for line in ("subscribe", "publish"):
        frames(page, line).locator("summary").click()
    send_raw(page, json.dumps({"type": "publish", "id": ADMIN}))
    html = page.content()
    assert ADMIN not in html
    assert ADMIN not in page.evaluate("document.body.innerText")
    stored = page.evaluate(
        """async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href,
          history.state, await indexedDB.databases(), await caches.keys()])"""
    )
    assert ADMIN not in stored
    assert not any(ADMIN in url for url in watch.requests)
    page.get_by_label("Show my credential").check()
    expect(page.locator("#code")).to_contain_text(ADMIN)
    expect(page.locator("#frames")).to_contain_text(ADMIN)
    page.get_by_label("Show my credential").uncheck()
    expect(page.locator("#frames")).not_to_contain_text(ADMIN)
    page.reload()
    expect(page.locator("html[data-started]")).to_be_attached()
    assert page.get_by_label("Credential", exact=True).input_value() == VIEWER


def test_a_submit_without_a_script_carries_nothing(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/console")
    assert page.locator("#console [name]").count() == 0
    page.get_by_label("Credential", exact=True).fill(ADMIN)
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_load_state()
    assert ADMIN not in page.url
    expect(page.locator("noscript .trouble")).to_be_visible()
    context.close()


# -- as code -----------------------------------------------------------------------------------------------------------


def code(page: Page, language: str) -> str:
    page.get_by_label("Language").select_option(language)
    return page.locator("#code").inner_text()


def test_what_is_copied_does_what_the_frame_did(
    site: Site, page: Page, tmp_path: Path, channel: str
) -> None:
    connect(page, site, channel)
    event = {"player": 'it\'s "ann" $HOME', "score": 7.5, "meta": {"ok": True, "no": None}}
    page.get_by_label("Event, or a list of up to five").fill(json.dumps([event]))
    publishing(page).get_by_role("button", name="Publish", exact=True).click()
    expect(frames(page, "publish_success")).to_have_count(1)
    page.get_by_label("Show my credential").check()

    def others(player: str) -> list[str]:
        board = page.request.get(f"{site.url}/api/boards{channel}").json()
        return [row["player"] for row in board["rows"] if row["player"] == player]

    for language in ("Python", "curl", "JavaScript"):
        name = f"{event['player']} {language}"
        text = code(page, language).replace(" $HOME", f" $HOME {language}")
        if language == "Python":
            file = tmp_path / "copied.py"
            file.write_text(text)
            done = subprocess.run(
                [sys.executable, file], check=True, capture_output=True, timeout=60
            )
            assert done.stderr == b""
        elif language == "curl":
            subprocess.run(["sh", "-c", text], check=True, capture_output=True, timeout=60)
        else:
            page.evaluate(
                "async (text) => { await new (async () => {}).constructor(text)(); }",
                text.replace(
                    "import { connect } from", "const { connect } = await import("
                ).replace('link.js";', 'link.js");'),
            )
        assert others(name) == [name], text
    assert '"apiKey"' in code(page, "Amplify")
    assert f"HTTP://{site.url.removeprefix('http://')}/event" in code(page, "Amplify")


class Amplify:
    """A copied program, run by Node.js beside the real `aws-amplify`."""

    def __init__(self, program: str) -> None:
        needs("node_modules")
        self._process = subprocess.Popen(
            [needs("node"), "--input-type=module", "-"],
            cwd=APPLICATION.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(WEBSOCKET + program)
        self._process.stdin.close()

    def __enter__(self) -> Iterator[str]:
        assert self._process.stdout is not None
        return iter(self._process.stdout)

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # Amplify's connection would keep it alive
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def test_what_is_copied_for_amplify_runs_beside_amplify(
    site: Site, page: Page, channel: str
) -> None:
    connect(page, site, channel)
    page.get_by_label("Show my credential").check()
    subscribing(page).get_by_role("button", name="Subscribe").click()
    expect(frames(page, "subscribe_success")).to_have_count(1)
    with Amplify(code(page, "Amplify")) as lines:
        assert "snapshot" in "".join(next(lines) for _ in range(2))
        page.get_by_label("Event, or a list of up to five").fill('[{"player": "ann", "score": 7}]')
        publishing(page).get_by_role("button", name="Publish", exact=True).click()
        expect(frames(page, "publish_success")).to_have_count(1)
        copied = code(page, "Amplify").replace('"ann"', '"copied"')
        with Amplify(f"{copied}\nconsole.log('done');") as told:
            assert next(told) == "done\n"
        assert any("copied" in line for line in lines)

    # With a token, Amplify asks as it asks a Lambda authorizer.
    room = httpx.post(f"{site.url}/api/rooms", json={}).json()
    page.reload()
    expect(page.locator("html[data-started]")).to_be_attached()
    page.get_by_label("sent as", exact=True).select_option("Authorization")
    page.get_by_label("Credential", exact=True).fill(room["host_token"])
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#state")).to_have_text("Live")
    publishing(page).get_by_label("Channel").fill(room["channel"])
    page.get_by_label("Event, or a list of up to five").fill('{"op": "close"}')
    publishing(page).get_by_role("button", name="Publish", exact=True).click()
    expect(frames(page, "publish_success")).to_have_count(1)
    page.get_by_label("Show my credential").check()
    copied = code(page, "Amplify").replace('"close"', '"open"')
    with Amplify(f"{copied}\nconsole.log('done');") as told:
        assert next(told) == "done\n"
    assert httpx.get(f"{site.url}/api/rooms/{room['code']}").json()["state"] == "open"


def test_publish_is_in_sight_on_a_laptop(site: Site, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{site.url}/console")
    button = publishing(page).get_by_role("button", name="Publish", exact=True)
    expect(button).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("navigation").get_by_role("link", name="Console")).to_have_attribute(
        "aria-current", "page"
    )


def test_a_subscribe_as_code_and_without_the_credential(
    site: Site, page: Page, channel: str
) -> None:
    connect(page, site, channel)
    subscribing(page).get_by_label("View").select_option("top 3")
    subscribing(page).get_by_role("button", name="Subscribe").click()
    expect(frames(page, "subscribe_success")).to_have_count(1)
    for language, part in {
        "Python": f'client.subscribe("{channel}", top=3)',
        "JavaScript": f'link.subscribe("{channel}", {{"top":3}}, ',
        "curl": f"{site.url}/api/boards{channel}?top=3",
        "Amplify": f'events.connect("{channel}")',
    }.items():
        text = code(page, language)
        assert part in text
        assert ADMIN not in text
        assert "YOUR-KEY" in text or "$LEADERBOARD_KEY" in text


@pytest.mark.parametrize("allowed", [True, False])
def test_copying_works_without_a_secure_context(
    site: Site, browser: Browser, channel: str, allowed: bool
) -> None:
    context = browser.new_context()
    if allowed:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
    else:  # as on a plain http:// address of the LAN
        context.add_init_script(
            "Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined });"
        )
    page = context.new_page()
    connect(page, site, channel)
    publishing(page).get_by_role("button", name="Publish", exact=True).click()
    frames(page, "publish").locator("summary").click()
    frames(page, "publish").get_by_role("button", name="Copy").click()
    expect(page.locator("#copy-note")).to_have_text("Copied.")
    page.get_by_label("Frame, sent as it stands").evaluate("(area) => { area.value = ''; }")
    page.locator("#raw-panel > summary").click()
    page.get_by_label("Frame, sent as it stands").focus()
    page.keyboard.press("Control+V")
    pasted = json.loads(page.get_by_label("Frame, sent as it stands").input_value())
    assert pasted["type"] == "publish"
    assert pasted["authorization"]["x-api-key"] == "YOUR-KEY"
    context.close()


# -- for everybody -----------------------------------------------------------------------------------------------------


def test_a_whole_conversation_by_keyboard_alone(site: Site, page: Page, channel: str) -> None:
    page.goto(f"{site.url}/console")
    expect(page.locator("html[data-started]")).to_be_attached()

    def tab_to(locator: Locator) -> None:
        for _ in range(60):
            if locator.evaluate("(element) => element === document.activeElement"):
                style = locator.evaluate("(element) => getComputedStyle(element).outlineStyle")
                assert style != "none"
                return
            page.keyboard.press("Tab")
        pytest.fail(f"the keyboard does not reach {locator}")

    tab_to(page.get_by_label("Credential", exact=True))
    page.keyboard.press("Control+A")
    page.keyboard.type(ADMIN)
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Live")
    tab_to(subscribing(page).get_by_label("Channel"))
    page.keyboard.press("Control+A")
    page.keyboard.type(channel)
    page.keyboard.press("Enter")
    expect(frames(page, "subscribe_success")).to_have_count(1)
    tab_to(publishing(page).get_by_label("Channel"))
    page.keyboard.press("Control+A")
    page.keyboard.type(channel)
    tab_to(page.get_by_label("Event, or a list of up to five"))
    page.keyboard.press("Control+Enter")
    expect(frames(page, "publish_success")).to_have_count(1)
    tab_to(page.locator("#raw-panel > summary"))
    page.keyboard.press("Enter")
    tab_to(page.get_by_role("button", name="Send as text"))
    page.keyboard.press("Space")
    expect(frames(page, "publish_success")).to_have_count(2)
    tab_to(page.locator("#fault-panel > summary"))
    page.keyboard.press("Enter")
    tab_to(page.get_by_role("button", name="Cut", exact=True))
    tab_to(page.get_by_label("Show", exact=True))
    tab_to(page.locator("#frames summary").first)
    page.keyboard.press("Enter")
    expect(page.locator("#frames details").first).to_have_attribute("open", "")
    tab_to(page.get_by_label("Show my credential"))
    tab_to(page.get_by_role("button", name="Copy", exact=True).last)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_in_a_busy_console(
    site: Site, browser: Browser, axe: str, channel: str, scheme: str
) -> None:
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    connect(page, site, channel)
    subscribing(page).get_by_role("button", name="Subscribe").click()
    publishing(page).get_by_role("button", name="Publish", exact=True).click()
    expect(frames(page, "publish_success")).to_have_count(1)
    send_raw(page, "{")
    expect(frames(page, "error")).to_have_count(1)
    page.locator("#fault-panel > summary").click()
    frames(page, "publish").locator("summary").click()
    page.get_by_label("Event, or a list of up to five").fill("{")
    page.evaluate(axe)
    found = page.evaluate("axe.run().then((result) => result.violations)")
    assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in found] == []
    context.close()


def test_a_busy_console_does_not_overflow(site: Site, page: Page, channel: str) -> None:
    connect(page, site, channel)
    subscribing(page).get_by_role("button", name="Subscribe").click()
    publishing(page).get_by_role("button", name="Publish", exact=True).click()
    expect(frames(page, "publish_success")).to_have_count(1)
    send_raw(page, "x" * 500)
    expect(frames(page, "error")).to_have_count(1)
    page.locator("#fault-panel > summary").click()
    frames(page, "publish").locator("summary").click()
    for width in (320, 390, 768, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        for inner in ("html", "#scroller"):
            excess = page.locator(inner).evaluate("(box) => box.scrollWidth - box.clientWidth")
            assert excess <= 0, f"{excess} px in {inner} at {width}"
        heights = page.locator("#console button:visible, #console summary:visible").evaluate_all(
            "(controls) => controls.map((control) => control.getBoundingClientRect().height)"
        )
        assert min(heights) >= 43.5


def test_an_error_of_the_pages_script_is_shown_on_the_page(
    site: Site, page: Page, watch: Watch
) -> None:
    watch.expected = "made by the test|404|error: "
    page.route("**/wire.js", lambda route: route.fulfill(status=404, body=""))
    page.goto(f"{site.url}/console")
    expect(page.get_by_role("alert")).to_contain_text("This file did not load")
    expect(page.get_by_role("alert")).to_contain_text("has not started")
    page.evaluate("setTimeout(() => { throw new Error('made by the test'); })")
    expect(page.get_by_role("alert")).to_contain_text("made by the test")
