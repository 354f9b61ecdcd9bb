"""Every refusal that a client can meet: what it is called, what it says, and how each door words it.

An error is raised where the rule is broken and carries what the peer must be told. It becomes a frame or a
response in exactly one place per door: the WebSocket sends ``error_type`` and ``message``, HTTP adds ``status``, and an
event that failed on its own is reported with ``status`` as its ``code``.

The names in the first group are AppSync's own (its SDKs switch on them); those in the second are ours, and are telling
because amplify-js shows an application nothing but the name.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class Close(IntEnum):
    """WebSocket close codes that this server sends, and what each tells a client to do."""

    NORMAL = 1000
    """Refused (a ``connection_error`` says why) or done: do not come back with the same credential."""
    GOING_AWAY = 1001
    """The connection has reached its lifetime: come back at once."""
    INVALID_DATA = 1007
    """A text frame was not UTF-8."""
    POLICY = 1008
    """The connection never said anything, or was removed."""
    RESTART = 1012
    """The server restarts or drains: come back after a random pause."""
    TOO_SLOW = 1013
    """The client reads too slowly, or the server is full: come back later."""


COME_BACK_IN = "come back in "
"""In the reason of a close with `Close.RESTART`, followed by seconds, as in "come back in 2.250 s": each client is told
another time, so that they do not all come at once. A client that knows nothing of it is only less polite."""


MAX_REASON = 200


class Refusal(Exception):
    """A request, or one event of it, that is answered with an error.

    ``error_type`` is the wire's ``errorType``; ``status`` the HTTP status, and the ``code`` of a failed event.
    """

    error_type: str = "InternalFailure"
    status: ClassVar[int] = 500
    retry_after: float | None = None
    """Seconds after which the same request may be taken; None where time alone changes nothing."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InternalFailure(Refusal):
    """The server failed; the log says how, the client is told nothing else."""

    def __init__(self, message: str = "The server could not handle this request.") -> None:
        super().__init__(message)


# -- AppSync's names ---------------------------------------------------------------------------------------------------


class Unauthorized(Refusal):
    """A missing, unknown or insufficient credential, or a namespace that does not exist."""

    error_type = "UnauthorizedException"
    status = 401

    def __init__(self, message: str = "You are not authorized to make this call.") -> None:
        super().__init__(message)


class BadRequest(Refusal):
    """A message, a channel or a parameter that is not of the required form."""

    error_type = "BadRequestException"
    status = 400


class InvalidInput(Refusal):
    """A publish that breaks a rule for its events as a whole: their number or their size."""

    error_type = "InvalidInputError"
    status = 400


class LimitExceeded(Refusal):
    """A rate or a ceiling of this server has been reached; ``message`` names it."""

    error_type = "LimitExceededError"
    status = 429

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MaxSubscriptionsReached(Refusal):
    """The connection holds as many subscriptions as it may."""

    error_type = "MaxSubscriptionsReachedError"
    status = 429


class DuplicatedOperation(Refusal):
    """The id of a live subscription of this connection was used again."""

    error_type = "DuplicatedOperationError"
    status = 400


class UnknownOperation(Refusal):
    """An id that names no live subscription of this connection."""

    error_type = "UnknownOperationError"
    status = 404


class UnsupportedOperation(Refusal):
    """A message type, or a kind of frame, that this protocol does not have."""

    error_type = "UnsupportedOperation"
    status = 400


class ResourceNotFound(Refusal):
    """A page or a board that is not there, or not for this caller."""

    error_type = "ResourceNotFound"
    status = 404


class Denied(Refusal):
    """A handler will not have this caller here."""

    error_type = "Unauthorized"
    status = 401

    def __init__(self, message: str = "You are not authorized to make this call.") -> None:
        super().__init__(message)


# -- Ours: nobody can say who this is ----------------------------------------------------------------------------------


class AuthUnavailable(Refusal):
    """The provider whose keys a token is to be checked by cannot be reached: try again later."""

    error_type = "AuthUnavailable"
    status = 503

    def __init__(self, message: str = "Tokens cannot be checked now. Try again later.") -> None:
        super().__init__(message)


# -- Ours: the engine has trouble --------------------------------------------------------------------------------------


class EngineUnavailable(Refusal):
    """The server that has the board cannot be reached: nothing was done."""

    error_type = "EngineUnavailable"
    status = 503

    def __init__(
        self, message: str = "The boards cannot be reached now. Nothing was done; try again later."
    ) -> None:
        super().__init__(message)


class OutcomeUnknown(Refusal):
    """The engine did not answer in time: what was asked for may yet be done."""

    error_type = "OutcomeUnknown"
    status = 503

    def __init__(
        self,
        message: str = "This may have been applied, or not. With `n` it is safe to send again.",
    ) -> None:
        super().__init__(message)


class EngineFull(Refusal):
    """The engine has no memory left: nothing was done."""

    error_type = "EngineFull"
    status = 507

    def __init__(
        self, message: str = "There is no memory left for boards. Nothing was done."
    ) -> None:
        super().__init__(message)


class ConfigMismatch(Refusal):
    """The board lives by other rules than this process has for its namespace: nothing was done."""

    error_type = "ConfigMismatch"
    status = 409


# -- Ours: a handler has refused ---------------------------------------------------------------------------------------


class Refused(Refusal):
    """A handler refuses the request, or one event of it; ``error_type`` may be more telling."""

    error_type = "Refused"
    status = 403

    def __init__(self, message: str, error_type: str = error_type) -> None:
        super().__init__(message)
        self.error_type = error_type


# -- Ours: one event of a publish failed -------------------------------------------------------------------------------


class InvalidEvent(Refusal):
    """An event that is not JSON or not in a board's vocabulary."""

    error_type = "InvalidEvent"
    status = 400


class ScoreOutOfRange(Refusal):
    """A score, or the sum that it would make, is beyond 2^53-1 or outside the namespace's bounds."""

    error_type = "ScoreOutOfRange"
    status = 422


class NotAllowed(Refusal):
    """A row or a control that the credential may not touch."""

    error_type = "NotAllowed"
    status = 403


class WrongRound(Refusal):
    """The event names a round that is not the present one."""

    error_type = "WrongRound"
    status = 409


class TooOld(Refusal):
    """``n`` is so far below the highest one seen that a repeat cannot be told from a new event."""

    error_type = "TooOld"
    status = 409


class NameRefused(Refusal):
    """A name under which nobody can join: nothing to see, too long, or not welcome."""

    error_type = "NameRefused"
    status = 422


class RoomFull(Refusal):
    """A room in which as many play as may."""

    error_type = "RoomFull"
    status = 409


class BoardFull(Refusal):
    """A new player on a board, or a server, that holds as many entries as it may."""

    error_type = "BoardFull"
    status = 409


class BoardTooLarge(Refusal):
    """A board of more entries than can be copied, which is what freezing it takes: time alone does not mend it."""

    error_type = "BoardTooLarge"
    status = 409


class RoundClosed(Refusal):
    """A score for a board that takes none now: its round has not begun, or is over."""

    error_type = "RoundClosed"
    status = 409


class Banned(Refusal):
    """A score of a player whom the host has taken off the board."""

    error_type = "Banned"
    status = 403


class Frozen(Refusal):
    """A control that cannot be while the board is frozen."""

    error_type = "Frozen"
    status = 409


class NotFrozen(Refusal):
    """A control that needs a frozen board."""

    error_type = "NotFrozen"
    status = 409


class NothingToUndo(Refusal):
    """There is no removal to take back, or the player is on the board again."""

    error_type = "NothingToUndo"
    status = 409


def reason(error: Exception) -> str:
    """What is wrong with an input that could not be decoded, in a sentence fit for its sender."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeError):
        return "text that is not valid Unicode"
    text = str(error)
    if text == "Input data was truncated":
        return "JSON is incomplete, or has a lone surrogate"
    text = text.replace("`$.", "`").replace(" - at `$`", "")
    # It may quote the sender, who must not make the server echo megabytes.
    return text if len(text) <= MAX_REASON else text[:MAX_REASON] + "..."
