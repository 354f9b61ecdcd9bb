"""Why clients were refused lately: what an operator asks first when somebody says that it does not work.

Equal refusals are one entry with a count. Whoever makes up ever new reasons pushes out old ones, and no more: the
counters of `metrics` are complete.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass

from leaderboard.errors import Refusal
from leaderboard.logs import request_id

log = logging.getLogger(__name__)

KEPT = 100
LONGEST = 300
"""Characters of a reason: some of them quote what a client has sent."""


@dataclass(slots=True)
class Reason:
    """One reason; ``who`` is the connection or the request that met it last, at ``last`` in seconds since 1970."""

    operation: str
    error_type: str
    message: str
    count: int = 0
    last: float = 0.0
    who: str = ""


class Refusals:
    """The last reasons of one process."""

    def __init__(self) -> None:
        self._reasons: OrderedDict[tuple[str, str, str], Reason] = OrderedDict()

    def note(self, operation: str, refusal: Refusal, connection: str = "") -> None:
        """``operation`` was refused, on a connection or in the request that is being answered."""
        self.note_as(operation, refusal.error_type, refusal.message, connection)

    def note_as(self, operation: str, error_type: str, message: str, connection: str = "") -> None:
        """The same, of a refusal that is in words already."""
        key = (operation, error_type, message[:LONGEST])
        reason = self._reasons.pop(key, None) or Reason(*key)
        reason.count += 1
        reason.last = time.time()
        reason.who = connection or request_id.get()
        self._reasons[key] = reason
        if len(self._reasons) > KEPT:
            self._reasons.popitem(last=False)
        if log.isEnabledFor(logging.DEBUG):
            extra = {"connection": connection} if connection else None
            log.debug("%s refused: %s", operation, error_type, extra=extra)

    def latest(self) -> list[Reason]:
        """The reasons, the latest first."""
        return list(reversed(self._reasons.values()))
