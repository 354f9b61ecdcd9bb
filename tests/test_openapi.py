"""The OpenAPI document keeps its word: Schemathesis asks all that it says can be asked, rightly and wrongly."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import ADMIN, running

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.mark.timeout(180)
async def test_every_operation_answers_as_it_is_described(tmp_path: Path) -> None:
    limits = {"joins_per_second": 0, "rooms": 10}
    async with running(limits=limits) as server:
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("schemathesis")), "run", "--no-color"),
            *("--seed", "1", "--max-examples", "6", "--generation-database", "none"),
            *("--checks", ",".join(CHECKS), "--header", f"x-api-key: {ADMIN}"),
            f"{server.url}/openapi.json",
            cwd=tmp_path,
            env={**os.environ, "NO_PROXY": "127.0.0.1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        metrics = server.app.state.broker.metrics
        assert process.returncode == 0, said.decode()
        assert metrics["5XXError"] == 0
        assert metrics["Requests"] > 200, "it has asked"
