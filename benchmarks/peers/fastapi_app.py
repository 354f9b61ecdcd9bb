"""FastAPI's documented broadcast: a connection manager, and a loop that awaits every `send`.

`/ws` is who listens. What comes in at `/publish` goes to all of them as it is, at `/publish-json` as a value that is
encoded for each. `/ingest` is AppSync's publish without a fan-out: two levels of JSON in, a dictionary, JSON out.
"""

import json
import uuid

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class ConnectionManager:
    def __init__(self) -> None:
        self.active_connections: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active_connections.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        self.active_connections.remove(websocket)

    async def broadcast(self, message: str) -> None:
        for connection in self.active_connections:
            await connection.send_text(message)

    async def broadcast_json(self, message: object) -> None:
        for connection in self.active_connections:
            await connection.send_json(message)


manager = ConnectionManager()


@app.websocket("/ws")
async def listen(websocket: WebSocket) -> None:
    await manager.connect(websocket)
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        manager.disconnect(websocket)


@app.websocket("/publish")
async def publish(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await manager.broadcast(await websocket.receive_text())
        await websocket.send_text("ok")


@app.websocket("/publish-json")
async def publish_json(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await manager.broadcast_json(await websocket.receive_json())
        await websocket.send_text("ok")


scores: dict[str, float] = {}


@app.websocket("/ingest")
async def ingest(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        message = await websocket.receive_json()
        successful = []
        for index, text in enumerate(message["events"]):
            event = json.loads(text)
            scores[event["player"]] = event["score"]
            successful.append({"identifier": str(uuid.uuid4()), "index": index})
        await websocket.send_json(
            {
                "type": "publish_success",
                "id": message["id"],
                "successful": successful,
                "failed": [],
            }
        )
