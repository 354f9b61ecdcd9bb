"""Rates: so many in any second, wherever that second begins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.errors import LimitExceeded
from leaderboard.limits import Rate, Rates


def taken(rate: Rate, now: float) -> bool:
    try:
        rate.take(now)
    except LimitExceeded:
        return False
    return True


def test_the_26th_in_a_second_is_refused_and_the_next_second_begins_with_the_first() -> None:
    rate = Rate(25, "publishes")
    assert all(taken(rate, index / 100) for index in range(25))
    assert not taken(rate, 0.999)
    assert taken(rate, 1.0), "the first is a second ago"
    assert not taken(rate, 1.0), "the second is not"


def test_what_is_refused_is_not_counted() -> None:
    rate = Rate(1, "publishes")
    rate.take(0.0)
    assert not any(taken(rate, 0.5) for _ in range(100))
    assert taken(rate, 1.0)


def test_two_seconds_do_not_lend_each_other() -> None:
    """A bucket of 25 that refills would let 49 through within one second."""
    rate = Rate(25, "publishes")
    late = sum(taken(rate, 0.99) for _ in range(100))
    early = sum(taken(rate, 1.01) for _ in range(100))
    assert (late, early) == (25, 0)


def test_the_refusal_says_what_the_limit_is() -> None:
    rate = Rate(2, "publishes", seconds=0.5)
    rate.take(0.0)
    rate.take(0.0)
    with pytest.raises(LimitExceeded) as caught:
        rate.take(0.1)
    assert caught.value.message == "2 publishes in 0.5 s, no more"


def test_no_limit_is_no_limit() -> None:
    rate = Rate(0, "publishes")
    assert all(taken(rate, 0.0) for _ in range(1000))


# Eighths of a second: exact in binary, so the edge of the window is hit and not rounded past.
pauses = st.lists(st.integers(0, 12).map(lambda eighths: eighths / 8), max_size=80)


@given(count=st.integers(1, 6), pauses=pauses, seconds=st.sampled_from([0.5, 1.0, 2.0]))
def test_exactly_so_many_in_any_window(count: int, pauses: list[float], seconds: float) -> None:
    rate = Rate(count, "publishes", seconds)
    now = 1000.0
    earlier: list[float] = []
    for pause in pauses:
        now += pause
        room = sum(now - moment < seconds for moment in earlier) < count
        assert taken(rate, now) is room
        earlier += [now] * room


def test_the_refusal_says_when_there_is_room_again_and_then_there_is() -> None:
    rate = Rate(2, "publishes")
    rate.take(10.0)
    rate.take(10.25)
    with pytest.raises(LimitExceeded) as caught:
        rate.take(10.5)
    assert caught.value.retry_after == 0.5
    assert taken(rate, 10.5 + caught.value.retry_after)


# -- a rate for each ---------------------------------------------------------------------------------------------------


def asked(rates: Rates, who: str, now: float) -> bool:
    try:
        rates.take(who, now)
    except LimitExceeded:
        return False
    return True


def test_nobody_uses_up_the_rate_of_another() -> None:
    rates = Rates(1, "joins")
    assert asked(rates, "ann", 0.0)
    assert not asked(rates, "ann", 0.5)
    assert asked(rates, "bob", 0.5)


def test_the_idle_are_forgotten_and_nobody_else() -> None:
    rates = Rates(1, "joins", seconds=2.0)
    for number in range(1000):
        assert asked(rates, str(number), number / 100)
    assert len(rates) <= 201, "those of the last two seconds"
    assert not asked(rates, "999", 10.0), "whoever is remembered is counted"
    assert not asked(rates, "900", 10.0)


def test_no_more_are_remembered_than_there_is_room_for() -> None:
    rates = Rates(1, "joins", most=10)
    for number in range(1000):
        assert asked(rates, str(number), 0.0)
    assert len(rates) == 10
    assert not asked(rates, "999", 0.0)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 8)), max_size=60),
    st.integers(1, 3),
)
def test_each_has_the_rate_of_one_alone(asks: list[tuple[str, int]], count: int) -> None:
    rates, alone, now = Rates(count, "joins"), {who: Rate(count, "joins") for who in "abc"}, 0.0
    for who, eighths in asks:
        now += eighths / 8
        assert asked(rates, who, now) is taken(alone[who], now)
