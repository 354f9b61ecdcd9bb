"""The sheets of a board: the live one, which scores are written on; while it is frozen the curtain, which everybody
sees instead; and what is left of past rounds.

A player that is taken out, put back or hidden is so on every sheet, and what was taken out last can be put back. When
that may be, by which rules and under which version, is for the `board` to say.
"""

from __future__ import annotations

import math
from collections import deque

import msgspec

from leaderboard.curtain import Curtain
from leaderboard.errors import BoardFull, BoardTooLarge, NotFrozen, NothingToUndo
from leaderboard.ranking import Entry, Ranking, View, Window

PAST_ROUNDS = 10
PAST_ROWS = 1000
"""Rows that are kept of a past round."""
FREEZABLE = 20_000
"""Entries of a board that may be frozen: copying so many takes a few hundredths of a second."""
UNDOABLE = 10
"""Removals that can be taken back."""


class Removal(msgspec.Struct, gc=False):
    """A player that was taken out, and its entries."""

    player: str
    entry: Entry | None
    """None for one who was banned without being there."""
    shown: Entry | None
    """Its entry on the curtain, as long as that hangs."""
    banned: bool = False


class _Past(msgspec.Struct, gc=False):
    number: int
    version: int
    """When its round was cleared, or when what it shows changed last."""
    ranking: Ranking


class Sheets:
    """The sheets of one board. ``kept`` counts the entries on all but the live one.

    ``version`` is everywhere that of the board after the change; sheets that are not live have versions of their own.
    """

    __slots__ = ("_past", "_removals", "curtain", "kept", "live")

    def __init__(self, sign: float, *, ordinal: bool) -> None:
        self.live = Ranking(sign, ordinal=ordinal)
        self.curtain: Curtain | None = None
        self.kept = 0
        self._past: deque[_Past] = deque(maxlen=PAST_ROUNDS)
        self._removals: deque[Removal] = deque(maxlen=UNDOABLE)

    @property
    def size(self) -> int:
        """Entries on all of them."""
        return len(self.live.entries) + self.kept

    # -- taking out ---------------------------------------------------------------------------------------------------

    def take(self, player: str, version: int, *, banned: bool = False) -> Entry | None:
        """Take a player's entries out, so that they can be put back; the live one, None if there was none."""
        entry = self.live.take(player)
        shown = None if self.curtain is None else self.curtain.ranking.take(player)
        if entry is not None or banned:
            self._removals.append(Removal(player, entry, shown, banned))
        if shown is not None:
            self._redraw(version)
        return entry

    def last_removal(self) -> Removal:
        """The one that can be put back. Raises `NothingToUndo`, also where the player came back by itself."""
        if not self._removals:
            raise NothingToUndo("nobody was removed in this round")
        removal = self._removals[-1]
        if removal.player in self.live.entries:
            self._removals.pop()
            raise NothingToUndo(f"{removal.player!a} is on the board again")
        return removal

    def put_back(self, removal: Removal, version: int, *, shelved: bool) -> None:
        """Undo the last removal."""
        self._removals.pop()
        if removal.entry is None:
            return
        removal.entry.shelved = shelved
        self.live.put(removal.player, removal.entry)
        if self.curtain is not None and removal.shown is not None:
            removal.shown.shelved = shelved
            self.curtain.ranking.put(removal.player, removal.shown)
            self._redraw(version)

    def forget(self, player: str) -> None:
        """A player is not banned any more: where it had no entry, nothing is left to be put back."""
        for removal in list(self._removals):
            if removal.player == player and removal.entry is None:
                self._removals.remove(removal)

    def shelve(self, player: str, version: int, *, shelved: bool) -> None:
        """Take a player out of every order, or back in."""
        self.live.shelve(player, shelved=shelved)
        for past in self._past:
            if past.ranking.shelve(player, shelved=shelved):
                past.version = version
        if self.curtain is not None and self.curtain.ranking.shelve(player, shelved=shelved):
            self._redraw(version)

    # -- turning ------------------------------------------------------------------------------------------------------

    def clear(self, number: int, version: int, capacity: float, *, players: bool) -> None:
        """Begin an empty live sheet, or one with the same players at 0; of round ``number`` a part is kept.

        Raises `BoardFull` where the same players once more would be more than the ``capacity`` for all sheets.
        """
        before = self.live
        past = before.copy(PAST_ROWS)
        if players:
            oldest = len(self._past[0].ranking.entries) if len(self._past) == PAST_ROUNDS else 0
            if self.size + len(past.entries) - oldest > capacity:
                raise BoardFull("no room for the same players in one more round")
        self._past.append(_Past(number, version, past))
        self.live = Ranking(before.sign, ordinal=before.ordinal)
        self._removals.clear()
        if players:
            for player, entry in before.entries.items():
                fresh = entry.copy()
                fresh.key, fresh.beat = before.sign * 0.0, -1
                self.live.put(player, fresh)
        self._count()

    def freeze(self, version: int, capacity: float) -> None:
        """Hang a copy of the live sheet. Raises `BoardTooLarge` or `BoardFull` where it cannot be copied."""
        self._check_copy(capacity, "it cannot be frozen")
        self._hang(Curtain(self.live, version))

    def unfreeze(self) -> None:
        """Show the live sheet again."""
        self._hang(None)

    def reveal(
        self, version: int, capacity: float, *, steps: int, every: float, now: float, top: int
    ) -> None:
        """Show the live sheet as it has become, but for the ``top`` places: of these so many now, or one ``every`` so
        many seconds. Raises `NotFrozen`, and what `freeze` raises."""
        curtain = self.curtain
        if curtain is None:
            raise NotFrozen("only a frozen board can be revealed")
        if not curtain.revealing:
            self._check_copy(capacity, "it cannot be revealed, but it can be unfrozen")
            curtain = Curtain(self.live, version, veiled=top)
            self._hang(curtain)
        curtain.every = every
        curtain.step_at = now + every if every else math.inf
        curtain.lift(1 if every else steps)
        self._redraw(version)

    def step(self, version: int) -> None:
        """The clock reveals one more place."""
        curtain = self.curtain
        if curtain is not None:
            curtain.step_at += curtain.every
            curtain.lift(1)
            self._redraw(version)

    def _check_copy(self, capacity: float, so: str) -> None:
        """Raises what keeps the live sheet from being copied, in the place of the copy that hangs."""
        total = self.live.total
        if total > FREEZABLE:
            raise BoardTooLarge(f"the board has more than {FREEZABLE} entries: {so}")
        hanging = 0 if self.curtain is None else len(self.curtain.ranking.entries)
        if self.size - hanging + total > capacity:
            raise BoardFull(f"no room for a copy of the {total} entries here: {so}")

    def _redraw(self, version: int) -> None:
        """What everybody sees of the frozen board has changed."""
        curtain = self.curtain
        if curtain is not None:
            curtain.version = version
            self._hang(None if curtain.fallen else curtain)

    def _hang(self, curtain: Curtain | None) -> None:
        """Show this copy from here on, or the live sheet."""
        if curtain is not self.curtain:
            self.curtain = curtain
            for removal in self._removals:
                removal.shown = None  # that entry is not one of this copy
        self._count()

    def _count(self) -> None:
        past = sum(len(past.ranking.entries) for past in self._past)
        self.kept = past + (0 if self.curtain is None else len(self.curtain.ranking.entries))

    # -- looking ------------------------------------------------------------------------------------------------------

    @property
    def due(self) -> float:
        """When the next place is revealed without being asked for."""
        return math.inf if self.curtain is None else self.curtain.step_at

    @property
    def veiled(self) -> int:
        """Places at the top that everybody is not shown yet."""
        return 0 if self.curtain is None else self.curtain.ranking.veiled

    def shown(self, version: int) -> tuple[int, int]:
        """The version that everybody sees where the board has this one, and its entries."""
        curtain = self.curtain
        if curtain is None:
            return version, self.live.total
        return curtain.version, curtain.ranking.total

    def keeps(self, number: int) -> bool:
        """Whether something of a past round is left."""
        return any(past.number == number for past in self._past)

    def past(self, view: View) -> Window:
        """A past round that is kept, through a view of it."""
        past = next(past for past in self._past if past.number == view.round)
        return past.ranking.window(view, past.version)

    def present(self, view: View, version: int) -> Window:
        """What a view of the present round sees where the board has this version."""
        if self.curtain is None or view.live:
            return self.live.window(view, version)
        return self.curtain.ranking.window(view, self.curtain.version)

    def check(self, hidden: dict[str, str | None]) -> None:
        """Assert that they agree with each other and with who is ``hidden``; for tests."""
        rankings = [self.live, *(past.ranking for past in self._past)]
        if self.curtain is not None:
            assert not self.curtain.fallen
            assert self.curtain.ranking.entries.keys() <= self.live.entries.keys()
            rankings.append(self.curtain.ranking)
        for ranking in rankings:
            ranking.check()
            for player, entry in ranking.entries.items():
                assert entry.shelved == (player in hidden)
        kept = self.kept
        self._count()
        assert self.kept == kept
