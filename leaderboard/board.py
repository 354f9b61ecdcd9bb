"""One leaderboard: what happens to it, one event after the other, and what it shows to whom.

A board puts together what it is made of: its `sheets` have the entries in their order, the live ones and those shown
instead; whether scores count now is a `rounds.Round`; `people` are hidden and banned; `retries` know what was applied
before, `presence` who is active. Whatever the host and the clock decide, an event is applied as a whole or refused and
changes nothing, and one publish is one version.

Nothing here knows the time (it comes in as ``now``, seconds on the engine's clock), the network or another board. What
the clock has made due is settled first, by every apply and every read, at the moment at which it was due.

Longer than most, for what a player, a host and the clock do are one list of short methods over the same parts: an event
that is refused must have changed none of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from leaderboard.errors import (
    Banned,
    BoardFull,
    Frozen,
    InvalidEvent,
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
from leaderboard.people import People, Person
from leaderboard.presence import BEAT, Presence
from leaderboard.ranking import Entry, View, Window, number
from leaderboard.retries import SENDERS, Retries, Seen
from leaderboard.rounds import Round
from leaderboard.settings import MAX_SCORE, Namespace
from leaderboard.sheets import Sheets

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
        self._sheets = Sheets(self._sign, ordinal=rules.ties == "ordinal")
        self._people = People()
        self._banned = self._people.banned
        """Every score asks for it."""
        self._presence = Presence()
        self._retries = Retries(capacity=rules.max_entries * SENDERS)

    def __len__(self) -> int:
        return len(self._sheets.live.entries)

    @property
    def size(self) -> int:
        """Entries that it holds, those of past rounds and of a frozen copy too."""
        return self._sheets.size

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
        sheets = self._sheets
        entry = sheets.live.entries.get(player)
        if entry is None:
            entry = self._arrive(player, event.score, capacity)
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
        private = entry.shelved or sheets.curtain is not None
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
            raise _banned()

    def _arrive(self, player: str, score: float, capacity: float) -> Entry:
        """A new player's entry; raises `BoardFull`."""
        if not self._has_room(1, capacity):
            raise BoardFull(f"no room for a new player beside the {len(self)} here")
        self._seq = seq = self._seq + 1
        entry = Entry(self._sign * score, seq)
        entry.shelved = player in self._people.hidden
        self._sheets.live.put(player, entry)
        return entry

    def _has_room(self, more: int, capacity: float) -> bool:
        """Whether a player may come, with so many entries."""
        sheets = self._sheets
        return len(sheets.live.entries) < self.rules.max_entries and sheets.size + more <= capacity

    def _rescore(self, player: str, entry: Entry, score: float) -> bool:
        key = self._sign * score
        before = entry.key
        mode = self._mode
        if mode == "sum":
            key += before
            if not -MAX_SCORE <= key <= MAX_SCORE:
                raise ScoreOutOfRange("the sum would leave the range of exact numbers, 2^53-1")
        elif mode == "best" and key >= before:
            return False
        if key == before:
            return False
        self._seq = seq = self._seq + 1
        self._sheets.live.move(player, entry, key, seq)
        return True

    def _remove(self, event: Remove) -> Applied:
        frozen = self.frozen
        private = frozen or event.player in self._people.hidden
        removed = self._take(event.player)
        if frozen:
            self._plan()  # all that was to be revealed may have gone with it
        return Applied(event.player, None, removed, private=private)

    def _take(self, player: str, *, banned: bool = False) -> bool:
        """Take a player out, so that it can be put back; whether it was there."""
        entry = self._sheets.take(player, self.version + 1, banned=banned)
        if entry is not None:
            self._presence.forget(entry)
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
        if self.frozen:
            raise Frozen("the board is frozen: reveal or unfreeze it first")
        if event.players:
            self._check_mode()
        number, version = self.round.number, self.version + 1
        self._sheets.clear(number, version, capacity, players=event.players)
        self._presence = Presence()
        self.round = self.round.next()
        return True

    def _enter(self, event: Enter, _: float, capacity: float) -> bool:
        self._check_mode()
        player = event.player
        if player in self._banned:
            raise _banned()
        entry = self._sheets.live.entries.get(player)
        new = entry is None
        if entry is None:
            entry = self._arrive(player, 0.0, capacity)
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
        if self.frozen:
            return False
        self._sheets.freeze(self.version + 1, capacity)
        return True

    def _unfreeze(self, _: Unfreeze, __: float, ___: float) -> bool:
        frozen = self.frozen
        self._sheets.unfreeze()
        return frozen

    def _reveal(self, event: Reveal, now: float, capacity: float) -> bool:
        self._sheets.reveal(
            self.version + 1,
            capacity,
            steps=event.steps,
            every=0.0 if event.every_ms is None else event.every_ms / 1000,
            now=now,
            top=self.rules.top,
        )
        return True

    def _set_props(self, event: Props, _: float, __: float) -> bool:
        # By their text: to Python, 1 and true are the same.
        before, after = (msgspec.json.encode(p, order="sorted") for p in (self.props, event.props))
        if before == after:
            return False
        self.public_props = msgspec.Raw(msgspec.json.encode(event.props.get("public", {})))
        self.props = event.props
        return True

    def _hide(self, event: Hide, _: float, __: float) -> bool:
        new = self._people.hide(event.player, self._sheets.live)
        if new:
            self._sheets.shelve(event.player, self.version + 1, shelved=True)
        return new

    def _show(self, event: Show, _: float, __: float) -> bool:
        was = self._people.show(event.player)
        if was:
            self._sheets.shelve(event.player, self.version + 1, shelved=False)
        return was

    def _ban(self, event: Ban, _: float, __: float) -> bool:
        new = self._people.ban(event.player, self._sheets.live)
        if new:
            self._take(event.player, banned=True)
        return new

    def _unban(self, event: Unban, _: float, __: float) -> bool:
        was = self._people.unban(event.player)
        if was:
            self._sheets.forget(event.player)
        return was

    def _undo(self, _: Undo, __: float, capacity: float) -> bool:
        removal = self._sheets.last_removal()
        entries = 1 if removal.shown is None else 2
        if removal.entry is not None and not self._has_room(entries, capacity):
            raise BoardFull("no room for the player that was removed")
        if removal.banned:
            self._people.unban(removal.player)
        shelved = removal.player in self._people.hidden
        self._sheets.put_back(removal, self.version + 1, shelved=shelved)
        return True

    # -- the clock ----------------------------------------------------------------------------------------------------

    def settle(self, now: float) -> bool:
        """Let happen what the clock has made due by ``now``, in order, each one version; whether anything did."""
        before = self.version
        while self.due <= now:
            moment = self.due
            self.version += 1
            if self.round.due <= moment:
                self.round = self.round.turned()
            else:
                self._sheets.step(self.version)
            self._plan()
        return self.version != before

    def _plan(self) -> None:
        self.due = min(self.round.due, self._sheets.due)

    # -- out ----------------------------------------------------------------------------------------------------------

    @property
    def frozen(self) -> bool:
        """Whether everybody sees it as it was."""
        return self._sheets.curtain is not None

    @property
    def veiled(self) -> int:
        """Places at the top that are not shown yet."""
        return self._sheets.veiled

    @property
    def shown(self) -> tuple[int, int]:
        """The version that everybody sees, and its entries."""
        return self._sheets.shown(self.version)

    def playing(self, now: float) -> int:
        """Entries that were active in the last minute."""
        return self._presence.count(now)

    def score(self, player: str) -> float | None:
        """The player's present score, or None."""
        return self._sheets.live.score(player)

    def rank(self, player: str) -> int | None:
        """The player's present rank by the namespace's tie rule, or None."""
        return self._sheets.live.rank(player)

    def keeps(self, round: int | None) -> bool:
        """Whether it can be viewed in a round: the present one (None), or one that is kept."""
        return round in (None, self.round.number) or self._sheets.keeps(round)

    def view(self, view: View) -> Window:
        """The board through a view of a round that it `keeps`."""
        if view.round in (None, self.round.number):
            return self._sheets.present(view, self.version)
        return self._sheets.past(view)

    def people(self, prefix: str, limit: int) -> list[Person]:
        """Its players whose name or id begins like ``prefix``, as `People.find` has them."""
        return self._people.find(self._sheets.live, prefix, limit)

    def _check(self) -> None:
        """Assert that its parts agree; for tests."""
        live = self._sheets.live
        self._sheets.check(self._people.hidden)
        assert len(self) <= self.rules.max_entries
        assert max((entry.seq for entry in live.entries.values()), default=0) <= self._seq
        assert not self._banned.keys() & live.entries.keys()
        assert self.shown[0] <= self.version
        due = self.due
        self._plan()
        assert self.due == due
        self._presence.check(live.entries.values())
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


def _banned() -> Refusal:
    return Banned("this player was taken off the board by its host")


def _why_closed(round: Round, now: float) -> str:
    if round.starts_at is not None:
        return f"round {round.number} begins in {math.ceil(round.starts_at - now)} s"
    return f"round {round.number} takes no scores: it is closed"
