"""Where a server can be reached, and by whom."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from leaderboard.settings import Settings


def for_others(settings: Settings, port: int) -> str:
    """The address that other devices can open, without a slash at the end; "" if only this machine can connect.

    ``port`` is the one that is listened on. Whether something on the way stops them, only they can tell.
    """
    if settings.public_url:
        return settings.public_url
    scheme = "https" if settings.tls_cert else "http"
    try:
        address = ipaddress.ip_address(settings.host)
    except ValueError:
        return "" if settings.host == "localhost" else f"{scheme}://{settings.host}:{port}"
    if address.is_loopback:
        return ""
    if address.is_unspecified:
        lan = lan_address()
        return f"{scheme}://{lan}:{port}" if lan else ""
    shown = f"[{address}]" if address.version == 6 else str(address)
    return f"{scheme}://{shown}:{port}"


def lan_address() -> str | None:
    """This machine's address in its network. Connecting a datagram socket picks a route and sends nothing."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("10.255.255.255", 1))
        address = str(probe.getsockname()[0])
        return None if ipaddress.ip_address(address).is_loopback else address
    return None
