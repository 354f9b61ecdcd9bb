"""Whether a process may begin on a server: whether it will do, what its user may, and whose the keys are.

Looked at once, over connections of its own, before the links are made. What is wrong then and will not become better by
waiting is said with what to do; what is wrong for the moment stays the driver's error.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator, Mapping, Sequence

from redis.asyncio.connection import Connection
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from leaderboard.engines import wire
from leaderboard.engines.places import ESCAPES, Address, Places, Unusable, ask_once
from leaderboard.engines.scripts import Script, commands

FORGOTTEN = 20
"""Seconds after which a layout of keys is free when all its processes have ended: scripts/layout.lua."""
_ANOTHER_NAME = (62, 64)  # OpenSSL's codes for a host and for an address
_FOR_ANOTHER = "The URL has to name the server as its certificate does"
_BY_ANOTHER = "Name the file of the authority that has signed it: rediss://…?ssl_ca_certs=ca.pem"
RULE = "docs/scaling.md has the rule for a user that may do all that is needed"


async def inspect(
    places: Places, address: Address, bases: Sequence[str], scripts: Mapping[str, Script]
) -> None:
    """Look at a server that has the partitions whose keys begin so. Raises `Unusable`, `RedisError` or `OSError`."""
    async with asyncio.timeout(5 * places.patience):
        with contextlib.suppress(NoPermissionError):  # then it has to be taken as it is
            infos = await ask_once(
                places.connection(address), ("INFO", "server"), ("INFO", "replication")
            )
            places.check(b"".join(infos).decode())
        asks = [(base, wire.encode({"commands": _commands(places, base)})) for base in bases]
        answers = await _run(scripts["fitness"], places.connection(address), asks)
        for lacking, foreign in map(wire.fitness_of, answers):
            if lacking:
                names = " ".join(sorted(set(lacking)))
                raise Unusable(f"the user may not use {names} on our keys and channels: {RULE}")
            if foreign:
                raise _not_ours(foreign)
        if places.base(0) in bases:
            await _agree_on_layout(places, address, scripts["layout"])


async def _agree_on_layout(places: Places, address: Address, script: Script) -> None:
    """Two layouts share no key, so processes of both would show two boards of each name."""
    key = places.layout_key()
    try:
        (found,) = await _run(script, places.connection(address), [(key, places.layout.encode())])
    except ResponseError as error:
        if "WRONGTYPE" in str(error):
            raise _not_ours([key]) from error
        raise
    if found.decode() != places.layout:
        raise Unusable(
            f"processes of another version, which keep boards in another way ({found.decode()}, not {places.layout}),"
            f" use this Redis: end them and wait {FORGOTTEN} seconds, or name another Redis"
        )


async def _run(
    script: Script, connection: Connection, asks: Sequence[tuple[str, bytes]]
) -> list[bytes]:
    load = ("SCRIPT", "LOAD", script.text)
    runs = [("EVALSHA", script.sha, 1, key, ask) for key, ask in asks]
    return (await ask_once(connection, load, *runs))[1:]


def _not_ours(keys: Sequence[str]) -> Unusable:
    return Unusable(
        f"these keys are another program's: {' '.join(keys)}. Rename or delete them, or name another Redis"
    )


def _commands(places: Places, base: str) -> list[tuple[str, ...]]:
    """All commands that a process uses, each with an argument that stands for those that it will have."""
    channels = (f"{base}:poke", f"{base}:relay")
    return [
        ("PING",),
        ("GET", places.layout_key()),
        *((command, f"{base}:ctl") for command in commands()),
        *((places.publish, channel, "") for channel in channels),
        *((places.subscribe, channel) for channel in channels),
    ]


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """What a server says to a user or of a certificate that will not do is raised as `Unusable`."""
    try:
        yield
    except AuthenticationError as error:
        if "required" in str(error):
            raise Unusable("the server wants a password: redis://user:password@host") from error
        raise Unusable(
            f"the server does not take this user and password ({error}): they are in the URL, {ESCAPES}"
        ) from error
    except NoPermissionError as error:
        raise Unusable(f"{error}: {RULE}") from error
    except RedisError as error:
        trouble = error.__context__
        if "CERTIFICATE_REQUIRED" in str(error):
            raise Unusable(
                "the server wants to see a certificate: rediss://…?ssl_certfile=own.pem&ssl_keyfile=own-key.pem"
            ) from error
        if isinstance(trouble, ssl.SSLCertVerificationError):
            raise Unusable(
                f"the server's certificate is not trusted: {trouble.verify_message.rstrip('.')}."
                f" {_FOR_ANOTHER if trouble.verify_code in _ANOTHER_NAME else _BY_ANOTHER}"
            ) from error
        raise
