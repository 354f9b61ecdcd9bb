"""Where boards live among Redis servers: what a URL says, which partition a board is in, and which server has it.

One server has one partition. Independent servers (a comma list) have one each. A cluster has sixteen, so that a node
listens to at most so many channels and a master that is added takes its share. The hash tag of a partition makes all
its keys lie together.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError

TIMEOUT = 1.0
"""Seconds that a server may be silent, unless the URL says another `socket_timeout`: as long as a publish waits."""
LAYOUT = "lb1"
"""What all keys begin with. The number is that of their layout: programs that differ in it share nothing but the
key that says which layout is in use."""
OLDEST = (7, 0)
"""The first Redis that has all commands of the scripts; every Valkey has them."""
# In each sixteenth of the slots, the smallest number whose own slot is in its middle half: the numbers 0 to 15 would be
# unevenly spread.
EVEN_TAGS = [
    "18",
    "3",
    "61",
    "58",
    "19",
    "2",
    "60",
    "59",
    "102",
    "1",
    "63",
    "49",
    "103",
    "0",
    "62",
    "48",
]

ESCAPES = "with / ? # @ : of a password written %2F %3F %23 %40 %3A"
GONE = (RedisError, OSError, RuntimeError)
"""What a connection raises that is no good any more. uvloop says with a `RuntimeError` that it was closed meanwhile."""

Address = tuple[str, int]
Kind = Literal["servers", "cluster", "sentinel"]


class Unusable(Exception):
    """A server that is there but cannot be used; the text says why and what to do."""


class Places:
    """What an engine's URL says. Raises `ValueError` for one that cannot be read."""

    def __init__(self, url: str) -> None:
        self.layout = LAYOUT
        self.kind: Kind = "servers"
        self.service = ""
        parts = url.split(",") if url.count("://") > 1 else [url]
        scheme = url.partition("://")[0]
        if scheme.endswith(("+cluster", "+sentinel")):
            scheme, _, kind = scheme.partition("+")
            self.kind = "cluster" if kind == "cluster" else "sentinel"
            parts = self._seeds(scheme, url)
        self._seeds_options = [_options(part) for part in parts]
        self._options = self._seeds_options[0]
        self.patience = float(self._options.get("socket_timeout") or TIMEOUT)
        """Seconds that a server may be silent when it is asked something."""
        cluster = self.kind == "cluster"
        self.tags = EVEN_TAGS if cluster else [str(n) for n in range(len(parts))]
        if self.kind == "sentinel":
            self.tags = ["0"]
        self.publish = "SPUBLISH" if cluster else "PUBLISH"
        self.subscribe = "SSUBSCRIBE" if cluster else "SUBSCRIBE"

    def _seeds(self, scheme: str, url: str) -> list[str]:
        """A URL for each of the hosts that one names; of a sentinel's the path is the service."""
        split = urlsplit(url)
        user, at, hosts = split.netloc.rpartition("@")
        path, query = split.path, split.query
        if self.kind == "sentinel":
            self.service, _, database = path.strip("/").partition("/")
            if not self.service:
                raise ValueError("a sentinel's URL ends in the name of the service: /mymaster")
            options = dict(parse_qsl(query))
            self._sentinel_password = options.pop("sentinel_password", None)
            path, query = f"/{database or 0}", urlencode(options)
        elif path.strip("/") not in ("", "0"):
            raise ValueError("a cluster has no databases but 0")
        end = f"?{query}" if query else ""
        return [f"{scheme}://{user}{at}{host}{path}{end}" for host in hosts.split(",")]

    def partition(self, path: str) -> int:
        """The number of the partition that a board is in."""
        return zlib.crc32(path.encode()) % len(self.tags)

    def base(self, partition: int) -> str:
        """What all keys and channels of a partition begin with."""
        base = f"{self.layout}:{{{self.tags[partition]}}}"
        database = self._options.get("db", 0)
        return f"{base}:{database}" if database else base  # databases share their channels

    def layout_key(self) -> str:
        """The key in which processes say which layout is in use, the same in all layouts; in the first partition."""
        return f"lb:{{{self.tags[0]}}}:layout"

    def connection(self, address: Address) -> Connection:
        """A connection to a server, not yet made."""
        for options in self._seeds_options:
            if (options.get("host", ""), options.get("port", 6379)) == address:
                return _connection(options)
        host, port = address
        return _connection({**self._options, "host": host, "port": port})

    async def locate(self) -> list[Address]:
        """The server of each partition, as it is now. Raises `Unusable`, or one of `GONE`."""
        if self.kind == "servers":
            return [(each.get("host", ""), each.get("port", 6379)) for each in self._seeds_options]
        ask = self._ask_cluster if self.kind == "cluster" else self._ask_sentinel
        failed: Exception | None = None
        for options in list(self._seeds_options):
            try:
                return await ask(options)
            except GONE as error:
                failed = error
        raise failed or Unusable("the URL names no server")

    async def _ask_cluster(self, options: dict[str, Any]) -> list[Address]:
        try:
            (slots,) = await self._answers(options, ("CLUSTER", "SLOTS"))
        except RedisError as error:
            if "cluster support disabled" in str(error):
                raise Unusable("the server is no cluster: its URL begins with redis://") from error
            raise
        places: list[Address] = []
        for tag in self.tags:
            slot = key_slot(tag.encode())
            for first, last, (host, port, *_), *_ in slots:
                if first <= slot <= last:
                    places.append((host.decode() or options["host"], port))
                    break
            else:
                raise RedisError("the cluster does not serve all slots")
        return places

    async def _ask_sentinel(self, options: dict[str, Any]) -> list[Address]:
        own = {k: v for k, v in options.items() if k not in ("username", "password", "db")}
        if self._sentinel_password:
            own["password"] = self._sentinel_password
        words = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
        try:
            (found,) = await self._answers(own, words)
        except RedisError as error:
            if "unknown command" in str(error):
                raise Unusable("the server is no sentinel: its URL begins with redis://") from error
            raise
        if found is None:
            raise Unusable(f"the sentinels know no service {self.service!r}")
        return [(found[0].decode(), int(found[1]))]

    async def _answers(self, options: dict[str, Any], *commands: tuple[str, ...]) -> list[Any]:
        async with asyncio.timeout(2 * self.patience):
            return await ask_once(_connection(options), *commands)

    def check(self, info: str) -> None:
        """Raises `Unusable` for a server whose INFO says that it will not do."""
        told = told_in(info)
        version = told.get("redis_version", "")
        mode = told.get("redis_mode") or told.get("server_mode")  # Valkey's word
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        if numbers < OLDEST:
            needed = ".".join(map(str, OLDEST))
            raise Unusable(f"Redis {version} is too old: {needed} or newer is needed, or Valkey")
        if mode == "cluster" and self.kind != "cluster":
            raise Unusable("the server is part of a cluster: its URL begins with redis+cluster://")
        if mode == "sentinel":
            raise Unusable(
                "the server is a sentinel: its URL begins with redis+sentinel:// and ends in the name of the service"
            )
        if told.get("role") == "slave" and self.kind == "servers":
            raise Unusable(
                "the server is a replica, which takes no writes: name its master, or its sentinels (redis+sentinel://)"
            )


def told_in(info: str) -> dict[str, str]:
    """What an answer to INFO says, by name."""
    return dict(line.partition(":")[::2] for line in info.splitlines())


async def ask_once(connection: Connection, *commands: tuple[Any, ...]) -> list[Any]:
    """The answers to commands, over a connection of their own. Raises what the server refuses with."""
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
        await connection.send_packed_command(connection.pack_commands(commands))
        return [await connection.read_response() for _ in commands]
    finally:
        await connection.disconnect(nowait=True)


def _options(url: str) -> dict[str, Any]:
    scheme = url.partition("://")[0]
    if scheme not in ("redis", "rediss"):
        raise ValueError(f"{scheme}:// is no scheme of a Redis server")
    try:
        _ = urlsplit(url).port
    except ValueError:  # whose text may hold a part of the password
        raise ValueError(
            f"the host and the port cannot be read: {scheme}://user:password@host:6379, {ESCAPES}"
        ) from None
    options: dict[str, Any] = dict(parse_url(url))
    options.setdefault("host", "127.0.0.1")
    options.setdefault("port", 6379)
    try:
        made = _connection(options)
        if isinstance(made, SSLConnection):
            made.ssl_context.get()
    except TypeError as error:
        name = str(error).rpartition(" ")[2]
        raise ValueError(f"{name} is no option of {scheme}://") from None
    except (RedisError, OSError) as error:
        raise ValueError(f"an option that begins with ssl_ cannot be used: {error}") from None
    return options


def _connection(options: dict[str, Any]) -> Connection:
    """RESP2, whose shapes do not change; no retries of the library's own, which would repeat what may be done."""
    kind = options.get("connection_class", Connection)
    given = {key: value for key, value in options.items() if key != "connection_class"}
    made: Connection = kind(
        **{
            "socket_connect_timeout": TIMEOUT,
            "client_name": "leaderboard",
            **given,
            "socket_timeout": None,  # whoever asks has a limit of its own
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
        }
    )
    return made
