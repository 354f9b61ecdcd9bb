"""WebSocket frames as this server writes them: unmasked, final, text (RFC 6455, 5.2)."""

from __future__ import annotations

import struct

_SHORT = struct.Struct("!BBH")
_LONG = struct.Struct("!BBQ")


def header(size: int) -> bytes:
    """The header of a frame with so many bytes of text."""
    if size < 126:
        return bytes((0x81, size))
    if size < 0x10000:
        return _SHORT.pack(0x81, 126, size)
    return _LONG.pack(0x81, 127, size)


def text_of(frame: bytes) -> bytes:
    """The text inside a frame, for a server that makes its own headers."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


class Spliced(dict[bytes, bytes]):
    """Frames that begin differently and end alike, by their beginning: ``frames[beginning]``.

    Many clients name their subscriptions alike, and then get the very same bytes; who invents an id for each would fill
    this without ever hitting it, so only the first few are kept.
    """

    __slots__ = ("_end", "_header", "_size")
    KEPT = 64

    def __init__(self, end: bytes) -> None:
        super().__init__()
        self._end = end
        self._size = -1
        self._header = b""

    def __missing__(self, beginning: bytes) -> bytes:
        size = len(beginning)
        if size != self._size:  # ids of one client library are all of one length
            self._size = size
            self._header = header(size + len(self._end))
        frame = self._header + beginning + self._end
        if len(self) < self.KEPT:
            self[beginning] = frame
        return frame
