"""static/js/link.js alone, in a world where time passes at the test's word: see world.js."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Site, source
from tests.link_facts import CASES, Case

Run = Callable[[str], Any]

PREPARE = """
const { connect, LinkError } = await import("/static/js/link.js");
const world = new World();
const { snapshot, data } = World;
const link = connect({ url: "http://scores.example/", key: "k", target: world.target, environment: world.environment });
const settled = (promise) => promise.then((value) => ["ok", value], (error) => ["error", error.name]);
"""


@pytest.fixture
def run(site: Site, page: Page) -> Run:
    """Run a test's script in a page, after `PREPARE`; its result."""
    page.goto(site.url)
    page.evaluate(f"() => {{ {source('world.js')} }}")
    return lambda script: page.evaluate(f"async () => {{ {PREPARE} {script} }}")


def test_the_handshake_carries_the_key_as_a_sub_protocol(run: Run) -> None:
    url, protocols, frames = run(
        """
        world.socket.accept();
        return [world.socket.url, world.socket.protocols, world.socket.sent];
        """
    )
    assert url == "ws://scores.example/event/realtime"
    assert protocols[0] == "aws-appsync-event-ws"
    header = protocols[1].removeprefix("header-")
    members = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    assert members == {"host": "scores.example", "x-api-key": "k"}
    assert frames == [{"type": "connection_init"}]


def test_a_token_counts_before_a_key(run: Run) -> None:
    protocol, subscribed = run(
        """
        const other = new World();
        const { target, environment } = other;
        const second = connect({ url: "http://h", key: "k", token: "t", target, environment });
        other.socket.accept();
        second.subscribe("/leaderboard/a", () => {});
        return [other.socket.protocols[1], other.socket.sent.find(({ type }) => type === "subscribe")];
        """
    )
    header = protocol.removeprefix("header-")
    members = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    assert members == subscribed["authorization"] == {"host": "h", "Authorization": "t"}


# -- as the client in Python does --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stage(site: Site, browser: Browser) -> Iterator[Page]:
    """One page for all plays: each has a world of its own."""
    page = browser.new_page()
    page.goto(site.url)
    page.evaluate(f"() => {{ {source('world.js')} }}")
    yield page
    page.close()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_clients_do_the_same(stage: Page, case: Case) -> None:
    """The other one: tests/test_client.py."""
    found = stage.evaluate(
        """async (steps) => {
          const { connect } = await import("/static/js/link.js");
          return new World().play(connect, steps);
        }""",
        case.steps,
    )
    assert {name: found[name] for name in case.found} == case.found


# -- coming back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chance", "pauses"),
    [
        (0.0, [250] * 8),
        (0.5, [500, 750, 1250, 2250, 4250, 8250, 15250, 15250]),
        (1.0, [750, 1250, 2250, 4250, 8250, 16250, 30250, 30250]),
    ],
)
def test_it_comes_back_with_full_jitter(run: Run, chance: float, pauses: list[int]) -> None:
    found = run(
        f"""
        world.chance = {chance};
        const pauses = [];
        for (let attempt = 0; attempt < 8; attempt += 1) {{
          const broken = world.now;
          world.socket.break();
          while (world.socket.opened < broken || world.socket.closed) world.pass(50);
          while (world.sockets.length < attempt + 2) world.pass(50);
          pauses.push(world.socket.opened - broken);
        }}
        return pauses;
        """
    )
    assert found == pauses


@pytest.mark.parametrize("event", ["online", "visible"])
def test_it_comes_back_at_once_when_there_is_hope(run: Run, event: str) -> None:
    found = run(
        f"""
        for (let attempt = 0; attempt < 6; attempt += 1) {{ world.socket.break(); world.pass(20_000); }}
        world.socket.break();
        const sockets = world.sockets.length;
        if ("{event}" === "online") world.window.dispatchEvent(new Event("online"));
        else world.document.dispatchEvent(new Event("visibilitychange"));
        return world.sockets.length - sockets;
        """
    )
    assert found == 1


def test_a_link_that_died_in_a_devices_sleep_is_left_by_whoever_looks(run: Run) -> None:
    found = run(
        """
        Date.now = () => world.now;    // that of the device, which goes on while it sleeps
        world.socket.accept();
        const look = () => world.document.dispatchEvent(new Event("visibilitychange"));
        world.pass(4000);
        look();                        // a glance at another tab
        const glance = world.sockets.length;
        const unsafe = settled(link.publish("/leaderboard/a", [{ player: "p", score: 2 }]));
        world.now += 60_000;           // timers sleep as well
        look();
        const [dead, fresh] = world.sockets;
        const early = link.state;
        world.pass(1500);              // the network is not back yet
        const late = link.state;
        fresh.accept();
        return { glance, left: dead.closed, early, late, again: fresh.said("publish"), unsafe: await unsafe };
        """
    )
    assert found == {
        "glance": 1,
        "left": True,
        "early": "live",
        "late": "reconnecting",
        "again": [],
        "unsafe": ["error", "OutcomeUnknown"],
    }


def test_a_device_without_network_says_so_after_a_second(run: Run) -> None:
    found = run(
        """
        world.socket.accept();
        world.pass(5000);
        world.window.dispatchEvent(new Event("offline"));
        world.pass(15_000);
        world.window.dispatchEvent(new Event("online"));
        world.socket.accept();
        return world.heard("lb:state");
        """
    )
    assert found == [[0, "live"], [6000, "reconnecting"], [15000, "offline"], [20000, "live"]]


def test_a_server_on_the_device_itself_needs_no_network(run: Run) -> None:
    found = run(
        """
        const near = connect({ url: "http://127.0.0.1:8000", environment: world.environment, target: null });
        world.socket.accept();
        world.window.dispatchEvent(new Event("offline"));
        return [near.state, world.socket.closed];
        """
    )
    assert found == ["live", False]


def test_a_server_that_does_not_answer_is_left(run: Run) -> None:
    assert run(
        "world.pass(14_000); const early = world.sockets.length; world.pass(3000);"
        "return [early, world.sockets.length];"
    ) == [1, 2]


def test_a_refused_key_is_not_tried_again(run: Run) -> None:
    found = run(
        """
        const errors = [];
        link.subscribe("/leaderboard/a", () => {}, (error) => errors.push(error.name));
        const publish = settled(link.publish("/leaderboard/a", { player: "p", score: 1 }));
        world.socket.onopen();
        world.socket.say({ type: "connection_error", errors: [{ errorType: "UnauthorizedException" }] });
        world.pass(3_600_000);
        world.window.dispatchEvent(new Event("online"));
        const later = settled(link.publish("/leaderboard/a", { player: "p", score: 1 }));
        return [world.sockets.length, link.state, errors, await publish, await later];
        """
    )
    assert found == [
        1,
        "refused",
        ["UnauthorizedException"],
        ["error", "UnauthorizedException"],
        ["error", "UnauthorizedException"],
    ]


def test_an_overloaded_server_is_tried_again(run: Run) -> None:
    found = run(
        """
        world.socket.onopen();
        world.socket.say({ type: "connection_error", errors: [{ errorType: "LimitExceededError" }] });
        world.pass(1000);
        return [world.sockets.length, link.state];
        """
    )
    assert found == [2, "connecting"]


def test_it_subscribes_again_and_says_what_it_knows(run: Run) -> None:
    found = run(
        """
        const seen = [];
        link.subscribe("/leaderboard/a", { top: 3 }, (event) => seen.push(event.version));
        link.subscribe("/leaderboard/*", (event) => seen.push(event.version));
        const gone = link.subscribe("/leaderboard/b", () => {});
        world.socket.accept();
        const first = world.socket.said("subscribe");
        world.socket.say(data("1", snapshot(7)), data("2", snapshot(4)));
        gone.close();
        const unsubscribed = world.socket.said("unsubscribe");
        world.socket.break();
        world.pass(1000);
        world.socket.accept();
        return { first, unsubscribed, second: world.socket.said("subscribe"), seen };
        """
    )
    assert found["first"] == [
        {"type": "subscribe", "id": "1", "channel": "/leaderboard/a", "view": {"top": 3}},
        {"type": "subscribe", "id": "2", "channel": "/leaderboard/*"},
        {"type": "subscribe", "id": "3", "channel": "/leaderboard/b"},
    ]
    assert found["unsubscribed"] == [{"type": "unsubscribe", "id": "3"}]
    assert found["second"] == [
        {
            "type": "subscribe",
            "id": "1",
            "channel": "/leaderboard/a",
            "view": {"top": 3, "since": "e1.7"},
        },
        {"type": "subscribe", "id": "2", "channel": "/leaderboard/*"},
    ]
    assert found["seen"] == [7, 4]


def test_an_older_snapshot_is_passed_over_and_another_life_is_not(run: Run) -> None:
    found = run(
        """
        const seen = [];
        link.subscribe("/leaderboard/a", (event) => seen.push(`${event.epoch}.${event.version}`));
        world.socket.accept();
        world.socket.say(
          data("1", snapshot(5)),
          data("1", snapshot(4)),
          data("1", snapshot(5)),                                // the same version, other numbers
          data("1", snapshot(0, { epoch: "" })),                 // the board has ended
          data("1", snapshot(1, { epoch: "e2", reset: true })),
        );
        return [seen, world.heard("lb:update").length];
        """
    )
    assert found == [["e1.5", "e1.5", ".0", "e2.1"], 4]


def test_the_round_is_told_when_it_changes(run: Run) -> None:
    found = run(
        """
        link.subscribe("/leaderboard/a", () => {});
        world.socket.accept();
        const round = (state) => ({ round: { number: 1, state, frozen: false } });
        world.socket.say(
          data("1", snapshot(1, round("closed"))),
          data("1", snapshot(2, round("closed"))),
          data("1", snapshot(3, round("soon"))),
          data("1", snapshot(4, round("open"))),
          data("1", snapshot(5, round("open"))),
        );
        return world.heard("lb:round").map(([, state]) => state);
        """
    )
    assert found == ["closed", "soon", "open"]


def test_a_refused_subscription_is_told_and_a_passing_fault_is_tried_again(run: Run) -> None:
    found = run(
        """
        const errors = [];
        const heard = (error) => errors.push(error.name);
        link.subscribe("/leaderboard/a", () => {}, heard);
        link.subscribe("/leaderboard/b", () => {}, heard);
        world.socket.accept();
        world.socket.say(
          { type: "subscribe_error", id: "1", errors: [{ errorType: "UnauthorizedException" }] },
          { type: "subscribe_error", id: "2", errors: [{ errorType: "EngineUnavailable" }] },
        );
        world.pass(1000);
        const again = world.socket.said("subscribe").map((frame) => frame.id);
        world.socket.break();
        world.pass(1000);
        world.socket.accept();
        return { errors, again, later: world.socket.said("subscribe").map((frame) => frame.id) };
        """
    )
    assert found == {
        "errors": ["UnauthorizedException", "EngineUnavailable"],
        "again": ["1", "2", "2"],
        "later": ["2"],
    }


def test_a_page_that_asks_for_more_as_soon_as_it_is_live_asks_once(run: Run) -> None:
    found = run(
        """
        world.target.addEventListener("lb:state", () => {
          link.subscribe("/leaderboard/a", () => {});
          link.publish("/leaderboard/a", { player: "p", score: 1 });
        });
        world.socket.accept();
        return world.socket.sent.map(({ type, id }) => [type, id]);
        """
    )
    assert found[1:] == [["subscribe", "1"], ["publish", "2"]]


def test_a_page_is_told_whether_the_link_asks_again(run: Run) -> None:
    found = run(
        """
        const told = [];
        for (const _ of [1, 2, 3]) link.subscribe("/leaderboard/a", () => {}, (error, again) => told.push(again));
        world.socket.accept();
        const denied = (id, errorType) => ({ type: "subscribe_error", id, errors: [{ errorType }] });
        world.socket.say(denied("1", "EngineUnavailable"), denied("2", "UnauthorizedException"));
        world.socket.break(1008, "");
        return told;
        """
    )
    assert found == [True, False, False, False]


def test_a_page_that_throws_does_not_lose_the_link(run: Run, page: Page, watch: Any) -> None:
    watch.expected = "the page's own mistake"
    found = run(
        """
        const seen = [];
        link.subscribe("/leaderboard/a", () => { throw new Error("the page's own mistake"); });
        link.subscribe("/leaderboard/a", (event) => seen.push(event.version));
        world.socket.accept();
        world.socket.say(data("1", snapshot(1)), data("2", snapshot(1)));
        return [seen, link.state];
        """
    )
    assert found == [[1], "live"]
    assert len(watch.faults) == 1


def test_relay_events_come_as_they_were_published(run: Run) -> None:
    found = run(
        """
        const seen = [];
        link.subscribe("/default/chat", (event) => seen.push(event));
        world.socket.accept();
        world.socket.say(data("1", { type: "hello" }), data("1", null), data("1", [1, "two"]));
        world.socket.onmessage({ data: "not JSON" });
        return [seen, world.heard("lb:update").length];
        """
    )
    assert found == [[{"type": "hello"}, None, [1, "two"]], 0]


# -- publishing --------------------------------------------------------------------------------------------------------


def test_a_publish_is_answered_by_the_server(run: Run) -> None:
    found = run(
        """
        world.socket.accept();
        const good = settled(link.publish("/leaderboard/a", [{ player: "p", score: 1 }], { results: true }));
        const bad = settled(link.publish("/leaderboard/a", { player: "p", score: 2 }));
        world.socket.say(
          { type: "publish_error", id: "2", errors: [{ errorType: "ScoreOutOfRange", message: "too much" }] },
          { type: "publish_success", id: "1", successful: [{ identifier: "x", index: 0 }], results: [null] },
        );
        return { sent: world.socket.said("publish"), good: await good, bad: await bad };
        """
    )
    assert found["sent"][0] == {
        "type": "publish",
        "id": "1",
        "channel": "/leaderboard/a",
        "events": ['{"player":"p","score":1}'],
        "results": True,
    }
    assert found["good"][0] == "ok"
    assert found["good"][1]["results"] == [None]
    assert found["bad"] == ["error", "ScoreOutOfRange"]


def test_a_publish_before_the_link_is_up_waits_for_it(run: Run) -> None:
    found = run(
        """
        link.publish("/leaderboard/a", { player: "p", score: 1 });
        const early = world.socket.said("publish").length;
        world.socket.accept();
        return [early, world.socket.said("publish").length];
        """
    )
    assert found == [0, 1]


def test_closing_ends_everything(run: Run) -> None:
    found = run(
        """
        link.subscribe("/leaderboard/a", () => {});
        world.socket.accept();
        const publish = settled(link.publish("/leaderboard/a", { player: "p", score: 1 }));
        link.close();
        world.pass(3_600_000);
        return [world.socket.closed, world.sockets.length, world.timers.size, link.state, await publish];
        """
    )
    assert found == [True, 1, 0, "closed", ["error", "Closed"]]
