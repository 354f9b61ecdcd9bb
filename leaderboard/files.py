"""The static files: pages of other sites may load them, browsers keep them but ask again, text travels compressed.

Their names do not change with their content, hence the asking. What is compressed is kept: a room of phones asks for
the same few files at the same moment.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fastapi import Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Scope

SHRINKS: Final = frozenset({".css", ".js", ".svg"})
"""Kinds of files that compression makes smaller."""


def takes_gzip(headers: Mapping[str, str]) -> bool:
    """Whether the sender of a request says that it can read gzip.

    >>> takes_gzip({"accept-encoding": "br, gzip"}), takes_gzip({"accept-encoding": "gzip;q=0"})
    (True, False)
    """
    accepted = headers.get("accept-encoding", "")
    return re.search(r"\bgzip\b(?!;\s*q=0\b)", accepted) is not None


class Files(StaticFiles):
    """A folder of static files."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self._packed: dict[str, tuple[str, bytes]] = {}
        """By path: the ETag of what was compressed, and what became of it."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """The file, or that it is what the browser has."""
        response: Response = super().file_response(full_path, stat_result, scope, status_code)
        path = Path(full_path)
        headers = {
            "cache-control": "no-cache",
            "x-content-type-options": "nosniff",
            "cross-origin-resource-policy": "cross-origin",
        }
        if path.suffix in SHRINKS:
            headers["vary"] = "accept-encoding"
            # One tag for both forms, so a weak one (RFC 9110, 8.8.3.3).
            etag = response.headers["etag"]
            headers["etag"] = f"W/{etag}"
            if isinstance(response, FileResponse) and takes_gzip(Headers(scope=scope)):
                packed = self._pack(path, etag)
                kept: dict[str, Any] = {"last-modified": response.headers["last-modified"]}
                response = Response(packed, status_code, kept, response.media_type)
                headers["content-encoding"] = "gzip"
        response.headers.update(headers)
        return response

    def _pack(self, path: Path, etag: str) -> bytes:
        before, packed = self._packed.get(str(path), ("", b""))
        if before != etag:
            packed = gzip.compress(path.read_bytes(), 9, mtime=0)
            self._packed[str(path)] = (etag, packed)
        return packed
