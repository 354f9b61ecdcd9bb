"""One leaderboard: what happened to it, one event after the other, and what it shows to whom.

The order of entries is a `ranking`; whether scores count now is a `rounds.Round`; what everybody sees while the board
is frozen is a `curtain`. A board puts them together. Whatever the host and the clock decide, an event is applied as a
whole or refused and changes nothing, and one publish is one version.

Nothing here knows the time (it comes in as ``now``, seconds on the engine's clock), the network or another board. What
the clock has made due is settled first, by every apply and every read, at the moment at which it was due.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from leaderboard.curtain import Curtain
from leaderboard.errors import (
    Banned,
    BoardFull,
    Frozen,
    InvalidEvent,
    LimitExceeded,
    NotFrozen,
    NothingToUndo,
    Refusal,
    RoundClosed,
    ScoreOutOfRange,
    TooOld,
    WrongRound,
)
from leaderboard.events import (
    Ban,
    Clear,
    Close,
    Control,
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
from leaderboard.presence import BEAT, Presence
from leaderboard.ranking import Entry, Ranking, Row, View, Window, number
from leaderboard.retries import SENDERS, Retries, Seen
from leaderboard.rounds import Round
from leaderboard.settings import MAX_SCORE, Namespace

PAST_ROUNDS = 10
PAST_ROWS = 1000
"""Rows that are kept of a past round."""
FREEZABLE = 20_000
"""Entries of a board that may be frozen: copying so many takes a few hundredths of a second."""
PEOPLE = 10_000
"""Players that may be hidden, and that may be banned, on one board."""
SEARCHED = 10_000
"""Entries that a search by name looks at: some milliseconds."""
UNDOABLE = 10
"""Removals that can be taken back."""

NO_PROPS = msgspec.Raw(b"{}")


class Applied(msgspec.Struct, frozen=True, gc=False):
    """What became of one event: the player's score after it (none after a removal or a control).

    ``private`` says that only a host may see the event itself.
    """

    player: str
    score: float | None
    changed: bool = False
    duplicate: bool = False
    private: bool = False


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A player as a host sees it: ``row`` is None for one that has no place.

    One who is ``away`` is not on the board in this round, and known only for being hidden or banned.
    """

    player: str
    name: str | None
    row: Row | None
    hidden: bool = False
    banned: bool = False
    away: bool = False


class _Removal(msgspec.Struct, gc=False):
    player: str
    entry: Entry | None
    """None for one who was banned without being there."""
    shown: Entry | None
    """Its row on the curtain, as long as that hangs."""
    banned: bool = False


class _Past(msgspec.Struct, gc=False):
    number: int
    version: int
    """When its round was cleared, or when what it shows changed last."""
    ranking: Ranking


class Board:
    """The ranking of one board channel, from its first event to its end.

    >>> board = Board(Namespace(), epoch="e1")
    >>> _ = board.apply([Score(player="ann", score=7.0), Score(player="bob", score=7.0)], now=0.0)
    >>> [(row.rank, row.player, row.score) for row in board.view(View(top=10)).rows]
    [(1, 'ann', 7), (1, 'bob', 7)]
    """

    def __init__(self, rules: Namespace, epoch: str) -> None:
        self.rules = rules
        self.epoch = epoch
        self.version = 0
        self.round = Round()
        self.props: dict[str, Any] = {}
        self.public_props = NO_PROPS
        """What every snapshot shows of the props: JSON."""
        self.due = math.inf
        """When the clock changes something next."""
        self._sign = 1.0 if rules.order == "asc" else -1.0
        self._mode = rules.mode
        self._least, self._most = rules.min_score, rules.max_score
        self._seq = 0
        self._live = Ranking(self._sign, ordinal=rules.ties == "ordinal")
        self._curtain: Curtain | None = None
        self._past: deque[_Past] = deque(maxlen=PAST_ROUNDS)
        self._hidden: dict[str, str | None] = {}
        """Players and the names by which their host knows them; so are those who are banned."""
        self._banned: dict[str, str | None] = {}
        self._removals: deque[_Removal] = deque(maxlen=UNDOABLE)
        self._presence = Presence()
        self._retries = Retries(capacity=rules.max_entries * SENDERS)
        self._kept = 0

    def __len__(self) -> int:
        return len(self._live.entries)

    @property
    def size(self) -> int:
        """Entries that it holds, those of past rounds and of a frozen copy too."""
        return len(self._live.entries) + self._kept

    # -- in -----------------------------------------------------------------------------------------------------------

    def apply(
        self, events: Iterable[Event], now: float, capacity: float = math.inf
    ) -> list[Applied | Refusal]:
        """Apply events in order, each by itself; one version step if anything changed.

        ``capacity`` is the `size` up to which the board may grow, where the server as a whole allows fewer entries than
        the namespace. An event that breaks a rule changes nothing and is answered by its `Refusal`.
        """
        if now >= self.due:
            self.settle(now)
        outcomes: list[Applied | Refusal] = []
        changed = False
        for event in events:
            try:
                applied = (
                    self._score(event, now, capacity)
                    if isinstance(event, Score)
                    else self._remove(event)
                    if isinstance(event, Remove)
                    else self._control(event, now, capacity)
                )
                if applied.changed:
                    changed = True
                outcomes.append(applied)
            except Refusal as refusal:
                # Its traceback would hold this list and the variables of all callers: a cycle per refused event.
                outcomes.append(refusal.with_traceback(None))
        if changed:
            self.version += 1
        return outcomes

    def _score(self, event: Score, now: float, capacity: float) -> Applied:
        player = event.player
        n = event.n
        if n is not None:
            # Before any other rule: what was once applied is acknowledged again, whatever the rules say by now.
            seen = self._retries.look_up(player, event.by, n, now)
            if seen is Seen.REPEAT:
                return Applied(player, self.score(player), duplicate=True)
            if seen is Seen.TOO_OLD:
                raise TooOld(f"n = {n} is too far below the highest n seen from this sender")
        self._admit(event, now)
        live = self._live
        entry = live.entries.get(player)
        if entry is None:
            if not self._has_room(1, capacity):
                raise BoardFull(f"no room for a new player beside the {len(live.entries)} here")
            self._seq = seq = self._seq + 1
            entry = Entry(self._sign * event.score, seq)
            entry.shelved = player in self._hidden
            live.put(player, entry)
            changed = True
        else:
            changed = self._rescore(player, entry, event.score)
        if event.name is not None and event.name != entry.name:
            entry.name, changed = event.name, True
        if event.meta is not None and event.meta != entry.meta:
            entry.meta, changed = event.meta, True
        if n is not None:
            self._retries.note(player, event.by, n, now)
        beat = int(now) // BEAT
        if entry.beat != beat:
            self._presence.note(entry, beat)
        private = entry.shelved or self._curtain is not None
        return Applied(player, self._sign * entry.key, changed, False, private)

    def _admit(self, event: Score, now: float) -> None:
        """Raises the rule that a score breaks, whatever stands on the board."""
        round = self.round
        if event.round is not None and event.round != round.number:
            raise WrongRound(f"this is round {round.number}, not {event.round}")
        if round.state != "open":
            raise RoundClosed(_why_closed(round, now))
        if not self._least <= event.score <= self._most:
            raise ScoreOutOfRange(
                f"score must be from {number(self._least)} to {number(self._most)}"
            )
        if event.player in self._banned:
            raise Banned("this player was taken off the board by its host")

    def _has_room(self, more: int, capacity: float) -> bool:
        """Whether a player may come, with so many entries."""
        return len(self) < self.rules.max_entries and self.size + more <= capacity

    def _rescore(self, player: str, entry: Entry, score: float) -> bool:
        key = self._sign * score
        before = entry.key
        if self._mode == "sum":
            key += before
            if not -MAX_SCORE <= key <= MAX_SCORE:
                raise ScoreOutOfRange("the sum would leave the range of exact numbers, 2^53-1")
        elif self._mode == "best" and key >= before:
            return False
        if key == before:
            return False
        self._seq = seq = self._seq + 1
        self._live.move(player, entry, key, seq)
        return True

    def _remove(self, event: Remove) -> Applied:
        private = self.frozen or event.player in self._hidden
        return Applied(event.player, None, self._take(event.player), private=private)

    def _take(self, player: str, *, banned: bool = False) -> bool:
        """Take a player's rows out, so that they can be put back; whether there was one."""
        entry = self._live.take(player)
        shown = None if self._curtain is None else self._curtain.ranking.take(player)
        if entry is not None:
            self._presence.forget(entry)
        if entry is not None or banned:
            self._removals.append(_Removal(player, entry, shown, banned))
        if shown is not None:
            self._redraw(self.version + 1)
        return entry is not None

    # -- in: what a host decides --------------------------------------------------------------------------------------

    def _control(self, event: Control, now: float, capacity: float) -> Applied:
        changed = _CONTROLS[type(event)](self, event, now, capacity)
        self._plan()
        return Applied("", None, changed, private=True)

    def _open(self, event: Open, now: float, _: float) -> bool:
        length = None if event.for_ms is None else event.for_ms / 1000
        before, self.round = self.round, self.round.opened(now, event.in_ms / 1000, length)
        return before != self.round

    def _close(self, _: Close, __: float, ___: float) -> bool:
        before, self.round = self.round, self.round.closed()
        return before != self.round

    def _clear(self, event: Clear, _: float, capacity: float) -> bool:
        if self._curtain is not None:
            raise Frozen("the board is frozen: reveal or unfreeze it first")
        if event.players:
            self._check_mode()
        before = self._live
        past = before.copy(PAST_ROWS)
        if event.players:
            oldest = len(self._past[0].ranking.entries) if len(self._past) == PAST_ROUNDS else 0
            if self.size + len(past.entries) - oldest > capacity:
                raise BoardFull("no room for the same players in one more round")
        self._past.append(_Past(self.round.number, self.version + 1, past))
        self._live = Ranking(self._sign, ordinal=before.ordinal)
        self._removals.clear()
        self._presence = Presence()
        if event.players:
            for player, entry in before.entries.items():
                fresh = entry.copy()
                fresh.key, fresh.beat = self._sign * 0.0, -1
                self._live.put(player, fresh)
        self.round = self.round.next()
        self._count_kept()
        return True

    def _enter(self, event: Enter, _: float, capacity: float) -> bool:
        self._check_mode()
        player = event.player
        if player in self._banned:
            raise Banned("this player was taken off the board by its host")
        live = self._live
        entry = live.entries.get(player)
        new = entry is None
        if entry is None:
            if not self._has_room(1, capacity):
                raise BoardFull(f"no room for a new player beside the {len(live.entries)} here")
            self._seq += 1
            entry = Entry(self._sign * 0.0, self._seq)
            entry.shelved = player in self._hidden
            live.put(player, entry)
        before = entry.name, entry.meta
        if event.name is not None:
            entry.name = event.name
        if event.meta is not None:
            entry.meta = msgspec.json.encode(event.meta, order="sorted").decode()
        return new or before != (entry.name, entry.meta)

    def _check_mode(self) -> None:
        """Raises where a player at 0 would have a score: it might even be the best."""
        if self._mode != "sum":
            raise InvalidEvent("a board on which scores do not sum up has no players without one")

    def _freeze(self, _: Freeze, __: float, capacity: float) -> bool:
        if self._curtain is not None:
            return False
        self._check_copy(capacity, "it cannot be frozen")
        self._hang(Curtain(self._live, self.version + 1))
        return True

    def _unfreeze(self, _: Unfreeze, __: float, ___: float) -> bool:
        frozen = self._curtain is not None
        self._hang(None)
        return frozen

    def _reveal(self, event: Reveal, now: float, capacity: float) -> bool:
        curtain = self._curtain
        if curtain is None:
            raise NotFrozen("only a frozen board can be revealed")
        if not curtain.revealing:
            self._check_copy(capacity, "it cannot be revealed, but it can be unfrozen")
            curtain = Curtain(self._live, self.version + 1, veiled=self.rules.top)
            self._hang(curtain)
        curtain.every = 0.0 if event.every_ms is None else event.every_ms / 1000
        curtain.step_at = now + curtain.every if curtain.every else math.inf
        curtain.lift(1 if curtain.every else event.steps)
        self._redraw(self.version + 1)
        return True

    def _check_copy(self, capacity: float, so: str) -> None:
        """Raises what keeps the board from being copied, in the place of the copy that hangs."""
        total = self._live.total
        if total > FREEZABLE:
            raise LimitExceeded(f"the board has more than {FREEZABLE} entries: {so}")
        hanging = 0 if self._curtain is None else len(self._curtain.ranking.entries)
        if self.size - hanging + total > capacity:
            raise BoardFull(f"no room for a copy of the {total} entries here: {so}")

    def _redraw(self, version: int) -> None:
        """What everybody sees of the frozen board has changed."""
        curtain = self._curtain
        if curtain is not None:
            curtain.version = version
            self._hang(None if curtain.fallen else curtain)

    def _hang(self, curtain: Curtain | None) -> None:
        """Show this copy from here on, or the board itself."""
        if curtain is not self._curtain:
            self._curtain = curtain
            for removal in self._removals:
                removal.shown = None  # that row is not one of this copy
        self._count_kept()
        self._plan()

    def _set_props(self, event: Props, _: float, __: float) -> bool:
        # By their text: to Python, 1 and true are the same.
        before, after = (msgspec.json.encode(p, order="sorted") for p in (self.props, event.props))
        if before == after:
            return False
        self.public_props = msgspec.Raw(msgspec.json.encode(event.props.get("public", {})))
        self.props = event.props
        return True

    def _hide(self, event: Hide, _: float, __: float) -> bool:
        if event.player in self._hidden:
            return False
        self._remember(self._hidden, event.player, "hidden")
        self._shelve(event.player, shelved=True)
        return True

    def _show(self, event: Show, _: float, __: float) -> bool:
        if event.player not in self._hidden:
            return False
        del self._hidden[event.player]
        self._shelve(event.player, shelved=False)
        return True

    def _remember(self, people: dict[str, str | None], player: str, what: str) -> None:
        if len(people) >= PEOPLE:
            raise LimitExceeded(f"{PEOPLE} players are {what} here, and no more may be")
        entry = self._live.entries.get(player)
        known = self._hidden.get(player) or self._banned.get(player)
        people[player] = known if entry is None else entry.name

    def _shelve(self, player: str, *, shelved: bool) -> None:
        """Take a player out of every order, or back in."""
        self._live.shelve(player, shelved=shelved)
        for past in self._past:
            if past.ranking.shelve(player, shelved=shelved):
                past.version = self.version + 1
        if self._curtain is not None and self._curtain.ranking.shelve(player, shelved=shelved):
            self._redraw(self.version + 1)

    def _ban(self, event: Ban, _: float, __: float) -> bool:
        if event.player in self._banned:
            return False
        self._remember(self._banned, event.player, "banned")
        self._take(event.player, banned=True)
        return True

    def _unban(self, event: Unban, _: float, __: float) -> bool:
        if event.player not in self._banned:
            return False
        del self._banned[event.player]
        for removal in list(self._removals):
            if removal.player == event.player and removal.entry is None:
                self._removals.remove(removal)  # nothing is left of it to be taken back
        return True

    def _undo(self, _: Undo, __: float, capacity: float) -> bool:
        if not self._removals:
            raise NothingToUndo("nobody was removed in this round")
        removal = self._removals[-1]
        player, entry = removal.player, removal.entry
        if player in self._live.entries:
            self._removals.pop()
            raise NothingToUndo(f"{player!a} is on the board again")
        copied = self._curtain is not None and removal.shown is not None
        if entry is not None and not self._has_room(1 + copied, capacity):
            raise BoardFull("no room for the player that was removed")
        self._removals.pop()
        if removal.banned:
            self._banned.pop(player, None)
        if entry is None:
            return True
        entry.shelved = player in self._hidden
        self._live.put(player, entry)
        if self._curtain is not None and removal.shown is not None:
            removal.shown.shelved = entry.shelved
            self._curtain.ranking.put(player, removal.shown)
            self._redraw(self.version + 1)
        return True

    # -- the clock ----------------------------------------------------------------------------------------------------

    def settle(self, now: float) -> bool:
        """Let happen what the clock has made due by ``now``, in order, each one version; whether anything did."""
        before = self.version
        while self.due <= now:
            moment = self.due
            self.version += 1
            curtain = self._curtain
            if self.round.due <= moment:
                self.round = self.round.turned()
            elif curtain is not None:
                curtain.step_at += curtain.every
                curtain.lift(1)
                self._redraw(self.version)
            self._plan()
        return self.version != before

    def _plan(self) -> None:
        step = math.inf if self._curtain is None else self._curtain.step_at
        self.due = min(self.round.due, step)

    def _count_kept(self) -> None:
        past = sum(len(past.ranking.entries) for past in self._past)
        self._kept = past + (0 if self._curtain is None else len(self._curtain.ranking.entries))

    # -- out ----------------------------------------------------------------------------------------------------------

    @property
    def frozen(self) -> bool:
        """Whether everybody sees it as it was."""
        return self._curtain is not None

    @property
    def veiled(self) -> int:
        """Places at the top that are not shown yet."""
        return 0 if self._curtain is None else self._curtain.ranking.veiled

    @property
    def shown(self) -> tuple[int, int]:
        """The version that everybody sees, and its entries."""
        curtain = self._curtain
        if curtain is None:
            return self.version, self._live.total
        return curtain.version, curtain.ranking.total

    def playing(self, now: float) -> int:
        """Entries that were active in the last minute."""
        return self._presence.count(now)

    def score(self, player: str) -> float | None:
        """The player's present score, or None."""
        return self._live.score(player)

    def rank(self, player: str) -> int | None:
        """The player's present rank by the namespace's tie rule, or None."""
        return self._live.rank(player)

    def keeps(self, round: int | None) -> bool:
        """Whether it can be viewed in a round: the present one (None), or one that is kept."""
        number = self.round.number
        return round in (None, number) or any(past.number == round for past in self._past)

    def view(self, view: View) -> Window:
        """The board through a view of a round that it `keeps`."""
        if view.round is not None and view.round != self.round.number:
            past = next(past for past in self._past if past.number == view.round)
            return past.ranking.window(view, past.version)
        if self._curtain is None or view.live:
            return self._live.window(view, self.version)
        return self._curtain.ranking.window(view, self._curtain.version)

    def people(self, prefix: str, limit: int) -> list[Person]:
        """Players whose name or id begins like ``prefix``, whatever its case, at most ``limit``: of the first
        `SEARCHED` entries as they came, then by id those who are hidden or banned and not there."""
        prefix = prefix.casefold()
        found: list[Person] = []
        for player, entry in itertools.islice(self._live.entries.items(), SEARCHED):
            if len(found) == limit:
                return found
            if _begins(prefix, player) or _begins(prefix, entry.name or ""):
                row = self._live.row(player)
                found.append(Person(player=player, name=entry.name, row=row, hidden=entry.shelved))
        away = {**self._hidden, **self._banned}
        for player in sorted(away.keys() - self._live.entries.keys()):
            name = away[player]
            if _begins(prefix, player) or _begins(prefix, name or ""):
                person = Person(
                    player=player,
                    name=name,
                    row=None,
                    hidden=player in self._hidden,
                    banned=player in self._banned,
                    away=True,
                )
                found.append(person)
        return found[:limit]

    def _check(self) -> None:
        """Assert that its parts agree; for tests."""
        self._live.check()
        assert len(self) <= self.rules.max_entries
        assert max((entry.seq for entry in self._live.entries.values()), default=0) <= self._seq
        for player, entry in self._live.entries.items():
            assert entry.shelved == (player in self._hidden)
        assert not self._banned.keys() & self._live.entries.keys()
        kept = self._kept
        self._count_kept()
        assert self._kept == kept
        assert self.shown[0] <= self.version
        due = self.due
        self._plan()
        assert self.due == due
        for past in self._past:
            past.ranking.check()
            for player, entry in past.ranking.entries.items():
                assert entry.shelved == (player in self._hidden)
        if self._curtain is not None:
            self._curtain.ranking.check()
            for player, entry in self._curtain.ranking.entries.items():
                assert entry.shelved == (player in self._hidden)
                assert player in self._live.entries
            assert not self._curtain.fallen
        self._presence.check(self._live.entries.values())
        self._retries._check()


_CONTROLS: dict[type[Control], Callable[..., bool]] = {
    Open: Board._open,
    Close: Board._close,
    Clear: Board._clear,
    Freeze: Board._freeze,
    Unfreeze: Board._unfreeze,
    Reveal: Board._reveal,
    Props: Board._set_props,
    Enter: Board._enter,
    Hide: Board._hide,
    Show: Board._show,
    Ban: Board._ban,
    Unban: Board._unban,
    Undo: Board._undo,
}


def _begins(prefix: str, text: str) -> bool:
    return text.casefold().startswith(prefix)


def _why_closed(round: Round, now: float) -> str:
    if round.starts_at is not None:
        return f"round {round.number} begins in {math.ceil(round.starts_at - now)} s"
    return f"round {round.number} takes no scores: it is closed"
