"""leaderboard.addresses: what other devices are told to open."""

from __future__ import annotations

import pytest

from leaderboard.addresses import for_others, lan_address
from leaderboard.settings import Settings


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({"public_url": "https://scores.example", "host": "127.0.0.1"}, "https://scores.example"),
        ({"host": "127.0.0.1"}, ""),
        ({"host": "::1"}, ""),
        ({"host": "localhost"}, ""),
        ({"host": "192.0.2.7"}, "http://192.0.2.7:8123"),
        ({"host": "2001:db8::7"}, "http://[2001:db8::7]:8123"),
        ({"host": "scores.example"}, "http://scores.example:8123"),
    ],
)
def test_others_get_the_address_that_is_open_to_them(
    settings: dict[str, str], address: str
) -> None:
    assert for_others(Settings(**settings), 8123) == address  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_server_on_all_addresses_is_found_in_its_network(host: str) -> None:
    lan = lan_address()
    assert for_others(Settings(host=host), 8123) == (f"http://{lan}:8123" if lan else "")
