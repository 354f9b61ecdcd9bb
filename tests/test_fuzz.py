"""Some of the hostile input of `tests.fuzz`, always the same; ``python -m tests.fuzz`` has a million."""

from __future__ import annotations

import logging

import pytest

from tests import fuzz


async def test_no_input_is_a_server_error_and_every_board_agrees_with_itself() -> None:
    done = await fuzz.in_process(8_000, seed=7)
    assert min(done.values()) > 30, "every kind had its share"


@pytest.mark.parametrize("plain_asgi", [False, True], ids=["direct", "plain"])
async def test_no_bytes_on_a_socket_are_a_server_error(plain_asgi: bool) -> None:
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    done = await fuzz.over_sockets(200, seed=7, plain_asgi=plain_asgi)
    assert sum(done.values()) == 200
