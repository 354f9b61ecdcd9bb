"""A board that is played on, hosted and left alone, against a model that has nothing but lists.

Each step publishes, lets time pass, or looks. One board is looked at whenever a step says so; another, which is sent
the same, is not looked at before the end. Both must be what the model is at that moment, whatever was due meanwhile.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
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

from leaderboard.board import Board
from leaderboard.errors import Refusal
from leaderboard.events import (
    Ban,
    Clear,
    Close,
    Enter,
    Event,
    Freeze,
    Hide,
    Open,
    Props,
    Remove,
    Reveal,
    Score,
    Show,
    Unban,
    Undo,
    Unfreeze,
)
from leaderboard.presence import BEAT, MINUTE
from leaderboard.ranking import View, Window
from leaderboard.settings import Namespace
from tests.naive import Standing
from tests.naive_board import NaiveBoard

PLAYERS = ("ann", "bob", "cid", "dee", "eve")

players = st.sampled_from(PLAYERS)
scores = st.builds(
    Score,
    player=players,
    score=st.sampled_from([0.0, 1.0, 2.0, 3.0, 5.0]),
    name=st.sampled_from([None, None, "Ann"]),
    round=st.sampled_from([None, None, None, 1, 2]),
)
# Halves and quarters of a second, so that no rounding decides what is due; 100 s is more than all that can be.
openings = st.builds(
    Open,
    in_ms=st.sampled_from([0, 0, 500, 2000]),
    for_ms=st.sampled_from([None, 250, 1000, 3000]),
)
reveals = st.one_of(
    st.builds(Reveal, steps=st.sampled_from([1, 1, 2, 100])),
    st.builds(Reveal, every_ms=st.sampled_from([250, 500, 1000])),
)
props = st.builds(
    Props, props=st.sampled_from([{}, {"seed": 1}, {"seed": True}, {"public": {"title": "x"}}])
)
clears = st.builds(Clear, players=st.booleans())
entrances = st.builds(Enter, player=players, name=st.sampled_from([None, "Bob"]))
people = st.one_of(*(st.builds(kind, players) for kind in (Hide, Show, Ban, Unban, Remove)))
staging = st.one_of(
    openings, st.builds(Close), st.builds(Freeze), reveals, st.builds(Unfreeze), st.builds(Undo)
)
events: st.SearchStrategy[Event] = st.one_of(
    scores, scores, scores, people, staging, clears, entrances, props
)
batches = st.lists(events, min_size=1, max_size=5)
pauses = st.sampled_from([0.0, 0.25, 0.25, 0.5, 1.0, 2.5, 10.0, 50.0, 100.0])


class HostedBoard(RuleBasedStateMachine):
    mode: str
    order: str

    @initialize(
        top=st.sampled_from([1, 2, 10]),
        max_entries=st.sampled_from([3, 100]),
        ties=st.sampled_from(["competition", "ordinal"]),
    )
    def open(self, top: int, max_entries: int, ties: str) -> None:
        rules = Namespace.model_validate(
            {
                "mode": self.mode,
                "order": self.order,
                "ties": ties,
                "top": top,
                "max_entries": max_entries,
            }
        )
        self.looked_at, self.unseen = Board(rules, epoch="e"), Board(rules, epoch="e")
        self.model = NaiveBoard(rules)
        self.now = 1_000_000.0

    @rule(batch=batches, pause=pauses)
    def publish(self, batch: list[Event], pause: float) -> None:
        self.apply(batch, pause, math.inf)

    @rule(batch=batches, capacity=st.integers(0, 12))
    def publish_where_the_server_has_little_room(self, batch: list[Event], capacity: int) -> None:
        before = self.looked_at.size
        self.apply(batch, 0.0, capacity)
        assert self.looked_at.size <= max(before, capacity)

    @precondition(lambda self: self.model.screen is None)
    @rule(count=st.integers(1, len(PLAYERS)), reveal=reveals)
    def fill_and_reveal(self, count: int, reveal: Reveal) -> None:
        """By chance alone a long reveal would be rare."""
        scores = [Score(player, float(place)) for place, player in enumerate(PLAYERS[:count])]
        self.apply([Unfreeze(), Open(), *scores], 0.0, math.inf)
        self.apply([Freeze(), reveal], 0.25, math.inf)

    def apply(self, batch: list[Event], pause: float, capacity: float) -> None:
        self.now += pause
        expected = self.model.apply(batch, self.now, capacity)
        for board in (self.looked_at, self.unseen):
            outcomes = board.apply(batch, self.now, capacity)
            told = [type(each) if isinstance(each, Refusal) else each for each in outcomes]
            assert told == expected

    @rule(pause=pauses)
    def look(self, pause: float) -> None:
        self.now += pause
        self.compare(self.looked_at)

    def teardown(self) -> None:
        for board in (self.looked_at, self.unseen):
            self.compare(board)

    @invariant()
    def nothing_contradicts_itself(self) -> None:
        self.looked_at._check()
        self.unseen._check()

    # -- what is compared ---------------------------------------------------------------------------------------------

    def compare(self, board: Board) -> None:
        """As an engine reads a board: what is due is settled first."""
        model, before = self.model.at(self.now), board.version
        assert board.settle(self.now) == (model.version > before)
        assert board.version == model.version
        assert board.due == model.due
        assert board.size == model.size
        assert len(board) == len(model.kept)
        shown = board.round
        assert (shown.number, shown.state) == (model.number, model.state)
        times = (model.starts_at, model.ends_at)
        assert (shown.starts_at or math.inf, shown.ends_at or math.inf) == times
        assert msgspec.json.decode(board.public_props) == model.props.get("public", {})
        assert board.frozen == (model.screen is not None)
        self.compare_people(board, model)
        self.compare_views(board, model)

    def compare_people(self, board: Board, model: NaiveBoard) -> None:
        ranks = {row.player: row.rank for row in model.live().rows()}
        for player in PLAYERS:
            kept = model.kept.get(player)
            assert board.score(player) == (None if kept is None else kept.line.score)
            assert board.rank(player) == ranks.get(player)
        found = board.people("", 100)
        assert {each.player for each in found if each.banned} == model.banned
        assert {each.player for each in found if each.hidden} == model.hidden
        there = {each.player: each for each in found if not each.away}
        assert list(there) == list(model.kept), "as they came"
        for player, person in there.items():
            assert person.hidden == (player in model.hidden)
            assert (None if person.row is None else person.row.rank) == ranks.get(player)
        least, most = model.playing(self.now, BEAT * (MINUTE - 1)), model.playing(self.now, 60)
        assert least <= board.playing(self.now) <= most

    def compare_views(self, board: Board, model: NaiveBoard) -> None:
        public, live = model.public(), model.live()
        assert board.veiled == public.veiled
        assert board.shown == (model.public_version, len(public.lines))
        same(board, {}, public, len(public.lines), model.public_version)
        same(board, {"round": model.number}, public, len(public.lines), model.public_version)
        same(board, {"live": True}, live, len(live.lines), model.version)
        for past in model.past:
            standing, total = model.of_past(past)
            same(board, {"round": past.number}, standing, total, past.version)
        kept = {past.number for past in model.past} | {model.number}
        for number in range(1, model.number + 2):
            assert board.keeps(number) == (number in kept)


def same(board: Board, seen: dict[str, Any], standing: Standing, total: int, version: int) -> None:
    """Every list of a board, seen so, is the standing's."""
    for offset in range(len(PLAYERS) + 1):
        for count in (1, 2, 100):
            window = board.view(View(top=count, offset=offset, **seen))
            rows = standing.top(count, offset)
            assert window == Window(version=version, total=total, rows=rows)
    for player in PLAYERS:
        for radius in (0, 1, 50):
            around = board.view(View(around=player, radius=radius, **seen)).around
            assert around == standing.around(player, radius)
    for players in (PLAYERS, PLAYERS[1:3], ("nobody",)):
        assert board.view(View(of=players, **seen)).of == standing.of(players)


@pytest.mark.parametrize(("mode", "order"), [("best", "desc"), ("sum", "desc"), ("latest", "asc")])
def test_a_board_is_what_was_done_to_it_and_what_time_it_is(mode: str, order: str) -> None:
    machine = type("Machine", (HostedBoard,), {"mode": mode, "order": order})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
