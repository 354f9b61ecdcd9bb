"""A process that is started on a Redis that will not do says why, and what to do; and never a password."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from leaderboard.engines import answer_of, open_engine
from leaderboard.engines.redis import RedisEngine
from leaderboard.settings import Limits
from tests.engines import Clock, World, eventually, score
from tests.processes import serve
from tests.redis_server import RedisServer, free_port, rule
from tests.test_redis_faults import refusal_of

SECRET = "a secret that all processes of a test have"


# -- versions that keep boards in another way --------------------------------------------------------------------------


async def no_other_layout(url: str, patch: pytest.MonkeyPatch) -> None:
    """While a process lives at a URL, one whose keys lie in another way does not start there, and no key is shared."""
    engine = RedisEngine(url, Limits())
    world = World(engine, Clock())
    await engine.start()
    with patch.context() as newer:
        newer.setattr("leaderboard.engines.places.LAYOUT", "lb2")
        said = await refusal_of(url)
    assert "(lb1, not lb2)" in said
    assert "end them and wait 20 seconds, or name another Redis" in said
    await world.publish("/a/x", score("ann", 5))
    again = RedisEngine(url, Limits())
    await again.start()
    for each in (again, engine):
        await each.stop()


async def test_another_layout_does_not_start_beside_this_one(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis_server.empty()
    await no_other_layout(redis_server.patient_url, monkeypatch)
    keys = await redis_server.ask("KEYS", "*")
    assert not [key for key in keys if key.startswith(b"lb2")]
    left = await redis_server.ask("TTL", "lb:{0}:layout")
    assert 15 <= left <= 20, "forgotten when all have ended, however they ended"
    await redis_server.empty()


async def test_the_layout_in_use_is_said_again_and_another_is_told_of(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a restart of Redis: what was said is lost, and others may have been first."""
    await redis_server.empty()
    monkeypatch.setattr("leaderboard.engines.servers.SWEEP", 0.05)
    engine = RedisEngine(redis_server.patient_url, Limits())
    await engine.start()

    await redis_server.ask("DEL", "lb:{0}:layout")
    async with asyncio.timeout(10):
        while await redis_server.ask("GET", "lb:{0}:layout") != b"lb1":
            pass
    await redis_server.ask("SET", "lb:{0}:layout", "lb2")
    await eventually(lambda: "another version use this Redis too" in caplog.text)
    assert await redis_server.ask("GET", "lb:{0}:layout") == b"lb2"
    await engine.stop()
    await redis_server.empty()


async def test_a_server_that_may_not_start_ends_and_says_why_in_one_line(
    redis_server: RedisServer,
) -> None:
    await redis_server.empty()
    await redis_server.ask("SET", "lb:{0}:layout", "lb2", "EX", 60)
    for flags in ((), ("--workers", "2")):
        async with serve(*flags, engine_url=redis_server.patient_url, secret=SECRET) as server:
            assert await server.ends(None) == 1
            assert "engine_url: processes of another version" in server.said
            assert len(server.said.splitlines()) <= 3, server.said
    await redis_server.empty()


# -- the URL -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:hun/ter2@a:6379", r"password written %2F"),
        ("rediss+cluster://:hunter2@a:6379,b:x", r"rediss://user:password@host:6379"),
        ("redis://:hunter2@a?colour=red", r"'colour' is no option of redis://"),
        ("redis://:hunter2@a?ssl_ca_certs=ca.pem", r"'ssl_ca_certs' is no option of redis://"),
        ("redis://:hunter2@a?socket_timeout=soon", r"Invalid value for 'socket_timeout'"),
        ("rediss://:hunter2@a?ssl_ca_certs=/no/such.pem", r"ssl_ cannot be used: .*No such file"),
        ("rediss://:hunter2@a?ssl_cert_reqs=perhaps", r"ssl_ cannot be used: .*perhaps"),
        ("redis://:hunter2@a:1,http://b:1", r"http:// is no scheme"),
        ("redis+sentinel://:hunter2@a:1", r"ends in the name of the service"),
    ],
)
def test_a_url_that_cannot_be_read_is_told_without_its_password(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        open_engine(url, Limits())
    assert "hun" not in str(raised.value)


async def test_where_nothing_listens_it_is_said_in_one_line() -> None:
    url = f"redis://:hunter2@127.0.0.1:{free_port()}"
    async with serve(engine_url=url, secret=SECRET) as server:
        assert await server.ends(None) == 1
        assert "error: engine_url: Redis cannot be reached" in server.said
        assert (len(server.said.splitlines()), "hunter2" in server.said) == (1, False)


async def test_where_nobody_answers_it_is_not_waited_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.engines.servers.START", 0.3)
    with RedisServer(tmp_path) as server:
        server.pause()
        said = await refusal_of(f"{server.url}?socket_timeout=0.1")
        assert "Redis cannot be reached: it does not answer." in said
        server.resume()


# -- the server --------------------------------------------------------------------------------------------------------


async def test_a_replica_is_told_of(tmp_path: Path, redis_server: RedisServer) -> None:
    with RedisServer(tmp_path, "--replicaof", f"127.0.0.1 {redis_server.port}") as replica:
        assert "is a replica, which takes no writes: name its master" in await refusal_of(
            replica.url
        )


async def test_a_sentinel_and_a_server_are_told_apart(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    settings = tmp_path / "sentinel.conf"
    settings.write_text(f"sentinel monitor mymaster 127.0.0.1 {redis_server.port} 1\n")
    with RedisServer(tmp_path, config=settings) as sentinel:
        assert "is a sentinel: its URL begins with redis+sentinel://" in await refusal_of(
            sentinel.url
        )
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/yours"
        assert "know no service 'yours'" in await refusal_of(url)
    url = redis_server.url.replace("redis", "redis+sentinel", 1) + "/mymaster"
    assert "is no sentinel: its URL begins with redis://" in await refusal_of(url)


@pytest.mark.parametrize("key", ["lb1:{0}:ctl", "lb1:{0}:log", "lb1:{0}:leads", "lb:{0}:layout"])
async def test_keys_of_another_program_are_named_and_left_alone(
    redis_server: RedisServer, key: str
) -> None:
    await redis_server.empty()
    await redis_server.ask("SADD", key, "mine")
    assert f"these keys are another program's: {key}." in await refusal_of(redis_server.url)
    assert await redis_server.ask("SMEMBERS", key) == [b"mine"]
    await redis_server.empty()


async def test_the_keys_of_a_process_are_not_taken_for_another_programs(
    redis_server: RedisServer,
) -> None:
    """All that processes share, as the look at the start knows it: none is taken for another program's."""
    await redis_server.empty()
    engine = RedisEngine(redis_server.patient_url, Limits())
    world = World(engine, Clock())
    await engine.start()
    await world.publish("/a/x", score("ann", 5))
    await world.revoke("t", 4_000_000_000.0)
    await answer_of(partial(engine.keep, "k", "text", 4_000_000_000.0, 10))
    await answer_of(partial(engine.lead, "/a/x", 60.0))
    names = ("ends", "paths", "sizes", "log", "ctl", "up", "revoked", "kept", "kept-ends")
    for name in (*names, "leaders", "leads"):
        assert await redis_server.ask("EXISTS", f"lb1:{{0}}:{name}"), name
    again = RedisEngine(redis_server.patient_url, Limits())
    await again.start()
    for each in (again, engine):
        await each.stop()


# -- the user ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RedisServer]:
    """A server whose users a test may change."""
    with RedisServer(tmp_path) as server:
        yield server


async def test_a_server_that_wants_a_password_says_so(guarded: RedisServer) -> None:
    await guarded.ask("CONFIG", "SET", "requirepass", "right")
    assert "wants a password: redis://user:password@host" in await refusal_of(guarded.url)
    for url in (guarded.url, guarded.url.replace("redis", "redis+cluster", 1)):
        said = await refusal_of(url.replace("//", "//:hunter2@"))
        assert "does not take this user and password" in said
        assert "hunter2" not in said


async def test_each_right_that_a_user_lacks_is_named(guarded: RedisServer) -> None:
    """So the rule of the page holds no right that is not needed, on one server or on a cluster."""
    url = guarded.admitted
    of_clusters = ("+spublish", "+ssubscribe", "+cluster|slots")
    goes_without = "+info"  # then the server's version is not looked at
    asked = 0
    for right in rule()[4:]:
        if not right.startswith("+") or right in of_clusters or right == goes_without:
            continue
        await guarded.ask("ACL", "SETUSER", "leaderboard", f"-{right[1:]}")
        said = await refusal_of(url)
        assert right[1:].lower() in said.lower()
        assert "docs/scaling.md has the rule" in said
        assert "long" not in said
        await guarded.ask("ACL", "SETUSER", "leaderboard", right)
        asked += 1
    assert asked > 30
    for pattern in ("~lb:*", "~lb1:*"):
        await guarded.ask("ACL", "SETUSER", "leaderboard", "resetkeys", pattern)
        assert "docs/scaling.md has the rule" in await refusal_of(url)
    await guarded.ask("ACL", "SETUSER", "leaderboard", "~lb:*", "~lb1:*", "resetchannels")
    assert "may not use PUBLISH SUBSCRIBE on our keys and channels" in await refusal_of(url)
    await guarded.ask("ACL", "SETUSER", "leaderboard", "&lb1:*", f"-{goes_without[1:]}")
    engine = RedisEngine(url, Limits())
    await engine.start()
    await engine.stop()
