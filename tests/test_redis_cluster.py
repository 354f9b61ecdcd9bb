"""A cluster that loses a master: what publishers and subscribers see meanwhile and afterwards, over the WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from leaderboard.engines.places import Places
from leaderboard.settings import Namespace
from tests.appsync import Client, Snapshot, error_types
from tests.conftest import SCOREKEEPER, VIEWER, running
from tests.hosting import score
from tests.redis_server import Cluster, RedisServer, cluster_of

SECRET = "a secret that both of the processes of a test have"
pytestmark = pytest.mark.timeout(150)  # nodes miss each other slowly where others work too


class Watch:
    """A subscription, and all that it was shown."""

    def __init__(self, client: Client, id_: str) -> None:
        self._client = client
        self._id = id_
        self.shown: list[Snapshot] = []

    async def until(self, holds: Callable[[Snapshot], bool]) -> Snapshot:
        def note(snapshot: Snapshot) -> bool:
            self.shown.append(snapshot)
            return holds(snapshot)

        return await self._client.until(self._id, note)

    @property
    def lives(self) -> list[str]:
        """The epochs that the board had, in order; within each of them no version was below the one before."""
        versions: dict[str, int] = {}
        for snapshot in self.shown:
            epoch, version = snapshot["epoch"], snapshot["version"]
            if epoch:
                assert version >= versions.pop(epoch, 0), "versions never go back"
                versions[epoch] = version
        return list(versions)


def total(count: int) -> Callable[[Snapshot], bool]:
    return lambda snapshot: not stale(snapshot) and bool(snapshot["total"] == count)


def stale(snapshot: Snapshot) -> bool:
    return snapshot.get("stale") is True


async def watch(client: Client, board: str) -> Watch:
    return Watch(client, await client.subscribe(board))


async def boards_of(cluster: Cluster, namespace: str) -> dict[int, str]:
    """For each master, by its port, a board that it has."""
    places = Places(cluster.url)
    masters = await places.locate()
    found: dict[int, str] = {}
    for number in range(200):
        path = f"/{namespace}/b{number}"
        found.setdefault(masters[places.partition(path)][1], path)
    return found


async def until_applied(keeper: Client, board: str, event: dict[str, Any]) -> set[str]:
    """Send an event again and again until it is applied, as a client does; what it was refused with."""
    refused: set[str] = set()
    async with asyncio.timeout(60):
        while True:
            answer = await keeper.publish(board, event)
            if answer["type"] == "publish_success":
                return refused
            refused.update(error_types(answer))
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("whole", ["yes", "no"])
async def test_boards_of_slots_that_a_cluster_does_not_serve_are_stale(
    tmp_path: Path, whole: str
) -> None:
    """A master without a replica is killed. The others answer, that the cluster is down, if it has to be whole."""
    with ExitStack() as stack:
        cluster = cluster_of(tmp_path, stack, 3, "--cluster-require-full-coverage", whole)
        boards = await boards_of(cluster, "leaderboard")
        killed = cluster.nodes[2]
        lost = boards.pop(killed.port)
        async with running(engine_url=cluster.url, secret=SECRET) as server:
            keeper, watcher = await server.client(SCOREKEEPER), await server.client(VIEWER)
            http = await server.http()
            watches = {board: await watch(watcher, board) for board in (*boards.values(), lost)}
            for board, each in watches.items():
                await keeper.publish(board, score("ann", 5))
                await each.until(total(1))
            killed.kill()
            affected = watches if whole == "yes" else [lost]
            for board in affected:
                seen = await watches[board].until(stale)
                assert [row["player"] for row in seen["rows"]] == ["ann"]
                answer = await keeper.publish(board, score("bob", 7))
                assert error_types(answer) == ["EngineUnavailable"]
            assert (await http.get("/readyz")).status_code == 503
            for board in watches.keys() - affected:
                await keeper.publish(board, score("cid", 1))
                seen = await watches[board].until(lambda each: each["total"] == 2)
                assert not stale(seen), "its own slots are served"
            killed.start()
            await asyncio.to_thread(cluster.wait)
            for board, each in watches.items():
                await until_applied(keeper, board, score("dan", 9))
                seen = await each.until(lambda snapshot: snapshot["rows"][:1] == top("dan", 9))
                assert not stale(seen)
                players = {row["player"] for row in seen["rows"]}
                assert ("ann" in players) == (board != lost)
                assert "bob" not in players, "what was refused was not done"
                assert len(each.lives) == 1 + (board == lost)
            assert (await http.get("/readyz")).status_code == 200


def top(player: str, value: float) -> list[dict[str, Any]]:
    return [{"rank": 1, "position": 1, "player": player, "score": value}]


async def test_a_master_that_is_killed_is_followed_by_its_replica(tmp_path: Path) -> None:
    """Two processes see it: the board goes on where it was, and what is sent until it is answered counts once."""
    with ExitStack() as stack:
        cluster = cluster_of(tmp_path, stack, 3, replicas=1)
        settings: dict[str, Any] = {
            "engine_url": cluster.url,
            "secret": SECRET,
            "namespaces": {"cup": Namespace(mode="sum")},
        }
        killed = cluster.nodes[0]
        board = (await boards_of(cluster, "cup"))[killed.port]
        async with running(**settings) as one, running(**settings) as other:
            keeper = await one.client(SCOREKEEPER)
            watches = [await watch(await each.client(VIEWER), board) for each in (one, other)]
            for n in range(1, 6):
                await keeper.publish(board, score("ann", 1, n=n))
            for each in watches:
                await each.until(lambda snapshot: snapshot["rows"] == top("ann", 5))
            assert await killed.ask("WAIT", 1, 20_000) == 1, "its replica has it all"
            killed.kill()
            for each in watches:
                await each.until(stale)
            refused = set()
            for n in range(6, 11):
                refused |= await until_applied(keeper, board, score("ann", 1, n=n))
            assert refused == {"EngineUnavailable"}
            for each in watches:
                seen = await each.until(lambda snapshot: snapshot["rows"] == top("ann", 10))
                assert not stale(seen)
                assert len(each.lives) == 1
            killed.start()  # as a replica of the one that was its own
            await killed.until(b"master_link_status:up", "INFO", "replication")
            await until_applied(keeper, board, score("ann", 1, n=11))
            for each in watches:
                await each.until(lambda snapshot: snapshot["rows"] == top("ann", 11))


async def test_writes_that_a_replica_never_had_take_no_version_back(tmp_path: Path) -> None:
    """What the master acknowledged last is lost with it; who has seen it is shown what is left as something newer."""
    with ExitStack() as stack:
        cluster = cluster_of(tmp_path, stack, 3, replicas=1)
        settings: dict[str, Any] = {
            "engine_url": cluster.url,
            "secret": SECRET,
            "limits": {"publishes_per_second": 0},
        }
        master = cluster.nodes[0]
        board = (await boards_of(cluster, "leaderboard"))[master.port]
        replica = await replica_of(cluster, master)
        async with running(**settings) as server:
            keeper = await server.client(SCOREKEEPER)
            seen = await watch(await server.client(VIEWER), board)
            for value in range(1, 6):
                await keeper.publish(board, score("ann", value))
            kept = await seen.until(lambda snapshot: snapshot["rows"] == top("ann", 5))
            assert await master.ask("WAIT", 1, 20_000) == 1, "its replica has it all"
            replica.pause()
            await master.ask(
                "CLIENT", "KILL", "TYPE", "replica"
            )  # nothing more is on its way to it
            for value in range(6, 31):
                answer = await keeper.publish(board, score("ann", value))
                assert answer["type"] == "publish_success"
            lost = await seen.until(lambda snapshot: snapshot["rows"] == top("ann", 30))
            assert lost["version"] == kept["version"] + 25
            master.kill()
            replica.resume()
            await seen.until(stale)
            await replica.ask("CLUSTER", "FAILOVER", "TAKEOVER")
            left = await seen.until(lambda snapshot: snapshot["rows"] == top("ann", 5))
            assert left["epoch"] == lost["epoch"]
            assert left["version"] > lost["version"]
            await until_applied(keeper, board, score("ann", 7))
            newer = await seen.until(lambda snapshot: snapshot["rows"] == top("ann", 7))
            assert newer["version"] == left["version"] + 1
            assert seen.lives == [kept["epoch"]]


async def replica_of(cluster: Cluster, master: RedisServer) -> RedisServer:
    """The replica of one of the masters."""
    id_ = await master.ask("CLUSTER", "MYID")
    [line] = await master.ask("CLUSTER", "REPLICAS", id_)
    return next(node for node in cluster.nodes if f":{node.port}@".encode() in line)
