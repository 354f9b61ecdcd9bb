"""Interoperability: the real AppSync Events client of `aws-amplify`, against a real server."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import trustme
from prometheus_client.parser import text_string_to_metric_families

from leaderboard import serving
from leaderboard.messages import MAX_EVENT_BYTES
from tests.amplify import Application, Rejected, application, line_of
from tests.appsync import eventually
from tests.conftest import ADMIN, SCOREKEEPER, VIEWER, Server, Start, running
from tests.documents import block

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = "da2-a-key-that-nobody-was-given"

Amplify = Callable[..., Awaitable[Application]]


# -- servers and applications ------------------------------------------------------------------------------------------
#
# An application takes half a second to start. So what does not depend on how a connection begins or ends is tested with
# one application and one server for all, in channels of each test's own, over plain HTTP and then over TLS (`app`).
# The other tests start what they need, without TLS (`start`, `amplify`).


@pytest.fixture(scope="module", params=["HTTP", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    """How the application's endpoint begins. Amplify makes wss of `http://` spelled so, hence the capitals."""
    return str(request.param)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that only these tests know."""
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a node process that trusts the authority."""
    certificate = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(certificate)
    return {"NODE_EXTRA_CA_CERTS": str(certificate)}


@contextmanager
def encrypting(certificate: Path) -> Iterator[None]:
    """Servers that are made meanwhile have this certificate."""
    unencrypted = serving.server

    def encrypted(*args: Any, **options: Any) -> Any:
        server = unencrypted(*args, **options)
        server.config.ssl_certfile = certificate
        return server

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "server", encrypted)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    scheme: str, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """A server for many tests, without a rate; behind TLS if the scheme says so."""
    certificate = tmp_path_factory.mktemp("server") / "certificate.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    async with AsyncExitStack() as stack:
        with encrypting(certificate) if scheme == "https" else nullcontext():
            unlimited = running(limits={"publishes_per_second": 0})
            server = await stack.enter_async_context(unlimited)
        yield server


async def configured(app: Application, port: int, key: str = ADMIN, scheme: str = "HTTP") -> None:
    endpoint = f"{scheme}://127.0.0.1:{port}/event"
    events = {"endpoint": endpoint, "defaultAuthMode": "apiKey", "apiKey": key}
    await app.configure({"API": {"Events": events}})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(server: Server, scheme: str, trusted: dict[str, str]) -> AsyncIterator[Application]:
    """An application for many tests, with the admin's key. Nobody closes its channels."""
    async with application(trusted) as app:
        await configured(app, server.port, scheme=scheme)
        yield app


@pytest_asyncio.fixture(loop_scope="module")
async def start() -> AsyncIterator[Start]:
    """Start servers with settings of the test's own; all end with the test."""
    async with AsyncExitStack() as stack:

        async def start(port: int = 0, **values: Any) -> Server:
            return await stack.enter_async_context(running(port, **values))

        yield start


@pytest_asyncio.fixture(loop_scope="module")
async def amplify(trusted: dict[str, str]) -> AsyncIterator[Amplify]:
    """Start applications that are configured for a server of this machine; all end with the test."""
    async with AsyncExitStack() as stack:

        async def amplify(port: int, **options: str) -> Application:
            app = await stack.enter_async_context(application(trusted))
            await configured(app, port, **options)
            return app

        yield amplify


_chats = itertools.count(1)


@pytest.fixture
def chat() -> str:
    """A relay channel that no other test has used, as `board` is one that ranks."""
    return f"/default/chat-{next(_chats)}"


async def metric(server: Server, name: str) -> float:
    """A number of ``/metrics``, over all namespaces."""
    text = (await (await server.http()).get("/metrics")).text
    samples = [
        sample for family in text_string_to_metric_families(text) for sample in family.samples
    ]
    return sum(sample.value for sample in samples if sample.name == f"leaderboard_{name}")


def score(player: str, score: float) -> dict[str, object]:
    return {"player": player, "score": score}


def ranking(snapshot: dict[str, Any]) -> list[tuple[int, str, float]]:
    """The rows of a snapshot."""
    assert snapshot["type"] == "snapshot"
    return [(row["rank"], row["player"], row["score"]) for row in snapshot["rows"]]


# -- board channels ----------------------------------------------------------------------------------------------------


async def test_a_score_published_over_the_socket_comes_back_as_a_snapshot(
    app: Application, board: str
) -> None:
    channel = await app.connect(board)
    subscription = await channel.subscribe()
    assert ranking(await subscription.event()) == []
    assert await channel.publish(score("ann", 12)) is None
    assert ranking(await subscription.event()) == [(1, "ann", 12)]


async def test_a_score_posted_over_http_comes_back_as_a_snapshot(
    app: Application, board: str
) -> None:
    subscription = await (await app.connect(board)).subscribe()
    assert ranking(await subscription.event()) == []
    assert await app.post(board, score("ann", 12)) is None
    assert ranking(await subscription.event()) == [(1, "ann", 12)]


async def test_a_batch_of_five_is_ranked_and_equal_scores_share_a_rank(
    app: Application, board: str
) -> None:
    channel = await app.connect(board)
    scores = [score(*item) for item in (("a", 5), ("b", 9), ("c", 7), ("d", 9), ("e", 1))]
    await channel.publish(scores)
    snapshot = await (await channel.subscribe()).event()
    assert ranking(snapshot) == [(1, "b", 9), (1, "d", 9), (3, "c", 7), (4, "a", 5), (5, "e", 1)]


@pytest.mark.parametrize(
    ("event", "name"),
    [
        pytest.param(score("ann", 2**53), "ScoreOutOfRange", id="score out of range"),
        pytest.param({"player": "ann", "score": "12"}, "InvalidEvent", id="score as text"),
        pytest.param({"score": 12}, "InvalidEvent", id="no player"),
        pytest.param("hello", "InvalidEvent", id="no object"),
    ],
)
async def test_an_event_that_fails_rejects_the_publish_with_a_telling_name(
    app: Application, board: str, event: Any, name: str
) -> None:
    channel = await app.connect(board)
    with pytest.raises(Rejected) as rejected:
        await channel.publish(event)
    assert rejected.value.message == f"Publish errors: {name}"


async def test_an_application_may_carry_a_token_of_ours_by_configuration_alone(
    start: Start, amplify: Amplify, board: str
) -> None:
    """Amplify's mode for a custom authorizer sends its text as it is: it is ours to read."""
    server = await start()
    text, _ = server.app.state.auth.issue("player", board, "ann", 60)
    app = await amplify(server.port, key=VIEWER)
    token = {"authMode": "lambda", "authToken": text}
    channel = await app.connect(board, **token)
    subscription = await channel.subscribe(**token)
    assert ranking(await subscription.event()) == []
    assert await channel.publish(score("ann", 12), **token) is None
    assert ranking(await subscription.event()) == [(1, "ann", 12)]
    assert await app.post(board, score("ann", 13), **token) is None
    assert ranking(await subscription.event()) == [(1, "ann", 13)]
    with pytest.raises(Rejected) as rejected:
        await channel.publish(score("bob", 99), **token)
    assert rejected.value.message == "Publish errors: NotAllowed"


async def test_each_event_of_a_batch_that_fails_is_named(app: Application, board: str) -> None:
    channel = await app.connect(board)
    with pytest.raises(Rejected) as rejected:
        await channel.publish([score("ann", 2**53), {"player": "bob"}])
    assert rejected.value.message == "Publish errors: ScoreOutOfRange, InvalidEvent"


async def test_a_batch_that_fails_in_part_resolves_and_the_rest_of_it_counts(
    app: Application, board: str
) -> None:
    channel = await app.connect(board)
    assert await channel.publish([{"player": "bob"}, score("ann", 12)]) is None
    assert ranking(await (await channel.subscribe()).event()) == [(1, "ann", 12)]


async def test_a_post_resolves_to_the_events_that_failed(app: Application, board: str) -> None:
    (failed,) = await app.post(board, [score("ann", 12), score("bob", 2**53)])
    assert isinstance(failed["identifier"], str)
    assert (failed["index"], failed["code"], failed["errorType"]) == (1, 422, "ScoreOutOfRange")


async def test_six_events_in_a_publish_are_refused(app: Application, board: str) -> None:
    channel = await app.connect(board)
    with pytest.raises(Rejected) as rejected:
        await channel.publish([score("ann", points) for points in range(6)])
    assert rejected.value.message == "Publish errors: InvalidInputError"
    assert ranking(await (await channel.subscribe()).event()) == []


async def test_six_events_in_a_post_are_refused(app: Application, board: str) -> None:
    with pytest.raises(Rejected) as rejected:
        await app.post(board, [score("ann", points) for points in range(6)])
    assert rejected.value.name == "BadRequestException"
    assert rejected.value.message == "Input exceeded 5 event limit"


async def test_a_wildcard_gets_the_snapshots_of_every_board_below(
    app: Application, board: str
) -> None:
    subscription = await (await app.connect(f"{board}/*")).subscribe()
    await app.post(f"{board}/one", score("ann", 1))
    first = await subscription.event()
    await app.post(f"{board}/deep/down", score("bob", 2))
    second = await subscription.event()
    assert (first["channel"], ranking(first)) == (f"{board}/one", [(1, "ann", 1)])
    assert (second["channel"], ranking(second)) == (f"{board}/deep/down", [(1, "bob", 2)])


async def test_the_26th_publish_in_a_second_is_refused_and_only_that_one(
    start: Start, amplify: Amplify, board: str
) -> None:
    app = await amplify((await start()).port)
    channel = await app.connect(board)
    answers = await asyncio.gather(
        *(channel.publish(score("ann", points)) for points in range(26)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, Rejected)]
    assert [answer.message for answer in refused] == ["Publish errors: LimitExceededError"]


# -- relay channels ----------------------------------------------------------------------------------------------------


async def test_relay_events_arrive_unchanged_and_in_order_and_at_their_publisher_too(
    app: Application, chat: str
) -> None:
    channel = await app.connect(chat)
    subscription = await channel.subscribe()
    batch: list[Any] = [{"n": 1, "of": {"a": [True, None]}}, 'żółć 🎲 " \\ \u2028', 0, None, [0.1]]
    await channel.publish(batch)
    await channel.publish({"n": 2})
    await app.post(chat, {"n": 3})
    arrived = [await subscription.event() for _ in range(7)]
    assert arrived == [*batch, {"n": 2}, {"n": 3}]


async def test_the_announcements_example_reads_what_it_posted(app: Application) -> None:
    """The example app of AppSync Events' announcement posts a player's gain to this channel, and shows `msg.event`."""
    subscription = await (await app.connect("/default/leaderboard")).subscribe()
    await app.post("/default/leaderboard", {"id": "abc123", "score": 19})
    message = await subscription.message()
    assert message["type"] == "data"
    assert message["event"] == {"id": "abc123", "score": 19}


async def test_a_relay_wildcard_gets_events_from_any_depth(app: Application, chat: str) -> None:
    subscription = await (await app.connect(f"{chat}/*")).subscribe()
    await app.post(f"{chat}/one", 1)
    await app.post(f"{chat}/deep/down", 2)
    assert [await subscription.event() for _ in range(2)] == [1, 2]


async def test_a_channel_is_the_same_with_and_without_its_leading_slash(
    app: Application, chat: str
) -> None:
    bare = chat.removeprefix("/")
    subscription = await (await app.connect(bare)).subscribe()
    await app.post(bare, 1)  # Amplify adds the slash to this one, and to no other
    await (await app.connect(chat)).publish(2)
    assert [await subscription.event() for _ in range(2)] == [1, 2]


async def test_five_events_of_the_largest_size_pass_though_amplify_sends_each_twice(
    app: Application, chat: str
) -> None:
    channel = await app.connect(chat)
    subscription = await channel.subscribe()
    largest = [str(n) * (MAX_EVENT_BYTES - len('""')) for n in range(5)]
    await channel.publish(largest)
    assert [await subscription.event() for _ in range(5)] == largest


# -- credentials -------------------------------------------------------------------------------------------------------


async def test_a_wrong_key_rejects_the_connection_at_the_first_attempt(
    start: Start, amplify: Amplify, board: str
) -> None:
    server = await start()
    app = await amplify(server.port, key=WRONG)
    with pytest.raises(Rejected) as rejected:
        await app.connect(board)
    assert rejected.value.message == "UnauthorizedException"
    assert await metric(server, "connect_requests_total") == 1


async def test_an_application_refused_for_its_key_connects_with_a_good_one(
    start: Start, amplify: Amplify, board: str
) -> None:
    app = await amplify((await start()).port)
    with pytest.raises(Rejected):
        await app.connect(board, apiKey=WRONG)
    channel = await app.connect(board)
    assert ranking(await (await channel.subscribe()).event()) == []


async def test_a_wrong_key_rejects_a_post(app: Application, board: str) -> None:
    with pytest.raises(Rejected) as rejected:
        await app.post(board, score("ann", 1), apiKey=WRONG)
    told = "You are not authorized to make this call."
    assert (rejected.value.name, rejected.value.message) == ("UnauthorizedException", told)
    assert rejected.value.body["errors"] == [
        {"errorType": "UnauthorizedException", "message": told}
    ]


async def test_a_wrong_key_on_one_subscription_ends_that_one_alone(
    app: Application, chat: str
) -> None:
    channel = await app.connect(chat)
    good, refused = await channel.subscribe(), channel.subscribing()
    with pytest.raises(Rejected) as rejected:
        await refused.ready(apiKey=WRONG)
    told = "Connection failed: UnauthorizedException: You are not authorized to make this call."
    assert rejected.value.message == told
    (error,) = (await refused.error())["errors"]
    assert error["message"] == told
    await channel.publish("still here")
    assert await good.event() == "still here"
    assert refused.left() == []


async def test_a_wrong_key_on_one_publish_rejects_that_one_alone(
    app: Application, chat: str
) -> None:
    channel = await app.connect(chat)
    subscription = await channel.subscribe()
    with pytest.raises(Rejected) as rejected:
        await channel.publish("refused", apiKey=WRONG)
    assert rejected.value.message == "Publish errors: UnauthorizedException"
    await channel.publish("taken")
    assert await subscription.event() == "taken"


async def test_the_viewer_key_watches_and_does_not_publish(
    start: Start, amplify: Amplify, board: str
) -> None:
    app = await amplify((await start()).port, key=VIEWER)
    channel = await app.connect(board)
    subscription = await channel.subscribe()
    assert ranking(await subscription.event()) == []
    with pytest.raises(Rejected) as rejected:
        await channel.publish(score("ann", 1))
    assert rejected.value.message == "Publish errors: UnauthorizedException"
    await channel.publish(score("ann", 2), apiKey=SCOREKEEPER)
    assert ranking(await subscription.event()) == [(1, "ann", 2)]


async def test_a_namespace_that_does_not_exist_is_refused_as_appsync_does(
    app: Application,
) -> None:
    channel = await app.connect("/nowhere/arcade")
    with pytest.raises(Rejected, match="Connection failed: UnauthorizedException"):
        await channel.subscribe()
    with pytest.raises(Rejected, match="Publish errors: UnauthorizedException"):
        await channel.publish(score("ann", 1))


async def test_an_application_can_be_pointed_here_by_its_amplify_outputs(
    start: Start, amplify: Amplify, board: str
) -> None:
    server = await start()
    app = await amplify(server.port, key=WRONG)
    events = {
        "url": f"HTTP://127.0.0.1:{server.port}/event",
        "aws_region": "us-east-1",
        "default_authorization_type": "API_KEY",
        "api_key": ADMIN,
    }
    await app.configure({"version": "1.3", "custom": {"events": events}})
    assert await app.post(board, score("ann", 12)) is None
    subscription = await (await app.connect(board)).subscribe()
    assert ranking(await subscription.event()) == [(1, "ann", 12)]


async def test_the_guides_set_up_runs_as_written(start: Start) -> None:
    program = block("js", '"aws-amplify"').text
    for written, here in (
        ("127.0.0.1:8000", f"127.0.0.1:{(await start()).port}"),
        ("da2-…", ADMIN),
    ):
        assert written in program
        program = program.replace(written, here)
    assert "120" in await line_of(program, "ann")


# -- the life of a connection ------------------------------------------------------------------------------------------


async def test_several_channels_share_one_connection(
    start: Start, amplify: Amplify, board: str, chat: str
) -> None:
    server = await start()
    app = await amplify(server.port)
    paths = [board, f"{chat}/one", f"{chat}/two"]
    ranks, one, two = [await (await app.connect(path)).subscribe() for path in paths]
    assert await metric(server, "active_connections") == 1
    assert await metric(server, "active_subscriptions") == 3
    await app.post(f"{chat}/two", "for two")
    await app.post(f"{chat}/one", "for one")
    assert await two.event() == "for two"
    assert await one.event() == "for one"
    assert ranking(await ranks.event()) == []
    assert [ranks.left(), one.left(), two.left()] == [[], [], []]


async def test_an_ended_subscription_gets_nothing_more(
    start: Start, amplify: Amplify, chat: str
) -> None:
    server = await start()
    app = await amplify(server.port)
    channel = await app.connect(chat)
    ended, other = await channel.subscribe(), await channel.subscribe()
    await ended.unsubscribe()
    await app.frame("unsubscribe_success")
    assert await metric(server, "active_subscriptions") == 1
    await channel.publish("who is there?")
    assert await other.event() == "who is there?"
    assert ended.left() == []


async def test_closing_the_last_channel_closes_the_connection(
    start: Start, amplify: Amplify, board: str, chat: str
) -> None:
    server = await start()
    app = await amplify(server.port)
    channels = [await app.connect(board), await app.connect(chat)]
    for channel in channels:
        await channel.subscribe()
        await channel.close()

    async def closed_in_order() -> bool:
        return await metric(server, "disconnect_success_total") == 1

    await eventually(closed_in_order)
    assert await metric(server, "active_connections") == 0
    with pytest.raises(Rejected, match="Channel is closed"):
        await channels[0].publish("too late")


async def test_a_subscription_comes_back_with_the_server(
    start: Start, amplify: Amplify, board: str
) -> None:
    server = await start()
    app = await amplify(server.port)
    channel = await app.connect(board)
    await channel.publish(score("ann", 12))
    subscription = channel.subscribing()
    id_ = await subscription.ready()
    assert ranking(await subscription.event()) == [(1, "ann", 12)]

    await server.stop()
    await app.state("ConnectionDisrupted")
    await start(server.port)

    message = await subscription.message()  # Amplify waits 5 s before it tries
    assert message["id"] == id_
    assert ranking(message["event"]) == [], "nothing is stored: the new server has an empty board"
    await channel.publish(score("bob", 7))
    assert ranking(await subscription.event()) == [(1, "bob", 7)]


async def test_an_idle_connection_outlives_its_time_out(
    start: Start, amplify: Amplify, chat: str
) -> None:
    # Amplify looks every 5 s whether anything came within the connectionTimeoutMs that the ack told it: here 2.5 s.
    server = await start(limits={"keep_alive": 0.5})
    app = await amplify(server.port)
    await (await app.connect(chat)).subscribe()
    for _ in range(12):
        await app.frame("ka")
    assert {"from": "state", "next": "ConnectionDisrupted"} not in app.left("state")
    assert await metric(server, "connect_requests_total") == 1


async def test_a_connection_made_long_after_the_page_was_loaded_stays(
    start: Start, amplify: Amplify, chat: str
) -> None:
    # Amplify counts from the last keep-alive of any connection, or from when it was loaded: before the sleep.
    server = await start(limits={"keep_alive": 5.5})
    app = await amplify(server.port)
    await app.sleep(600)
    await (await app.connect(chat)).subscribe()
    await app.frame("ka")
    await app.frame("ka")  # half a second after Amplify has looked
    assert {"from": "state", "next": "ConnectionDisrupted"} not in app.left("state")
    assert await metric(server, "connect_requests_total") == 1


async def test_a_silent_connection_is_given_up_and_its_ids_are_taken_while_it_is_still_held(
    start: Start, amplify: Amplify, board: str
) -> None:
    server = await start(limits={"keep_alive": 0.5})
    async with Wire(server.port) as wire:
        app = await amplify(wire.port)
        subscription = (await app.connect(board)).subscribing()
        id_ = await subscription.ready()
        assert ranking(await subscription.event()) == []

        wire.freeze()
        await app.state(
            "ConnectionDisrupted"
        )  # at the first look; without a time-out told, after 300 s

        message = await subscription.message()
        assert message["id"] == id_
        assert await metric(server, "active_connections") == 2


class Wire:
    """A network between an application and a server, which can go silent without closing anything."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._pumps: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Wire:
        self._listener = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = int(self._listener.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        self.freeze()
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def freeze(self) -> None:
        """Carry nothing more on the connections that are open now."""
        for pump in self._pumps:
            pump.cancel()

    async def _join(
        self, near_reader: asyncio.StreamReader, near_writer: asyncio.StreamWriter
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._writers += (near_writer, far_writer)
        for reader, writer in ((near_reader, far_writer), (far_reader, near_writer)):
            pump = asyncio.create_task(_pump(reader, writer))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
