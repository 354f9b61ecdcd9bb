"""A game server that owns the truth: players say what they do, and only the server says what it is worth.

    LEADERBOARD_KEY=da2-… python game_server.py
    nc 127.0.0.1 9001          and type: ann heads

Each right call is worth one point more than the one before. Only this server may publish, so nobody scores what did not
happen here. It publishes totals: after a restart of the leaderboard a player's next call puts the row back.
"""

import asyncio
import os
import random
from contextlib import closing

from leaderboard.client import Client, ClientError, connect

BOARD = "/leaderboard/coin"
totals: dict[str, int] = {}
streaks: dict[str, int] = {}


def play(player: str, call: str, coin: str) -> int:
    """The player's total after a call: the rules, and the only place where points are made."""
    streaks[player] = streaks.get(player, 0) + 1 if call == coin else 0
    totals[player] = totals.get(player, 0) + streaks[player]
    return totals[player]


async def turn(board: Client, line: str) -> str:
    """What a player's line comes to, in words."""
    player, _, call = line.strip().partition(" ")
    if call not in ("heads", "tails") or not player.isalnum() or len(player) > 20:
        return "say your name and heads or tails, as: ann heads"
    coin = random.choice(["heads", "tails"])
    total = play(player, call, coin)
    try:
        await board.publish(BOARD, {"player": player, "score": total})
    except ClientError as error:
        return f"{coin}; you have {total} (the board does not know yet: {error})"
    return f"{coin}; you have {total}"


async def main() -> None:
    url = os.environ.get("LEADERBOARD_URL", "http://127.0.0.1:8000")
    port = int(os.environ.get("GAME_PORT", "9001"))
    async with connect(url, os.environ["LEADERBOARD_KEY"]) as board:

        async def player(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with closing(writer):
                async for line in reader:
                    said = await turn(board, line.decode(errors="replace"))
                    writer.write(said.encode() + b"\n")

        async with await asyncio.start_server(player, "127.0.0.1", port) as server:
            print(f"playing on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
            await server.serve_forever()


asyncio.run(main())
