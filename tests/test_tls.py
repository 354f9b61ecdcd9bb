"""TLS: a certificate of one's own, or one made on the spot, so that clients that insist on wss:// work."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from pathlib import Path

import httpx
import pytest
import trustme

from leaderboard import certificates
from leaderboard.settings import ConfigError, Settings
from tests.appsync import connect
from tests.conftest import ADMIN
from tests.processes import serve

BOARD = "/leaderboard/arcade"


async def test_a_development_certificate_is_trusted_by_who_trusts_its_authority(
    tmp_path: Path,
) -> None:
    async with serve("--tls", "dev") as server:
        url = await server.url()
        assert url.startswith("https://127.0.0.1:")
        await server.says("ca.pem")
        async with httpx.AsyncClient(verify=False) as stranger:  # noqa: S501, it asks whom to trust
            authority = tmp_path / "ca.pem"
            authority.write_bytes((await stranger.get(f"{url}/-/ca.pem")).content)
        trusting = ssl.create_default_context(cafile=str(authority))
        async with httpx.AsyncClient(verify=trusting) as client:
            assert (await client.get(f"{url}/healthz")).json() == {"status": "ok"}
            body = {"channel": BOARD, "events": ['{"player":"ann","score":7}']}
            answer = await client.post(f"{url}/event", json=body, headers={"x-api-key": ADMIN})
            assert len(answer.json()["successful"]) == 1
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            async with httpx.AsyncClient() as wary:
                await wary.get(url)
        watch = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "leaderboard", "watch", BOARD, "--url", url, "--count", "1",
            stdout=asyncio.subprocess.PIPE, env={**os.environ, "SSL_CERT_FILE": str(authority)},
        )  # fmt: skip
        said, _ = await watch.communicate()
        assert b"ann 7" in said
        socket = url.replace("https", "wss") + "/event/realtime"
        async with connect(socket, ADMIN, ssl=trusting) as raw:
            assert await raw.alive()
        assert await server.ends() == 0
        assert "BEGIN" not in server.said


async def test_a_certificate_of_ones_own_is_served(tmp_path: Path) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    made.cert_chain_pems[0].write_to_path(chain)
    made.private_key_pem.write_to_path(key)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with (
        serve(tls_cert=str(chain), tls_key=str(key)) as server,
        httpx.AsyncClient(verify=trusting) as client,
    ):
        url = await server.url()
        assert (await client.get(f"{url}/healthz")).status_code == 200
        assert (await client.get(f"{url}/-/ca.pem")).status_code == 404


def test_a_certificate_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tls_cert: /no/such/file.*: No such file"):
        certificates.context(Settings(tls_cert="/no/such/file"), None)
    broken = tmp_path / "broken.pem"
    broken.write_text("none")
    with pytest.raises(ConfigError, match="tls_cert: "):
        certificates.context(Settings(tls_cert=str(broken)), None)


def test_a_key_without_its_certificate_is_refused() -> None:
    with pytest.raises(ValueError, match="tls_key needs the tls_cert"):
        Settings(tls_key="key.pem")
