"""socketify, uWebSockets in Python: `publish` to a topic, which its C++ fans out."""

import sys

from socketify import App, OpCode

app = App()


def listening(ws):
    ws.subscribe("board")


def publishing(ws, message, opcode):
    app.publish("board", message, OpCode.TEXT)
    ws.send("ok", OpCode.TEXT)


app.ws("/ws", {"open": listening, "idle_timeout": 0, "max_backpressure": 64 * 1024})
app.ws("/publish", {"message": publishing, "idle_timeout": 0})
app.listen(int(sys.argv[1]))
app.run()
