"""The common beat: when a change is due, for every pace and at every moment."""

from __future__ import annotations

import pytest

from leaderboard.beats import Track

PACES = [0.01, 0.05, 0.1, 0.25, 0.3, 0.7, 1.0, 2.0]
STARTS = [0.0, 1.0, 12_345.6, 98_765_432.1]


def moments(pace: float, start: float) -> list[float]:
    """Beats and what lies between them, in the steps of a millisecond that loops count in."""
    first = round(start / pace)
    return [round((first + beat) * pace + shift, 3) for beat in range(200) for shift in (0, 0.003)]


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("start", STARTS)
def test_what_changes_right_after_a_beat_waits_for_the_next_one(pace: float, start: float) -> None:
    for now in moments(pace, start):
        track = Track()
        track.mark(now, pace)
        assert track.next == now, "quiet until now: at once"
        assert track.take(now, pace)
        track.mark(now, pace)
        assert 0 < track.next - now <= pace + 1e-6
        beat = track.next
        assert abs(beat / pace - round(beat / pace)) < 1e-6 * max(1, beat), "a multiple of the pace"
        assert track.take(beat, pace)
        track.mark(beat, pace)
        assert track.next - beat == pytest.approx(pace, abs=2e-6)


def test_beats_that_coincide_are_one_moment() -> None:
    for second in range(10_000, 10_100):
        due = set()
        for pace in (0.01, 0.05, 0.1, 0.2, 0.5, 1.0):
            track = Track()
            track.sent = second - 0.004
            track.mark(second - 0.004, pace)
            due.add(track.next)
        assert due == {float(second)}
