"""The rules of one board, one at a time; `test_board_model` proves that they hold together."""

from __future__ import annotations

import gc
import json
import weakref
from functools import partial
from typing import Any

import msgspec
import pytest

from leaderboard.board import Applied, Board
from leaderboard.errors import BoardFull, Refusal, ScoreOutOfRange, TooOld, WrongRound
from leaderboard.events import Remove, Score
from leaderboard.ranking import Row, View, Window, number
from leaderboard.settings import MAX_SCORE, Namespace


def top(one: Board, count: int, offset: int = 0) -> list[Row]:
    return one.view(View(top=count, offset=offset)).rows or []


def around(one: Board, player: str, radius: int) -> list[Row]:
    return one.view(View(around=player, radius=radius)).around or []


def of(one: Board, players: list[str]) -> list[Row]:
    return one.view(View(of=tuple(players))).of or []


def board(**rules: Any) -> Board:
    return Board(Namespace(**rules), epoch="e")


def scored(board: Board, *lines: tuple[str, float], **members: Any) -> list[Applied | Refusal]:
    """Publish these scores, each alone."""
    return [
        board.apply([Score(player=player, score=score, **members)], now=0.0)[0]
        for player, score in lines
    ]


def places(board: Board) -> list[tuple[str, int | float]]:
    return [(row.player, row.score) for row in top(board, 100)]


def ranks(rows: list[Row]) -> list[int]:
    return [row.rank for row in rows]


# -- order -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "first"), [("desc", "bob"), ("asc", "ann")])
def test_the_better_score_stands_first(order: str, first: str) -> None:
    one = board(order=order)
    scored(one, ("ann", 1), ("bob", 2))
    assert places(one)[0][0] == first


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_of_equals_who_got_there_first_stands_first(order: str) -> None:
    one = board(order=order, mode="latest")
    scored(one, ("zoe", 5), ("ann", 5), ("bob", 9), ("bob", 5))
    assert [player for player, _ in places(one)] == ["zoe", "ann", "bob"]


def test_repeating_a_score_keeps_the_place() -> None:
    one = board(mode="latest")
    scored(one, ("ann", 5), ("bob", 5), ("ann", 5))
    assert places(one) == [("ann", 5), ("bob", 5)]


def test_a_new_name_keeps_the_place() -> None:
    one = board()
    scored(one, ("ann", 5), ("bob", 5))
    scored(one, ("ann", 5), name="Ann", meta="{}")
    assert places(one) == [("ann", 5), ("bob", 5)]


def test_falling_and_coming_back_is_a_new_achievement() -> None:
    one = board(mode="latest")
    scored(one, ("ann", 10), ("bob", 10), ("ann", 5), ("ann", 10))
    assert places(one) == [("bob", 10), ("ann", 10)]


def test_minus_zero_and_zero_are_one_score() -> None:
    one = board(mode="latest")
    scored(one, ("ann", -0.0), ("bob", 0.0), ("ann", 0.0))
    assert one.version == 2
    assert [str(score) for _, score in places(one)] == ["0", "0"]


# -- modes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "order", "final"),
    [
        ("best", "desc", 9),
        ("best", "asc", 2),
        ("latest", "desc", 4),
        ("latest", "asc", 4),
        ("sum", "desc", 15),
        ("sum", "asc", 15),
    ],
)
def test_what_a_new_score_does_to_the_old_one(mode: str, order: str, final: float) -> None:
    one = board(mode=mode, order=order)
    scored(one, ("ann", 9), ("ann", 2), ("ann", 4))
    assert one.score("ann") == final


def test_a_worse_score_is_applied_without_effect_but_its_name_counts() -> None:
    one = board()
    scored(one, ("ann", 9))
    assert scored(one, ("ann", 2)) == [Applied("ann", 9.0, changed=False)]
    assert scored(one, ("ann", 2), name="Ann") == [Applied("ann", 9.0, changed=True)]
    assert [row.name for row in top(one, 1)] == ["Ann"]


def test_sums_are_doubles_added_in_order() -> None:
    one = board(mode="sum")
    scored(one, ("ann", 0.1), ("ann", 0.2))
    assert one.score("ann") == 0.1 + 0.2 != 0.3


# -- version -----------------------------------------------------------------------------------------------------------


def test_a_batch_is_one_version_step() -> None:
    one = board()
    one.apply([Score(player=player, score=1.0) for player in ("ann", "bob", "cid")], now=0.0)
    assert one.version == 1


@pytest.mark.parametrize(
    "event",
    [
        Score(player="ann", score=5.0),
        Score(player="ann", score=1.0),
        Score(player="ann", score=5.0, name="Ann", meta="{}"),
        Remove("nobody"),
        Score(player="ann", score=9.0, round=2),
        Score(player="ann", score=1e6),
    ],
    ids=["equal", "worse", "same name and meta", "nobody to remove", "wrong round", "out of range"],
)
def test_what_changes_nothing_is_no_version(event: Score | Remove) -> None:
    one = board(max_score=1000)
    scored(one, ("ann", 5), name="Ann", meta="{}")
    one.apply([event], now=0.0)
    assert one.version == 1


@pytest.mark.parametrize(
    "event",
    [
        Score(player="ann", score=6.0),
        Score(player="ann", score=5.0, name="Anna"),
        Score(player="ann", score=5.0, meta='{"a":1}'),
        Score(player="bob", score=1.0),
        Remove("ann"),
    ],
    ids=["score", "name", "meta", "player", "removal"],
)
def test_whatever_can_be_seen_to_change_is_a_version(event: Score | Remove) -> None:
    one = board()
    scored(one, ("ann", 5), name="Ann", meta="{}")
    one.apply([event], now=0.0)
    assert one.version == 2


def test_a_batch_that_ends_where_it_began_has_changed_the_board() -> None:
    one = board()
    one.apply([Score(player="ann", score=1.0), Remove("ann")], now=0.0)
    assert (one.version, len(one)) == (1, 0)


# -- events that fail singly -------------------------------------------------------------------------------------------


def test_each_event_has_its_own_outcome_in_order() -> None:
    one = board(max_score=10)
    outcomes = one.apply(
        [
            Score(player="ann", score=1.0),
            Score(player="bob", score=11.0),
            Remove("cid"),
            Score(player="dee", score=2.0),
        ],
        now=0.0,
    )
    assert isinstance(outcomes[1], ScoreOutOfRange)
    del outcomes[1]
    assert outcomes == [
        Applied("ann", 1.0, changed=True),
        Applied("cid", None),
        Applied("dee", 2.0, changed=True),
    ]


@pytest.mark.parametrize(("score", "fits"), [(-5, True), (10, True), (-5.01, False), (10.5, False)])
def test_the_bounds_of_a_namespace_include_themselves(score: float, fits: bool) -> None:
    [outcome] = scored(board(min_score=-5, max_score=10), ("ann", score))
    assert isinstance(outcome, ScoreOutOfRange) is not fits


def test_bounds_are_told_as_they_were_written() -> None:
    [outcome] = scored(board(min_score=-5, max_score=10.5), ("ann", 11))
    assert isinstance(outcome, Refusal)
    assert outcome.message == "score must be from -5 to 10.5"


def test_bounds_hold_for_what_is_added_not_for_the_sum() -> None:
    one = board(mode="sum", max_score=10)
    scored(one, ("ann", 10), ("ann", 10))
    assert one.score("ann") == 20


@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_may_reach_the_range_but_not_leave_it(order: str, sign: int) -> None:
    one = board(mode="sum", order=order)
    scored(one, ("ann", sign * (MAX_SCORE - 1)), ("ann", sign * 1.0))
    assert one.score("ann") == sign * MAX_SCORE
    [outcome] = scored(one, ("ann", sign * 1.0), name="Ann")
    assert isinstance(outcome, ScoreOutOfRange)
    assert one.score("ann") == sign * MAX_SCORE
    assert (top(one, 1)[0].name, one.version) == (None, 2), "a refused event changes nothing"


def test_a_full_board_refuses_new_players_and_serves_those_it_has() -> None:
    one = board(max_entries=2)
    outcomes = scored(one, ("ann", 1), ("bob", 1), ("cid", 9), ("ann", 5))
    assert [type(outcome) for outcome in outcomes] == [Applied, Applied, BoardFull, Applied]
    assert places(one) == [("ann", 5), ("bob", 1)]


def test_a_removal_makes_room_within_its_batch() -> None:
    one = board(max_entries=1)
    scored(one, ("ann", 1))
    one.apply([Remove("ann"), Score(player="bob", score=1.0)], now=0.0)
    assert places(one) == [("bob", 1)]


def test_a_server_with_less_room_than_the_namespace_sets_the_limit() -> None:
    one = board(max_entries=100)
    outcomes = one.apply(
        [Score(player=player, score=1.0) for player in ("ann", "bob")], now=0.0, capacity=1
    )
    assert [type(outcome) for outcome in outcomes] == [Applied, BoardFull]


def test_an_event_for_another_round_is_refused() -> None:
    one = board()
    assert isinstance(scored(one, ("ann", 1), round=2)[0], WrongRound)
    assert isinstance(scored(one, ("ann", 1), round=1)[0], Applied)


def test_a_refusal_holds_on_to_nothing() -> None:
    """Kept with its traceback, it would keep every caller's variables until the next cyclic collection."""
    one = board(max_score=1)
    gc.disable()
    try:
        outcomes = scored(one, ("ann", 2))
        gone = weakref.ref(outcomes[0])
        del outcomes
        assert gone() is None
    finally:
        gc.enable()


# -- removal -----------------------------------------------------------------------------------------------------------


def test_a_removed_player_is_gone_and_comes_back_as_a_new_one() -> None:
    one = board()
    scored(one, ("ann", 9), name="Ann", meta='{"a":1}')
    scored(one, ("bob", 3))
    one.apply([Remove("ann"), Score(player="ann", score=3.0)], now=0.0)
    assert places(one) == [("bob", 3), ("ann", 3)]
    [row] = of(one, ["ann"])
    assert (row.name, row.meta) == (None, None)


# -- retries -----------------------------------------------------------------------------------------------------------


def test_a_repeat_is_acknowledged_and_not_applied_again() -> None:
    one = board(mode="sum")
    scored(one, ("ann", 5), n=1)
    assert scored(one, ("ann", 5), n=1) == [Applied("ann", 5.0, duplicate=True)]
    assert (one.score("ann"), one.version) == (5, 1)


def test_a_repeat_within_a_batch_is_one_too() -> None:
    one = board(mode="sum")
    event = Score(player="ann", score=5.0, n=1)
    assert [outcome.duplicate for outcome in one.apply([event, event], 0.0)] == [False, True]  # type: ignore[union-attr]


def test_a_repeat_is_acknowledged_whatever_the_rules_say_by_now() -> None:
    one = board(max_entries=1)
    scored(one, ("ann", 5), n=1)
    one.apply([Remove("ann"), Score(player="bob", score=1.0)], now=0.0)
    full_and_wrong_round = scored(one, ("ann", 5), n=1, round=9)
    assert full_and_wrong_round == [Applied("ann", None, duplicate=True)]


def test_a_refused_event_may_be_sent_again_under_its_n() -> None:
    one = board(max_entries=1)
    scored(one, ("bob", 1))
    assert isinstance(scored(one, ("ann", 5), n=1)[0], BoardFull)
    one.apply([Remove("bob")], now=0.0)
    assert scored(one, ("ann", 5), n=1) == [Applied("ann", 5.0, changed=True)]


def test_an_event_without_effect_spends_its_n() -> None:
    one = board()
    scored(one, ("ann", 5))
    scored(one, ("ann", 5), n=1)
    assert scored(one, ("ann", 5), n=1) == [Applied("ann", 5.0, duplicate=True)]


def test_what_is_too_old_to_tell_is_an_error_and_never_an_acknowledgement() -> None:
    one = board(mode="sum")
    scored(one, ("ann", 5), n=100)
    assert isinstance(scored(one, ("ann", 5), n=67)[0], TooOld)
    assert scored(one, ("ann", 5), n=68) == [Applied("ann", 10.0, changed=True)]


# -- looking -----------------------------------------------------------------------------------------------------------

TIED = (("ann", 9), ("bob", 7), ("cid", 7), ("dee", 7), ("eve", 5))


def tied(**rules: Any) -> Board:
    one = board(**rules)
    scored(one, *TIED)
    return one


@pytest.mark.parametrize(
    ("ties", "expected"), [("competition", [1, 2, 2, 2, 5]), ("ordinal", [1, 2, 3, 4, 5])]
)
def test_ranks_follow_the_tie_rule_and_positions_do_not(ties: str, expected: list[int]) -> None:
    one = tied(ties=ties)
    assert ranks(top(one, 100)) == expected
    assert [row.position for row in top(one, 100)] == [1, 2, 3, 4, 5]
    assert [one.rank(player) for player, _ in TIED] == expected
    assert ranks(of(one, [player for player, _ in TIED])) == expected


@pytest.mark.parametrize(("ties", "expected"), [("competition", [2, 2, 5]), ("ordinal", [3, 4, 5])])
def test_a_window_that_begins_inside_a_tie_knows_its_rank(ties: str, expected: list[int]) -> None:
    one = tied(ties=ties)
    assert ranks(top(one, 3, offset=2)) == expected
    assert ranks(around(one, "dee", 1)) == expected


def test_a_list_ends_where_the_board_does() -> None:
    one = tied()
    assert len(top(one, 100)) == 5
    assert [row.player for row in top(one, 100, offset=4)] == ["eve"]
    assert top(one, 100, offset=5) == []
    assert top(board(), 10) == []


@pytest.mark.parametrize(
    ("player", "radius", "seen"),
    [
        ("cid", 0, ["cid"]),
        ("cid", 1, ["bob", "cid", "dee"]),
        ("ann", 1, ["ann", "bob"]),
        ("eve", 2, ["cid", "dee", "eve"]),
        ("cid", 50, ["ann", "bob", "cid", "dee", "eve"]),
        ("nobody", 2, []),
    ],
)
def test_a_neighbourhood_is_cut_at_the_ends(player: str, radius: int, seen: list[str]) -> None:
    assert [row.player for row in around(tied(), player, radius)] == seen


def test_chosen_players_come_in_board_order_without_those_who_are_not_there() -> None:
    assert [row.player for row in of(tied(), ["eve", "nobody", "ann"])] == ["ann", "eve"]


def test_percentile_is_the_share_of_strictly_worse_entries() -> None:
    rows = around(tied(), "cid", 50)
    assert [row.percentile for row in rows] == [0.8, 0.2, 0.2, 0.2, 0.0]
    assert [row.percentile for row in of(tied(), ["ann"])] == [0.8]
    assert [row.percentile for row in top(tied(), 2)] == [None, None]


def test_a_view_gets_the_lists_it_asked_for_and_no_others() -> None:
    one = tied()
    shown = partial(Window, version=one.version, total=5)
    assert one.view(View(top=1)) == shown(rows=top(one, 1))
    assert one.view(View(around="ann")) == shown(around=around(one, "ann", 2))
    assert one.view(View(of=("ann",))) == shown(of=of(one, ["ann"]))
    assert one.view(View(around="nobody", of=())) == shown(around=[], of=[])


def test_only_views_of_a_player_are_personal() -> None:
    assert [view.personal for view in (View(top=5), View(around="a"), View(of=("a",)))] == [
        False,
        True,
        True,
    ]


def test_a_row_says_what_it_has_and_no_more() -> None:
    one = board()
    scored(one, ("ann", 120))
    scored(one, ("bob", 0.5), name="Bob", meta='{"team":"red"}')
    assert json.loads(msgspec.json.encode(top(one, 2))) == [
        {"rank": 1, "position": 1, "player": "ann", "score": 120},
        {
            "rank": 2,
            "position": 2,
            "player": "bob",
            "name": "Bob",
            "score": 0.5,
            "meta": {"team": "red"},
        },
    ]


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (120.0, "120"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (1e15, "1000000000000000"),
        (MAX_SCORE, "9007199254740991"),
        (-MAX_SCORE, "-9007199254740991"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e-7, "1e-7"),
    ],
)
def test_integral_scores_are_printed_as_integers(score: float, text: str) -> None:
    assert msgspec.json.encode(number(score)).decode() == text


def test_a_player_that_is_not_there_has_no_score_and_no_rank() -> None:
    assert (board().score("ann"), board().rank("ann")) == (None, None)
