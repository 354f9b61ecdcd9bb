"""Where partitions live: a cluster, a service of sentinels, independent servers; and what their URLs say."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from redis.crc import key_slot

from leaderboard.engines import Outcome
from leaderboard.engines.places import EVEN_TAGS, Places
from leaderboard.engines.redis import RedisEngine
from leaderboard.settings import Limits
from tests.engines import Clock, World, eventually, score
from tests.redis_server import RedisServer, admit, cluster_of
from tests.test_redis_equal import compare
from tests.test_redis_faults import refusal_of
from tests.test_redis_start import no_other_layout


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


def servers(parent: Path, stack: ExitStack, count: int, *options: str) -> list[RedisServer]:
    return [
        stack.enter_context(RedisServer(folder(parent, f"s{number}"), *options))
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a cluster of three masters."""
    with ExitStack() as stack:
        yield cluster_of(tmp_path_factory.mktemp("cluster"), stack, 3).url


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[World]:
    """A process' engine, let go of also where the test fails."""
    engine = RedisEngine(url, Limits())
    world = World(engine, Clock())
    await engine.start()
    try:
        yield world
    finally:
        await engine.stop()


def heard(world: World) -> int:
    """The boards of this test of which one has heard: whoever starts also hears of those that were there before."""
    return len({path for path in world.changed if path.startswith("/a/")})


@pytest.mark.parametrize("seed", [50, 51])
async def test_a_cluster_gives_the_same_bytes(cluster: str, seed: int) -> None:
    await compare(cluster, seed, 1000)


async def test_processes_of_a_cluster_hear_of_each_other(cluster: str) -> None:
    async with opened(cluster) as one, opened(cluster) as other:
        for n in range(40):
            await one.publish(f"/a/{n}", score("ann", n))
            await one.relay(f"/r/{n}", "hello")
        await eventually(lambda: heard(other) == 40 and len(other.relayed) == 40)
        assert [board.channel for board in await other.find("/a/*", limit=5)] == sorted(
            f"/a/{n}" for n in range(40)
        )[:5]
        assert len(await other.find("/a/*")) == 40


async def test_the_user_of_the_page_may_do_all_in_a_cluster(cluster: str) -> None:
    ports = [int(port) for port in re.findall(r":(\d+)", cluster)]
    nodes = [RedisServer(Path(), port=port) for port in ports]
    for node in nodes:
        await node.empty()
    url = admit(ports, cluster)
    await compare(url, 52, 300)
    for right in ("spublish", "ssubscribe", "cluster|slots"):
        admit(ports, cluster)
        for node in nodes:
            await node.ask("ACL", "SETUSER", "leaderboard", f"-{right}")
        said = await refusal_of(url)
        assert right in said.lower()
        assert "docs/scaling.md has the rule" in said


async def test_another_layout_does_not_start_in_a_cluster(
    cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await no_other_layout(cluster, monkeypatch)


async def test_another_layout_does_not_start_on_independent_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        url = ",".join(each.patient_url for each in servers(tmp_path, stack, 2))
        await no_other_layout(url, monkeypatch)


async def test_independent_servers_share_the_boards_out(tmp_path: Path) -> None:
    with ExitStack() as stack:
        both = servers(tmp_path, stack, 2)
        url = ",".join(each.url for each in both)
        await compare(url, 60, 500)
        async with opened(url) as one, opened(url) as other:
            for n in range(20):
                await one.publish(f"/a/{n}", score("ann", n))
            await eventually(lambda: heard(other) == 20)
            held = [await each.ask("DBSIZE") for each in both]
            assert all(held)
            both[1].kill()
            async with asyncio.timeout(5):
                while all(one.engine.reaches(f"/a/{n}") for n in range(20)):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            outcomes = [await one.apply(f"/a/{n}", score("bob", n)) for n in range(20)]
            went_on = sum(isinstance(outcome, Outcome) for outcome in outcomes)
            assert 0 < went_on < 20, "the boards of the other server go on"


async def test_databases_of_a_server_hear_nothing_of_each_other(redis_server: RedisServer) -> None:
    """Redis keeps their keys apart, but not their channels."""
    await redis_server.empty()
    async with opened(redis_server.url) as one, opened(f"{redis_server.url}/1") as other:

        async def tell(world: World, text: str) -> None:
            await world.publish("/a/x", score("ann", 5), texts=(text,))
            await world.relay("/r/x", text)
            await eventually(lambda: len(world.relayed) == 2)

        await tell(other, "for the other")
        await tell(one, "for one")
        await other.relay("/r/x", "and no more")
        await eventually(lambda: len(other.relayed) == 3)
        assert [text for _, text in one.relayed] == ["for one", "for one"]
        last = [text for _, text in other.relayed]
        assert last == ["for the other", "for the other", "and no more"]


async def test_each_server_is_told_of_though_another_is_away(tmp_path: Path) -> None:
    """Boards of the second that goes are stale at once; those of the first that returns are read again at once."""
    paths = {f"/a/{n}" for n in range(20)}
    with ExitStack() as stack:
        one, other = servers(tmp_path, stack, 2)
        async with opened(f"{one.url},{other.url}") as world:
            told: list[bool] = []
            world.engine.health = told.append
            for path in paths:
                world.engine.watch(path, 1)
            one.kill()
            await eventually(lambda: told == [False])
            other.kill()
            await eventually(lambda: told == [False, False])
            assert not any(world.engine.reaches(path) for path in paths)
            world.changed.clear()
            one.start()
            await eventually(lambda: told == [False, False, False] and bool(world.changed))
            returned = {path for path in paths if world.engine.reaches(path)}
            assert 0 < len(returned) < len(paths)
            assert set(world.changed) == returned
            other.start()
            await eventually(lambda: told[-1])


async def test_a_service_of_sentinels_is_followed_to_its_new_master(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        master, replica = servers(tmp_path, stack, 2, "--repl-diskless-sync-delay", "0")
        await replica.ask("REPLICAOF", "127.0.0.1", master.port)
        # promoted before it has what its master has, it would be empty
        await replica.until(b"master_link_status:up", "INFO", "replication")
        settings = folder(tmp_path, "sentinel") / "sentinel.conf"
        settings.write_text(
            f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n"
            "sentinel down-after-milliseconds mymaster 500\n"
            "sentinel failover-timeout mymaster 2000\n"
        )
        sentinel = RedisServer(settings.parent, config=settings)
        stack.enter_context(sentinel)
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster"
        async with opened(url) as world:
            await world.publish("/a/x", score("ann", 5))
            epoch = (await world.read("/a/x")).epoch
            async with asyncio.timeout(15):
                while await replica.ask("DBSIZE") != await master.ask("DBSIZE"):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                while not await sentinel.ask("SENTINEL", "REPLICAS", "mymaster"):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            master.kill()
            async with asyncio.timeout(25):
                while True:
                    outcome = await world.apply("/a/x", score("ann", 6))
                    if isinstance(outcome, Outcome):
                        break
                    await asyncio.sleep(0.1)
            reading = await world.read("/a/x", floor=(epoch, 1))
            assert (reading.epoch, reading.version >= 2) == (epoch, True)
            await no_other_layout(url, monkeypatch)


# -- URLs --------------------------------------------------------------------------------------------------------------


def test_the_partitions_of_a_cluster_are_spread_evenly() -> None:
    slots = [key_slot(tag.encode()) for tag in EVEN_TAGS]
    assert [slot // 1024 for slot in slots] == list(range(16))
    assert Places("redis+cluster://a").tags == EVEN_TAGS, "their names never change"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis+sentinel://a:1", "name of the service"),
        ("redis+cluster://a:1/3", "no databases"),
        ("http://a", "no scheme"),
    ],
)
def test_a_url_that_cannot_be_is_told_why(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Places(url)
