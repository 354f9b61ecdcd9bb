"""The floor under every server: greets in Python, then sends one frame to every socket, again and again, in C.

usage: floor.py PORT SUBSCRIBERS PAYLOAD-FILE FRAMES-PER-WRITE
"""

import ctypes
import hashlib
import socket
import sys
from base64 import b64encode
from pathlib import Path

LIBRARY = Path(__file__).parents[1] / ".build" / "floor.so"
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


def upgrade(client: socket.socket) -> bool:
    """Answer a handshake; False if the client left."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        received = client.recv(4096)
        if not received:
            return False
        request += received
    fields = (line.partition(b":") for line in request.split(b"\r\n")[1:])
    key = next(value.strip() for name, _, value in fields if name.lower() == b"sec-websocket-key")
    accept = b64encode(hashlib.sha1(key + MAGIC, usedforsecurity=False).digest())
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    return True


def main(port: int, subscribers: int, payload: bytes, copies: int) -> None:
    # A final text frame of 126 to 65,535 bytes.
    frame = bytes((0x81, 126)) + len(payload).to_bytes(2) + payload
    fan_out = ctypes.CDLL(str(LIBRARY)).fan_out
    clients: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", port), backlog=2048) as server:
        while len(clients) < subscribers:
            client, _ = server.accept()
            if upgrade(client):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients.append(client)
    sockets = (ctypes.c_int * subscribers)(*(client.fileno() for client in clients))
    while fan_out(sockets, subscribers, frame * copies, ctypes.c_long(len(frame) * copies)) == 0:
        pass


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).read_bytes(), int(sys.argv[4]))
