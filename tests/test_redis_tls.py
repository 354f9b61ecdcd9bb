"""Redis over TLS: by the file of an authority, with a certificate of one's own; and what is not trusted is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
import trustme

from leaderboard.engines.redis import RedisEngine
from leaderboard.settings import Limits
from tests.engines import Clock, World, eventually, score
from tests.redis_server import RedisServer, free_port
from tests.test_redis_faults import refusal_of


class Encrypted:
    """A server that speaks TLS at a port, and the files of whom it and we may trust."""

    def __init__(self, folder: Path, name: str = "127.0.0.1") -> None:
        authority = trustme.CA()
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.authority)
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        made = authority.issue_cert(name)
        made.cert_chain_pems[0].write_to_path(self.certificate)
        made.private_key_pem.write_to_path(self.key)
        self.port = free_port()
        self._folder = folder

    @contextmanager
    def running(self, *options: str) -> Iterator[RedisServer]:
        encryption = (
            *("--tls-port", str(self.port), "--tls-ca-cert-file", str(self.authority)),
            *("--tls-cert-file", str(self.certificate), "--tls-key-file", str(self.key)),
        )
        with RedisServer(self._folder, *encryption, *options) as server:
            yield server

    def url(self, scheme: str = "rediss", **files: Path) -> str:
        # On a busy machine a second is no time, and the authorities that a system trusts take some of it to read.
        patience = {"socket_timeout": 20, "socket_connect_timeout": 20}
        query = urlencode({**patience, **{name: str(path) for name, path in files.items()}})
        return f"{scheme}://127.0.0.1:{self.port}?{query}"


@pytest.fixture
def encrypted(tmp_path: Path) -> Encrypted:
    return Encrypted(tmp_path)


async def works(url: str) -> None:
    """What one process publishes, another hears of and reads."""
    worlds = [World(RedisEngine(url, Limits()), Clock()) for _ in range(2)]
    one, other = worlds
    for world in worlds:
        await world.engine.start()
    await one.publish("/a/x", score("ann", 5))
    await one.relay("/r/x", "hello")
    await eventually(lambda: other.changed["/a/x"] > 0 and len(other.relayed) == 1)
    assert await other.scores("/a/x") == [("ann", 5)]
    for world in worlds:
        await world.engine.stop()


async def test_a_server_is_trusted_by_the_file_of_its_authority(encrypted: Encrypted) -> None:
    with encrypted.running("--tls-auth-clients", "no"):
        await works(encrypted.url(ssl_ca_certs=encrypted.authority))


async def test_a_cluster_is_followed_over_tls(encrypted: Encrypted) -> None:
    options = ("--cluster-enabled", "yes", "--tls-cluster", "yes", "--tls-auth-clients", "no")
    with encrypted.running(*options) as server:
        await server.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        async with asyncio.timeout(30):
            while b"cluster_state:ok" not in await server.ask("CLUSTER", "INFO"):
                pass
        await works(encrypted.url("rediss+cluster", ssl_ca_certs=encrypted.authority))


async def test_a_server_that_wants_to_know_its_clients_is_shown_a_certificate(
    encrypted: Encrypted,
) -> None:
    with encrypted.running("--tls-auth-clients", "yes"):
        known = encrypted.url(
            ssl_ca_certs=encrypted.authority,
            ssl_certfile=encrypted.certificate,
            ssl_keyfile=encrypted.key,
        )
        await works(known)
        unknown = encrypted.url(ssl_ca_certs=encrypted.authority)
        assert "wants to see a certificate: rediss://…?ssl_certfile" in await refusal_of(unknown)


async def test_a_server_that_is_not_trusted_is_refused_at_once(encrypted: Encrypted) -> None:
    with encrypted.running("--tls-auth-clients", "no"):
        said = await refusal_of(encrypted.url())
        assert "certificate is not trusted: self-signed certificate in certificate chain." in said
        assert "rediss://…?ssl_ca_certs=ca.pem" in said


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    encrypted = Encrypted(tmp_path, "elsewhere.example")
    with encrypted.running("--tls-auth-clients", "no"):
        said = await refusal_of(encrypted.url(ssl_ca_certs=encrypted.authority))
        assert "is not valid for '127.0.0.1'. The URL has to name the server" in said


async def test_where_one_speaks_tls_and_the_other_does_not_it_is_asked_for(
    encrypted: Encrypted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaderboard.engines.servers.START", 0.3)
    with encrypted.running("--tls-auth-clients", "no") as server:
        plain = f"{server.url.replace('redis', 'rediss')}?socket_connect_timeout=0.5"
        for url in (plain, f"redis://127.0.0.1:{encrypted.port}"):
            assert "with TLS (rediss://) or without (redis://)" in await refusal_of(url)
