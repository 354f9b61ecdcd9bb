"""The board against a model too plain to be wrong: a list in the order of who got there first, sorted at every look.

Every step applies a batch, or lets time pass, and compares all that can be seen of the board with the model. Each
combination of mode, order and tie rule has a machine of its own, so that none is left to chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from leaderboard.board import Applied, Board
from leaderboard.errors import BoardFull, Refusal, ScoreOutOfRange, TooOld, WrongRound
from leaderboard.events import Remove, Score
from leaderboard.ranking import View, Window
from leaderboard.retries import LAPSE, SENDERS, WIDTH
from leaderboard.settings import MAX_SCORE, Namespace
from tests.naive import Line, Standing

MODES = ("best", "latest", "sum")
ORDERS = ("desc", "asc")
TIES = ("competition", "ordinal")

PLAYERS = ("ann", "bob", "cid", "dee", "eve", "🦊")
SENDER_IDS = ("", "a", "b", "c", "d", "e")


# -- the model ---------------------------------------------------------------------------------------------------------


@dataclass
class Sent:
    """What the model knows of one sender: every `n` that was applied."""

    numbers: set[int] = field(default_factory=set)
    used: float = 0.0


@dataclass
class Naive:
    """The rules of a board, without an index."""

    rules: Namespace
    version: int = 0
    lines: list[Line] = field(default_factory=list)
    sent: dict[tuple[str, str], Sent] = field(default_factory=dict)
    """In the order of last use."""

    def apply(self, events: list[Score | Remove], now: float, capacity: float) -> list[object]:
        room = min(self.rules.max_entries, capacity)
        before = list(self.lines)
        changed = False
        answers: list[object] = []
        for event in events:
            lines = list(self.lines)
            answer = (
                self.score(event, now, room) if isinstance(event, Score) else self.remove(event)
            )
            answers.append(answer)
            changed = changed or lines != self.lines
        self.version += changed
        assert before == self.lines or changed
        return answers

    def score(self, event: Score, now: float, room: float) -> object:
        if event.n is not None and (seen := self.seen(event, event.n, now)) is not None:
            return seen
        if event.round not in (None, 1):
            return WrongRound
        if event.score < self.rules.min_score or event.score > self.rules.max_score:
            return ScoreOutOfRange
        old = self.line(event.player)
        if old is None:
            if len(self.lines) >= room:
                return BoardFull
            line = Line(event.player, event.score, event.name, event.meta)
        else:
            score = {
                "latest": event.score,
                "sum": old.score + event.score,
                "best": self.better(event.score, old.score),
            }[self.rules.mode]
            if abs(score) > MAX_SCORE:
                return ScoreOutOfRange
            line = replace(
                old,
                score=score,
                name=old.name if event.name is None else event.name,
                meta=old.meta if event.meta is None else event.meta,
            )
        if old is None or line.score != old.score:
            self.lines = [other for other in self.lines if other != old] + [line]
        else:
            self.lines = [line if other == old else other for other in self.lines]
        changed = line != old
        if event.n is not None:
            self.note(event, event.n, now)
        return Applied(event.player, line.score, changed=changed)

    def remove(self, event: Remove) -> Applied:
        there = self.line(event.player) is not None
        self.lines = [line for line in self.lines if line.player != event.player]
        return Applied(event.player, None, changed=there)

    def better(self, one: float, other: float) -> float:
        return max(one, other) if self.rules.order == "desc" else min(one, other)

    def seen(self, event: Score, n: int, now: float) -> object:
        self.sent = {key: sent for key, sent in self.sent.items() if now - sent.used < LAPSE}
        sent = self.sent.get((event.player, event.by))
        if sent is None or n > max(sent.numbers):
            return None
        if n < max(sent.numbers) - WIDTH:
            return TooOld
        if n not in sent.numbers:
            return None
        line = self.line(event.player)
        return Applied(event.player, None if line is None else line.score, duplicate=True)

    def note(self, event: Score, n: int, now: float) -> None:
        key = (event.player, event.by)
        if key not in self.sent:
            of_player = [other for other in self.sent if other[0] == event.player]
            if len(of_player) == SENDERS:
                del self.sent[of_player[0]]
            elif len(self.sent) == self.rules.max_entries * SENDERS:
                del self.sent[next(iter(self.sent))]
        sent = self.sent.pop(key, Sent())
        sent.numbers.add(n)
        sent.used = now
        self.sent[key] = sent

    # looking

    def line(self, player: str) -> Line | None:
        return next((line for line in self.lines if line.player == player), None)

    @property
    def standing(self) -> Standing:
        return Standing(self.rules, self.lines)


# -- the machine -------------------------------------------------------------------------------------------------------

# Few values, so that ties, repeats and returns to an old score are common; then the edges of the range.
scores = st.one_of(
    st.sampled_from([0.0, 1.0, 2.0, 3.0, -1.0, -0.0]),
    st.sampled_from([0.1, 0.2, 0.5, -0.5, 1e-7, 1e15]),
    st.sampled_from([MAX_SCORE, MAX_SCORE - 1, -MAX_SCORE, 2.0**52]),
)
# All distances about the window's width, from the first `n` on.
numbers = st.sampled_from([1, 2, 3, 4, 33, 34, 35, 36, 66, 67, 2**53 - 1])
players = st.sampled_from(PLAYERS)
events: st.SearchStrategy[Score | Remove] = st.one_of(
    st.builds(
        Score,
        player=players,
        score=scores,
        name=st.sampled_from([None, None, "Ann", "Bob"]),
        meta=st.sampled_from([None, None, '{"team":1}', "{}"]),
    ),
    st.builds(
        Score,
        player=st.sampled_from(PLAYERS[:2]),
        score=scores,
        by=st.sampled_from(SENDER_IDS),
        n=numbers,
        round=st.sampled_from([None, None, None, 1, 2]),
    ),
    st.builds(Score, player=players, score=scores, by=st.sampled_from(SENDER_IDS), n=numbers),
    st.builds(Remove, players),
)
pauses = st.sampled_from([0.0, 0.0, 0.25, LAPSE - 1, LAPSE, LAPSE + 1])


class BoardMachine(RuleBasedStateMachine):
    mode: str
    order: str
    ties: str

    @initialize(
        max_entries=st.sampled_from([1, 3, 4, 100]),
        bounds=st.sampled_from([(-MAX_SCORE, MAX_SCORE), (-MAX_SCORE, MAX_SCORE), (-0.5, 2.0)]),
    )
    def open(self, max_entries: int, bounds: tuple[float, float]) -> None:
        rules = Namespace.model_validate(
            {
                "mode": self.mode,
                "order": self.order,
                "ties": self.ties,
                "max_entries": max_entries,
                "min_score": bounds[0],
                "max_score": bounds[1],
            }
        )
        self.board = Board(rules, epoch="e")
        self.model = Naive(rules)
        self.now = 1_000_000.0

    @rule(batch=st.lists(events, min_size=1, max_size=5), pause=pauses)
    def publish(self, batch: list[Score | Remove], pause: float) -> None:
        self.apply(batch, pause, capacity=math.inf)

    @rule(batch=st.lists(events, min_size=1, max_size=5), capacity=st.integers(0, 6))
    def publish_where_the_server_has_little_room(
        self, batch: list[Score | Remove], capacity: int
    ) -> None:
        self.apply(batch, 0.0, capacity)

    @precondition(lambda self: self.model.sent)
    @rule(
        data=st.data(),
        distance=st.sampled_from([0, 0, 1, 2, WIDTH - 1, WIDTH, WIDTH + 1]),
        pause=pauses,
    )
    def send_again(self, data: st.DataObject, distance: int, pause: float) -> None:
        """A known sender repeats an `n`, or sends one that was overtaken."""
        player, by = data.draw(st.sampled_from(list(self.model.sent)))
        n = max(self.model.sent[player, by].numbers) - distance
        if n >= 1:
            self.apply([Score(player=player, score=data.draw(scores), by=by, n=n)], pause, math.inf)

    def apply(self, batch: list[Score | Remove], pause: float, capacity: float) -> None:
        self.now += pause
        version = self.board.version
        outcomes = self.board.apply(batch, self.now, capacity)
        expected = self.model.apply(batch, self.now, capacity)
        assert [type(item) if isinstance(item, Refusal) else item for item in outcomes] == expected
        changed = any(isinstance(item, Applied) and item.changed for item in outcomes)
        assert self.board.version == version + changed

    @invariant()
    def nothing_contradicts_itself(self) -> None:
        self.board._check()
        assert self.board.epoch == "e"
        assert self.board.version == self.model.version
        assert len(self.board) == len(self.model.lines)

    def view(self, **what: Any) -> Window:
        return self.board.view(View(**what))

    @invariant()
    def every_list_from_every_offset_is_the_models(self) -> None:
        rows = self.model.standing.rows()
        for offset in range(len(rows) + 2):
            for count in (1, 2, 100):
                assert self.view(top=count, offset=offset).rows == rows[offset : offset + count]

    @invariant()
    def every_neighbourhood_is_the_models(self) -> None:
        for player in PLAYERS:
            for radius in (0, 1, 2, 3, 50):
                assert self.view(around=player, radius=radius).around == self.model.standing.around(
                    player, radius
                )

    @invariant()
    def every_choice_of_players_is_the_models(self) -> None:
        for players in (PLAYERS, PLAYERS[::-1], PLAYERS[1:3], ("nobody",)):
            assert self.view(of=players).of == self.model.standing.of(players)

    @invariant()
    def every_single_player_is_the_models(self) -> None:
        ranks = {row.player: row.rank for row in self.model.standing.rows()}
        for player in PLAYERS:
            line = self.model.line(player)
            assert self.board.score(player) == (None if line is None else line.score)
            assert self.board.rank(player) == ranks.get(player)

    @invariant()
    def a_view_is_the_lists_it_asks_for(self) -> None:
        view = View(top=2, offset=1, around="ann", radius=1, of=("bob", "cid"))
        assert self.board.view(view) == Window(
            version=self.model.version,
            total=len(self.model.lines),
            rows=self.model.standing.rows()[1:3],
            around=self.model.standing.around("ann", 1),
            of=self.model.standing.of(("bob", "cid")),
        )


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", MODES)
def test_a_board_is_a_sorted_list_of_who_got_there_first(mode: str, order: str, ties: str) -> None:
    machine = type("Machine", (BoardMachine,), {"mode": mode, "order": order, "ties": ties})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
