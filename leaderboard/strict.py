"""A session as strict as AppSync's, for `serve --emulate`: it knows no extension, and tells of clients that use one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import jwt
import msgspec

from leaderboard import tokens
from leaderboard.emulation import SUBSCRIBE_BYTES, Emulation
from leaderboard.errors import InvalidInput, Unauthorized
from leaderboard.messages import Publish, Subscribe
from leaderboard.session import Session
from leaderboard.settings import PUBLIC_KEY


class StrictSession(Session):
    """A session of an emulated API."""

    emulation: ClassVar[Emulation]
    tells_failures_as_success = True
    _size = 0

    @classmethod
    def of(cls, emulation: Emulation) -> type[StrictSession]:
        """The class of one server's sessions."""
        return type("StrictSession", (cls,), {"emulation": emulation})

    @classmethod
    def look_at(cls, credentials: Mapping[str, str], named: bool) -> None:
        """AWS refuses a connection whose credential does not name the API's host."""
        if not named:
            cls.emulation.tell("a client does not offer the sub-protocol aws-appsync-event-ws")
        if all(name.lower() != "host" for name in credentials):
            cls.emulation.tell(
                "the header- sub-protocol of a client has no `host`, so it was refused"
            )
            raise Unauthorized
        look_at_credentials(cls.emulation, credentials)

    def receive(self, text: str) -> None:
        """Take one text frame."""
        self._size = len(text)
        super().receive(text)

    def _subscribe(self, message: Subscribe) -> None:
        if self._size > SUBSCRIBE_BYTES:
            raise InvalidInput(f"a subscribe exceeds {SUBSCRIBE_BYTES} bytes")
        look_at_credentials(self.emulation, message.authorization)
        if message.view is not None:
            self.emulation.tell("a subscribe has `view`, which is no member of AppSync's")
            message = msgspec.structs.replace(message, view=None)
        super()._subscribe(message)

    def _publish(self, message: Publish) -> None:
        look_at_publish(self.emulation, message.authorization, results=message.results)
        if message.results:
            message = msgspec.structs.replace(message, results=False)
        super()._publish(message)


def look_at_publish(
    emulation: Emulation, credentials: Mapping[str, Any] | None, *, results: bool
) -> None:
    """Tell of what a publish has that AWS does not know."""
    look_at_credentials(emulation, credentials)
    if results:
        emulation.tell("a publish has `results`, which is no member of AppSync's")


def look_at_credentials(emulation: Emulation, credentials: Mapping[str, Any] | None) -> None:
    """Tell of credentials that AWS takes and this server does not, and the other way round."""
    for name, value in (credentials or {}).items():
        if name.lower() == "authorization" and isinstance(value, str):
            if value.startswith("AWS4-"):
                emulation.tell(
                    "a request is signed with IAM, which is not checked here: it needs a key"
                )
            elif _is_ours(value):
                emulation.tell("a client has a token of this server, which AWS would not take")
        elif name.lower() == "x-api-key" and value == PUBLIC_KEY:
            emulation.tell(f"a client has the public key {PUBLIC_KEY}, which AWS would not take")


def _is_ours(value: str) -> bool:
    try:
        claims = jwt.decode(value.rpartition(" ")[2], options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return False
    return claims.get("iss") == tokens.OURS
