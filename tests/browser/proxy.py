"""What stands between a browser and a server in a bad network: a forwarder that stops upgrades, or cuts."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards to port ``target`` of this machine; without ``upgrades`` it refuses WebSockets, as many a proxy does."""

    def __init__(self, target: int = 0, *, upgrades: bool = True) -> None:
        self.target = target
        self._upgrades = upgrades
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._forgotten: set[socket.socket] = set()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End all that is open, without a word."""
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._sockets.clear()

    def forget(self) -> None:
        """Pass on nothing more of what is open, and tell nobody: so do networks that a sleeping device was in."""
        self._forgotten.update(self._sockets)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            head = client.recv(65536)
            if b"upgrade: websocket" in head.lower() and not self._upgrades:
                client.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            self._sockets.append(server)
            server.sendall(head)
            threading.Thread(target=self._forward, args=(server, client), daemon=True).start()
            self._forward(client, server)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source not in self._forgotten:
                    target.sendall(data)
            if source not in self._forgotten:
                target.shutdown(socket.SHUT_RDWR)
