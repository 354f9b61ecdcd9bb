"""python-socketio: a room, and `emit` to it, as its documentation writes it."""

import socketio

sio = socketio.AsyncServer(async_mode="asgi", transports=["websocket"])
app = socketio.ASGIApp(sio)


@sio.event
async def join(sid: str) -> None:
    await sio.enter_room(sid, "board")


@sio.event
async def score(sid: str, snapshot: object) -> None:
    await sio.emit("score", snapshot, room="board")
