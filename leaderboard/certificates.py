"""A certificate made on the spot, so that clients which insist on TLS work on a laptop.

It is signed by an authority that lives as long as the process and has signed nothing else: who trusts that (it is
served at `/-/ca.pem`) trusts this run. For more than development there are the settings ``tls_cert`` and ``tls_key``.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import tempfile
from dataclasses import dataclass
from urllib.parse import urlsplit

from leaderboard.addresses import lan_address
from leaderboard.settings import DEV, ConfigError, Settings

INSTALL = "pip install 'live-leaderboard[tls]'"


@dataclass(frozen=True, slots=True)
class Made:
    """Private key and chain of a development certificate, and who has signed it; all PEM. It may be handed on."""

    chain: bytes
    authority: bytes


def make(settings: Settings) -> Made:
    """A certificate for all names of this machine; raises `ConfigError` where the library for it is missing."""
    try:
        import trustme
    except ImportError:
        raise ConfigError(f"a development certificate needs the extra `tls`: {INSTALL}") from None
    authority = trustme.CA(organization_name="leaderboard, for this run alone")
    certificate = authority.issue_cert(*_names(settings), organization_name="leaderboard")
    return Made(certificate.private_key_and_cert_chain_pem.bytes(), authority.cert_pem.bytes())


def _names(settings: Settings) -> list[str]:
    public = urlsplit(settings.public_url).hostname
    found = ["localhost", "127.0.0.1", "::1", socket.gethostname(), lan_address(), public]
    try:
        address = ipaddress.ip_address(settings.host)
        found.append(None if address.is_unspecified else settings.host)
    except ValueError:
        found.append(settings.host)
    return list(dict.fromkeys(name for name in found if name))


def context(settings: Settings, made: Made | None) -> ssl.SSLContext | None:
    """What to serve TLS with; None for plain HTTP. Raises `ConfigError` for files that are none."""
    if not settings.tls_cert:
        return None
    found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if settings.tls_cert == DEV and made is not None:
        _load(found, made)
        return found
    try:
        found.load_cert_chain(settings.tls_cert, settings.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        files = " and ".join(filter(None, (settings.tls_cert, settings.tls_key)))
        raise ConfigError(f"tls_cert: {files}: {error.strerror or error}") from None
    return found


def _load(found: ssl.SSLContext, made: Made) -> None:
    """Python's ssl takes a key from a file alone: where there is one in memory (Linux), nothing reaches a disk."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("leaderboard-tls", os.MFD_CLOEXEC)
        try:
            os.write(handle, made.chain)
            found.load_cert_chain(f"/proc/self/fd/{handle}")
        finally:
            os.close(handle)
        return
    with tempfile.NamedTemporaryFile() as file:  # pragma: no cover - not on Linux
        file.write(made.chain)
        file.flush()
        found.load_cert_chain(file.name)
