"""picows: a WebSocket server in Cython, and a loop over its transports."""

import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

subscribers: set[WSTransport] = set()


class Client(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        else:
            self.on_message(transport, frame.get_payload_as_bytes())

    def on_message(self, transport: WSTransport, payload: bytes) -> None:
        """Only publishers have something to say."""


class Subscriber(Client):
    def on_ws_connected(self, transport: WSTransport) -> None:
        subscribers.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        subscribers.discard(transport)


class Publisher(Client):
    def on_message(self, transport: WSTransport, payload: bytes) -> None:
        for subscriber in subscribers:
            subscriber.send(WSMsgType.TEXT, payload)
        transport.send(WSMsgType.TEXT, b"ok")


def role(request: WSUpgradeRequest) -> WSListener:
    return Publisher() if request.path == b"/publish" else Subscriber()


async def main(port: int) -> None:
    server = await ws_create_server(role, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


uvloop.run(main(int(sys.argv[1])))
