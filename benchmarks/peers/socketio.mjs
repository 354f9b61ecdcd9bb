// Socket.IO: a room, and `emit` to it, as its documentation writes it.

import { Server } from "socket.io";

const io = new Server({ transports: ["websocket"] });

io.on("connection", (socket) => {
  socket.on("join", (done) => {
    socket.join("board");
    done();
  });
  socket.on("score", (snapshot, done) => {
    io.to("board").emit("score", snapshot);
    done();
  });
});

io.listen(Number(process.argv[2]));
