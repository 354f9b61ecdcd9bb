"""A board with its rounds, its curtain and its people as plain lists, written from what is promised of it.

It looks at no clock either: `advance` lets happen what is due. Versions, sizes and outcomes are part of the promise.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from leaderboard import errors
from leaderboard.board import Applied
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
from leaderboard.settings import Namespace
from leaderboard.sheets import FREEZABLE, PAST_ROUNDS, PAST_ROWS, UNDOABLE
from tests.naive import Line, Standing
from tests.naive_screen import Kept, Past, Place, Screen


@dataclass
class Removal:
    player: str
    kept: Kept | None
    screen: Screen | None
    place: Place | None
    banned: bool


@dataclass
class NaiveBoard:
    """All that a board is, in the words of its promises."""

    rules: Namespace
    version: int = 0
    number: int = 1
    state: str = "open"
    starts_at: float = math.inf
    ends_at: float = math.inf
    staged: bool = False
    kept: dict[str, Kept] = field(default_factory=dict)
    screen: Screen | None = None
    past: list[Past] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    banned: set[str] = field(default_factory=set)
    removals: list[Removal] = field(default_factory=list)
    props: dict[str, Any] = field(default_factory=dict)
    _since: int = 0

    # -- the clock ----------------------------------------------------------------------------------------------------

    @property
    def due(self) -> float:
        step = math.inf if self.screen is None else self.screen.step_at
        return min(step, self._round_due)

    @property
    def _round_due(self) -> float:
        return {"soon": self.starts_at, "open": self.ends_at, "closed": math.inf}[self.state]

    def advance(self, now: float) -> None:
        """Whatever is due by now happens, one thing after the other, each a version."""
        while self.due <= now:
            self.version += 1
            if self._round_due == self.due:
                if self.state == "soon":
                    self.state, self.starts_at = "open", math.inf
                else:
                    self.on_close(Close(), now, 0)
            elif self.screen is not None:
                self.screen.step_at += self.screen.every
                self.screen.lift(1, self.hidden)
                self._redraw(self.version)

    def at(self, now: float) -> NaiveBoard:
        """What it will be at that moment if nobody does anything."""
        later = copy.deepcopy(self)
        later.advance(now)
        return later

    # -- what happens to it -------------------------------------------------------------------------------------------

    def apply(
        self, events: Sequence[Event], now: float, capacity: float
    ) -> list[Applied | type[errors.Refusal]]:
        self.advance(now)
        outcomes: list[Applied | type[errors.Refusal]] = []
        for event in events:
            try:
                # A host's decision has no player, and only hosts may see that it was made.
                outcome = getattr(self, f"on_{type(event).__name__.lower()}")(event, now, capacity)
                private = Applied("", None, outcome, private=True)
                outcomes.append(outcome if isinstance(outcome, Applied) else private)
            except errors.Refusal as refusal:
                outcomes.append(type(refusal))
        self.version += any(isinstance(each, Applied) and each.changed for each in outcomes)
        return outcomes

    def on_score(self, event: Score, now: float, capacity: float) -> Applied:
        if event.round not in (None, self.number):
            raise errors.WrongRound("")
        if self.state != "open":
            raise errors.RoundClosed("")
        if event.player in self.banned:
            raise errors.Banned("")
        old = self.kept.get(event.player)
        line = Line(event.player, event.score, event.name)
        if old is None:
            if len(self.kept) >= self.rules.max_entries or self.size + 1 > capacity:
                raise errors.BoardFull("")
        else:
            best = max if self.rules.order == "desc" else min
            score = {
                "latest": event.score,
                "sum": old.line.score + event.score,
                "best": best(old.line.score, event.score),
            }[self.rules.mode]
            line = replace(old.line, score=score, name=event.name or old.line.name)
        if old is None or line.score != old.line.score:
            self._since += 1
            self.kept[event.player] = Kept(self._since, line, now)
        else:
            self.kept[event.player] = Kept(old.since, line, now)
        changed = old is None or line != old.line
        private = self.screen is not None or event.player in self.hidden
        return Applied(event.player, line.score, changed=changed, private=private)

    def on_remove(self, event: Remove, _: float, __: float) -> Applied:
        private = self.screen is not None or event.player in self.hidden
        return Applied(event.player, None, self._take(event.player), private=private)

    def _take(self, player: str, *, banned: bool = False) -> bool:
        kept = self.kept.pop(player, None)
        if kept is not None or banned:
            place = self._place(player)
            self.removals.append(Removal(player, kept, self.screen, place, banned))
            self.removals = self.removals[-UNDOABLE:]
            if place is not None:
                place.gone = True
                self._redraw(self.version + 1)
        return kept is not None

    def on_open(self, event: Open, now: float, _: float) -> bool:
        before = (self.state, self.starts_at, self.ends_at, self.staged)
        start = now + event.in_ms / 1000
        self.state, self.staged = "soon" if event.in_ms else "open", True
        self.starts_at = start if event.in_ms else math.inf
        self.ends_at = math.inf if event.for_ms is None else start + event.for_ms / 1000
        return before != (self.state, self.starts_at, self.ends_at, self.staged)

    def on_close(self, _: Close, __: float, ___: float) -> bool:
        before = (self.state, self.staged)
        self.state, self.staged, self.starts_at, self.ends_at = "closed", True, math.inf, math.inf
        return before != (self.state, self.staged)

    def on_clear(self, event: Clear, _: float, capacity: float) -> bool:
        if self.screen is not None:
            raise errors.Frozen("")
        if event.players and self.rules.mode != "sum":
            raise errors.InvalidEvent("")
        places = self._ranked()
        past = Past(self.number, self.version + 1, places[:PAST_ROWS], len(places[PAST_ROWS:]))
        kept = [*self.past, past][-PAST_ROUNDS:]
        if event.players and len(self.kept) + sum(len(p.places) for p in kept) > capacity:
            raise errors.BoardFull("")
        self.past, self.removals = kept, []
        stay = self.kept.items() if event.players else ()
        self.kept = {
            player: Kept(kept.since, replace(kept.line, score=0.0)) for player, kept in stay
        }
        self.number += 1
        self.state = "closed" if self.staged else "open"
        self.starts_at = self.ends_at = math.inf
        return True

    def on_enter(self, event: Enter, _: float, capacity: float) -> bool:
        if self.rules.mode != "sum":
            raise errors.InvalidEvent("")
        if event.player in self.banned:
            raise errors.Banned("")
        old = self.kept.get(event.player)
        if old is not None:
            before, old.line = old.line, replace(old.line, name=event.name or old.line.name)
            return before != old.line
        if len(self.kept) >= self.rules.max_entries or self.size + 1 > capacity:
            raise errors.BoardFull("")
        self._since += 1
        self.kept[event.player] = Kept(self._since, Line(event.player, 0.0, event.name))
        return True

    def on_freeze(self, _: Freeze, __: float, capacity: float) -> bool:
        if self.screen is not None:
            return False
        self._make_room(capacity, freed=0)
        self.screen = Screen.of(self._ranked(), self.version + 1)
        return True

    def on_unfreeze(self, _: Unfreeze, __: float, ___: float) -> bool:
        frozen, self.screen = self.screen is not None, None
        return frozen

    def on_reveal(self, event: Reveal, now: float, capacity: float) -> bool:
        if self.screen is None:
            raise errors.NotFrozen("")
        if not self.screen.revealing:
            self._make_room(capacity, freed=self.screen.size)
            self.screen = Screen.of(self._ranked(), 0, veiled=self.rules.top)
        self.screen.every = (event.every_ms or 0) / 1000
        self.screen.step_at = now + self.screen.every if event.every_ms else math.inf
        self.screen.lift(1 if event.every_ms else event.steps, self.hidden)
        self._redraw(self.version + 1)
        return True

    def _make_room(self, capacity: float, freed: int) -> None:
        total = len(self._ranked())
        if total > FREEZABLE:
            raise errors.BoardTooLarge("")
        if self.size - freed + total > capacity:
            raise errors.BoardFull("")

    def _redraw(self, version: int) -> None:
        """What everybody sees changes now, also while it is frozen."""
        if self.screen is not None:
            self.screen.version = version
            if self.screen.fallen(self.hidden):
                self.screen = None

    def on_props(self, event: Props, _: float, __: float) -> bool:
        before, self.props = self.props, event.props
        return json.dumps(before, sort_keys=True) != json.dumps(self.props, sort_keys=True)

    def on_hide(self, event: Hide, _: float, __: float) -> bool:
        return self._shelve(event.player, hidden=True)

    def on_show(self, event: Show, _: float, __: float) -> bool:
        return self._shelve(event.player, hidden=False)

    def _shelve(self, player: str, *, hidden: bool) -> bool:
        if hidden == (player in self.hidden):
            return False
        (self.hidden.add if hidden else self.hidden.discard)(player)
        for past in self.past:
            if any(kept.line.player == player for kept in past.places):
                past.version = self.version + 1
        if self._place(player) is not None:
            self._redraw(self.version + 1)
        return True

    def on_ban(self, event: Ban, _: float, __: float) -> bool:
        if event.player in self.banned:
            return False
        self.banned.add(event.player)
        self._take(event.player, banned=True)
        return True

    def on_unban(self, event: Unban, _: float, __: float) -> bool:
        known = event.player in self.banned
        self.banned.discard(event.player)
        self.removals = [each for each in self.removals if each.kept or each.player != event.player]
        return known

    def on_undo(self, _: Undo, __: float, capacity: float) -> bool:
        if not self.removals:
            raise errors.NothingToUndo("")
        last = self.removals[-1]
        if last.player in self.kept:
            self.removals.pop()
            raise errors.NothingToUndo("")
        place = last.place if last.screen is self.screen else None
        if last.kept is not None:
            more = 1 if place is None else 2
            if len(self.kept) >= self.rules.max_entries or self.size + more > capacity:
                raise errors.BoardFull("")
            self.kept[last.player] = replace(last.kept, active=-math.inf)
        self.removals.pop()
        if last.banned:
            self.banned.discard(last.player)
        if place is not None:
            place.gone = False
            self._redraw(self.version + 1)
        return True

    def _place(self, player: str) -> Place | None:
        return None if self.screen is None else self.screen.place_of(player)

    # -- what it shows ------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Entries of all kinds that it holds."""
        past = sum(len(past.places) for past in self.past)
        return len(self.kept) + past + (self.screen.size if self.screen else 0)

    def _ranked(self) -> list[Kept]:
        """Those who are not hidden, the best first."""
        seen = [kept for player, kept in self.kept.items() if player not in self.hidden]
        sign = -1 if self.rules.order == "desc" else 1
        return sorted(seen, key=lambda kept: (sign * kept.line.score, kept.since))

    def live(self) -> Standing:
        """What a host sees behind the curtain."""
        return self._standing(self._ranked())

    def public(self) -> Standing:
        """What everybody sees."""
        if self.screen is None:
            return self.live()
        seen = self.screen.seen(self.hidden)
        return replace(
            self._standing([place.kept for place in seen]),
            veiled=sum(not place.shown for place in seen),
        )

    @property
    def public_version(self) -> int:
        return self.version if self.screen is None else self.screen.version

    def of_past(self, past: Past) -> tuple[Standing, int]:
        """What is kept of a past round, and how many it had."""
        seen = [kept for kept in past.places if kept.line.player not in self.hidden]
        return self._standing(seen), len(seen) + past.dropped

    def _standing(self, kept: list[Kept]) -> Standing:
        return Standing(self.rules, [each.line for each in sorted(kept, key=lambda k: k.since)])

    def playing(self, now: float, seconds: float) -> int:
        """Entries that were active in the last so many seconds."""
        return sum(now - kept.active < seconds for kept in self.kept.values())
