"""What both clients do, the one in Python and the one in JavaScript: one table, and each is held to it.

A case is a play of client and server in which time passes at its word and chance always says the most. It is played by
`tests.scripted.play` for leaderboard/client.py, and by tests/browser/world.js for static/js/link.js.

Steps of the server: ``accept`` (a connection, acknowledged, with a promised time-out in ms or none), ``open`` (it is
there, and silent), ``fail`` (nobody answers), ``say`` (a frame), ``mutter`` (what is none), ``break`` (code, reason).
Steps of the program: ``publish``, ``subscribe``, ``close``. ``pass`` lets so many ms go by; ``look`` notes how far the
publishes are.

What is found: ``states`` with the ms at which they were told, the ms of all ``dials``, what was ``said`` over the last
connection, what became of ``publishes`` and, if a subscription ended, by which error (``ended``), versions ``seen``
there and whether they were another life's, and the ``looks``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["CASES", "FINAL", "STATES", "Case"]

STATES = ("connecting", "live", "reconnecting", "offline", "refused", "closed")
FINAL = (
    "UnauthorizedException",
    "Unauthorized",
    "BadRequestException",
    "ResourceNotFound",
    "MaxSubscriptionsReachedError",
    "DuplicatedOperationError",
)
"""Errors after which neither a connection nor a subscription is tried again."""
PASSING = ("LimitExceededError", "InternalFailure", "AuthUnavailable", "EngineUnavailable", "Other")
"""Some of those after which it is."""

BOARD = "/leaderboard/a"
HOUR = 3_600_000
FIRST = 750
"""The longest pause before the first attempt, in ms."""
PAUSES = (750, 1250, 2250, 4250, 8250, 16_250, 30_250, 30_250)
HANDSHAKE = 15_000
SAFE = {"player": "ann", "score": 1, "by": "x", "n": 1}
UNSAFE = {"text": "hello"}

Step = tuple[Any, ...]


@dataclass(frozen=True)
class Case:
    """One play, and what of it has to be found."""

    proves: str
    steps: tuple[Step, ...]
    found: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.proves.replace(" ", "-")


def error(kind: str, name: str, *, after: int | None = None, **members: object) -> Step:
    """The server says no."""
    told = {"errorType": name} | ({} if after is None else {"retryAfterMs": after})
    return ("say", {"type": kind, "errors": [told], **members})


def agrees(id_: str) -> Step:
    return ("say", {"type": "subscribe_success", "id": id_})


def snapshot(id_: str, version: int, epoch: str = "e1") -> Step:
    return ("snapshot", id_, {"version": version, "epoch": epoch, "channel": BOARD})


def _failing() -> tuple[Step, ...]:
    return tuple(step for ms in PAUSES for step in (("pass", ms), ("fail",)))


def _sums(*each: int) -> list[int]:
    return [sum(each[: count + 1]) for count in range(len(each))]


LOST: tuple[Step, ...] = (("accept",), ("break", None, ""), ("pass", FIRST))
"""A link that was up, was lost, and dials again."""

CASES: list[Case] = [
    # -- states --------------------------------------------------------------------------------------------------------
    Case(
        "a blip is not worth a word",
        (*LOST, ("accept",), ("pass", HOUR // 60)),
        {"states": [[0, "live"]], "dials": [0, FIRST]},
    ),
    Case(
        "a loss is told after a second and after ten",
        (
            *(("accept",), ("pass", 5000), ("break", None, ""), ("pass", 12_000)),
            *(("accept",), ("pass", 60_000)),
        ),
        {
            "states": [[0, "live"], [6000, "reconnecting"], [15_000, "offline"], [17_000, "live"]],
            "dials": [0, 5750],
        },
    ),
    Case(
        "a loss on top of another starts no new clock",
        (*LOST, ("fail",), ("pass", 1250), ("fail",), ("pass", 20_000)),
        {"states": [[0, "live"], [1000, "reconnecting"], [10_000, "offline"]]},
    ),
    Case(
        "whoever closes is told so and hears no more",
        (("accept",), ("close",), ("pass", HOUR)),
        {"states": [[0, "live"], [0, "closed"]], "dials": [0]},
    ),
    # -- back-off ------------------------------------------------------------------------------------------------------
    Case(
        "pauses grow up to half a minute",
        (("accept",), ("break", None, ""), *_failing()),
        {"dials": [0, *_sums(*PAUSES)]},
    ),
    Case(
        "pauses begin anew with an acknowledgement",
        (
            *(*LOST, ("fail",), ("pass", 1250), ("fail",), ("pass", 2250), ("accept",)),
            *(("break", None, ""), ("pass", FIRST)),
        ),
        {"dials": [0, 750, 2000, 4250, 5000]},
    ),
    *(
        Case(
            f"a server that restarts says when: {reason}",
            (("accept",), ("break", code, reason), ("pass", first)),
            {"dials": [0, first]},
        )
        for code, reason, first in [
            (1012, "the server restarts, come back in 2.500 s", 2500 + FIRST),
            (1012, "come back in 4 s", 4000 + FIRST),
            (1012, "come back in 99999999 s", 60_000 + FIRST),
            (1012, "come back in 1e9 s", FIRST),
            (1012, "come back in 1.2.3 s", FIRST),
            (1012, "come back in 2 s, or later", FIRST),
            (1012, "the server restarts", FIRST),
            (1013, "come back in 2.5 s", FIRST),
        ]
    ),
    *(
        Case(
            f"a server that is full says when: {after}",
            (
                *(*LOST, ("open",), error("connection_error", "LimitExceededError", after=after)),
                *(("pass", wait + 1250),),
            ),
            {"dials": [0, FIRST, FIRST + wait + 1250]},
        )
        for after, wait in [(None, 0), (4000, 4000), (HOUR, 60_000)]
    ),
    # -- the handshake, and silence ------------------------------------------------------------------------------------
    *(
        Case(
            f"a server that is silent is left after a quarter of a minute: {how}",
            (*LOST, *steps, ("pass", HANDSHAKE + 1250)),
            {"dials": [0, FIRST, FIRST + HANDSHAKE + 1250]},
        )
        for how, steps in [("no socket", ()), ("no word", (("open",),))]
    ),
    Case(
        "silence is borne for a fifth longer than was promised",
        (
            *(("accept", 30_000), ("pass", 30_000), ("say", {"type": "ka"})),
            *(("pass", 36_000 + FIRST - 1),),
        ),
        {"dials": [0], "states": [[0, "live"]]},
    ),
    Case(
        "and no longer",
        (("accept", 30_000), ("pass", 30_000), ("mutter", "no JSON"), ("pass", 36_000 + FIRST)),
        {"dials": [0, 66_000 + FIRST]},
    ),
    Case(
        "who promises nothing has promised five minutes",
        (("accept", None), ("pass", 360_000 + FIRST)),
        {"dials": [0, 360_000 + FIRST]},
    ),
    # -- what ends for good --------------------------------------------------------------------------------------------
    *(
        Case(
            f"after {code} it comes back",
            (("accept",), ("break", code, ""), ("pass", FIRST)),
            {"dials": [0, FIRST], "states": [[0, "live"]]},
        )
        for code in (None, 1000, 1001, 1007, 1009, 1011, 1012, 1013)
    ),
    Case(
        "after 1008 it does not",
        (
            *(("accept",), ("subscribe", BOARD), agrees("1"), ("publish", BOARD, SAFE)),
            *(("break", 1008, "removed by the host"), ("pass", HOUR)),
            *(("publish", BOARD, SAFE), ("subscribe", BOARD), ("close",)),
        ),
        {
            "dials": [0],
            "states": [[0, "live"], [0, "refused"]],
            "publishes": ["ConnectionClosed", "ConnectionClosed"],
            "ended": ["ConnectionClosed", "ConnectionClosed"],
        },
    ),
    *(
        Case(
            f"a connection refused by {name} is over",
            (
                *(("accept",), ("subscribe", BOARD), agrees("1"), ("break", None, "")),
                *(("publish", BOARD, SAFE), ("pass", FIRST), ("open",)),
                *(error("connection_error", name), ("pass", HOUR), ("publish", BOARD, SAFE)),
            ),
            {
                "dials": [0, FIRST],
                "states": [[0, "live"], [FIRST, "refused"]],
                "publishes": [name, name],
                "ended": [name],
            },
        )
        for name in FINAL
    ),
    *(
        Case(
            f"a connection refused by {name} is tried again",
            (*LOST, ("open",), error("connection_error", name), ("pass", 1250), ("accept",)),
            {
                "dials": [0, FIRST, FIRST + 1250],
                "states": [[0, "live"], [1000, "reconnecting"], [2000, "live"]],
            },
        )
        for name in PASSING
    ),
    # -- subscriptions -------------------------------------------------------------------------------------------------
    *(
        Case(
            f"a subscription refused by {name} is over",
            (
                ("accept",),
                ("subscribe", BOARD),
                error("subscribe_error", name, id="1"),
                ("pass", HOUR // 60),
                ("break", None, ""),
                ("pass", FIRST),
                ("accept",),
            ),
            {"ended": [name], "said": ["connection_init"]},
        )
        for name in FINAL
    ),
    *(
        Case(
            f"a subscription refused by {name} is asked for again",
            (
                *(("accept",), ("subscribe", BOARD), agrees("1")),
                *(error("subscribe_error", name, id="1"), ("pass", 750)),
                *(error("subscribe_error", name, id="1", after=4000), ("pass", 5250)),
                *(agrees("1"), error("subscribe_error", name, id="1"), ("pass", 750)),
            ),
            {"ended": [None], "said": ["connection_init", *["subscribe 1"] * 4]},
        )
        for name in PASSING
    ),
    Case(
        "a new connection asks for all at once and no old clock asks again",
        (
            *(("accept",), ("subscribe", BOARD), agrees("1")),
            *(error("subscribe_error", "LimitExceededError", id="1", after=30_000),),
            *(("break", None, ""), ("pass", FIRST), ("accept",), agrees("1"), ("pass", 60_000)),
        ),
        {"ended": [None], "said": ["connection_init", "subscribe 1"]},
    ),
    Case(
        "an older snapshot is passed over and another life is not",
        (
            *(("accept",), ("subscribe", BOARD), agrees("1")),
            *(snapshot("1", 7), snapshot("1", 6), snapshot("1", 7), snapshot("1", 1, "e2")),
        ),
        {"seen": [[7, False], [7, False], [1, True]]},
    ),
    Case(
        "a wildcard tells another life over a break",
        (
            *(("accept",), ("subscribe", "/leaderboard/*"), agrees("1"), snapshot("1", 7)),
            *(("break", None, ""), ("pass", FIRST), ("accept",), agrees("1")),
            *(snapshot("1", 9), snapshot("1", 2, "e2")),
        ),
        {"seen": [[7, False], [9, False], [2, True]]},
    ),
    # -- publishes -----------------------------------------------------------------------------------------------------
    Case(
        "what carries n is sent once more and then no more",
        (
            *(
                ("accept",),
                ("publish", BOARD, SAFE),
                ("break", None, ""),
                ("pass", FIRST),
                ("accept",),
            ),
            *(("look",), ("break", None, ""), ("look",), ("pass", FIRST), ("accept",)),
        ),
        {
            "looks": [[None], ["OutcomeUnknown"]],
            "publishes": ["OutcomeUnknown"],
            "said": ["connection_init"],
        },
    ),
    Case(
        "what is sent again is answered",
        (
            *(
                ("accept",),
                ("publish", BOARD, SAFE),
                ("break", None, ""),
                ("pass", FIRST),
                ("accept",),
            ),
            *(("say", {"type": "publish_success", "id": "1", "successful": [], "failed": []}),),
        ),
        {"publishes": ["ok"], "said": ["connection_init", "publish 1"]},
    ),
    Case(
        "what could count twice is not sent again",
        (
            *(("accept",), ("publish", BOARD, UNSAFE), ("break", None, ""), ("look",)),
            *(("pass", FIRST), ("accept",)),
        ),
        {"looks": [["OutcomeUnknown"]], "said": ["connection_init"]},
    ),
    Case(
        "subscriptions come first and then publishes in their order",
        (
            *(
                ("accept",),
                ("publish", BOARD, SAFE),
                ("break", None, ""),
                ("publish", BOARD, UNSAFE),
            ),
            *(("subscribe", BOARD), ("pass", FIRST), ("accept",)),
        ),
        {"said": ["connection_init", "subscribe 3", "publish 1", "publish 2"]},
    ),
    Case(
        "half a minute without a link is long enough for a publish",
        (
            *(
                ("accept",),
                ("break", None, ""),
                ("publish", BOARD, SAFE),
                ("pass", 29_990),
                ("look",),
            ),
            *(("pass", 20),),
        ),
        {"looks": [[None]], "publishes": ["NotSent"]},
    ),
    Case(
        "half a minute without an answer too",
        (
            *(("accept",), ("publish", BOARD, SAFE), ("pass", 29_990), ("look",), ("pass", 20)),
            *(("break", None, ""), ("pass", FIRST), ("accept",)),
        ),
        {"looks": [[None]], "publishes": ["OutcomeUnknown"], "said": ["connection_init"]},
    ),
    *(
        Case(
            f"the server's no is an answer: {kind}",
            (("accept",), ("publish", BOARD, SAFE), error(kind, "ScoreOutOfRange", id="1")),
            {"publishes": ["ScoreOutOfRange"], "states": [[0, "live"]]},
        )
        for kind in ("publish_error", "error")
    ),
    Case(
        "whoever closes is not left waiting",
        (
            *(("accept",), ("subscribe", BOARD), agrees("1"), ("publish", BOARD, SAFE), ("close",)),
            *(("publish", BOARD, SAFE), ("subscribe", BOARD)),
        ),
        {"publishes": ["Closed", "Closed"], "ended": [None, "Closed"]},
    ),
]
