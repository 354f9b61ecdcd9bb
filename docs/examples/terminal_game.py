"""A game in the terminal: add up as fast as you can for twenty seconds, and see where it takes you.

    LEADERBOARD_KEY=da2-… python terminal_game.py ann

A right sum is worth a point for each of its digits; an empty line gives up. The best game of each player counts. With
`LEADERBOARD_TOKEN`, as of `leaderboard token --channel /leaderboard/sums --player ann`, a player needs no key.
"""

import asyncio
import os
import random
import sys
import time

from leaderboard.client import connect

BOARD = "/leaderboard/sums"
SECONDS = float(os.environ.get("SECONDS_OF_PLAY", "20"))


def question(right: int) -> tuple[str, int]:
    """A sum that grows with what was right so far, and its answer."""
    most = 10 * 2 ** (right // 3)
    a, b = random.randint(1, most), random.randint(1, most)
    return f"{a} + {b} = ", a + b


async def play(player: str) -> None:
    url = os.environ.get("LEADERBOARD_URL", "http://127.0.0.1:8000")
    key, token = os.environ.get("LEADERBOARD_KEY"), os.environ.get("LEADERBOARD_TOKEN")
    async with connect(url, key, token=token) as client:
        score = right = 0
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            asked, answer = question(right)
            # In a thread: meanwhile the client keeps its connection alive.
            said = await asyncio.to_thread(input, asked)
            if not said:
                break
            if said.strip() != str(answer):
                print(f"  no, {answer}")
                continue
            if time.monotonic() > end:
                print("  too late")
                continue
            right += 1
            score += len(said.strip())
            event = {"player": player, "score": score}
            results = (await client.publish(BOARD, event, results=True)).results
            if results and results[0]:
                print(f"  {score} points, rank {results[0].rank}")
        async with client.subscribe(BOARD, top=5) as board:
            snapshot = await anext(board)
        print(f"\nOver with {score} points.")
        for row in snapshot.rows or ():
            print(f"{row.rank:>3}  {row.name or row.player:<20} {row.score:>6}")


asyncio.run(play(sys.argv[1]))
