"""AppSync Events as AWS runs it, on a laptop or in CI: what `serve --emulate` takes away from this server.

An emulator must not be kinder than what it stands for: a program that passes against it has to pass against AWS. So
every channel relays, quotas are AWS's, whoever has a key or a token may do all that its mode is accepted for, and what
is ours alone is not there. Whatever a client tries of that is told in the log, since at AWS it would not work.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from leaderboard.settings import Limits, Namespace, Settings

log = logging.getLogger(__name__)

NAMESPACES = 50
"""Namespaces of an API (AppSync's quota)."""
SUBSCRIBE_BYTES = 240 * 1024
"""The largest subscribe (AppSync's quota)."""
MOST_TOLD = 1_000
"""What clients invent must not fill the memory."""
QUOTAS = (
    "publishes_per_second",
    "connects_per_second",
    "subscriptions_per_connection",
    "keep_alive",
    "connection_lifetime",
)
"""Limits whose defaults are AppSync's figures."""
RANKING = ("mode", "order", "ties", "top", "events", "min_score", "max_score")
"""Rules of a namespace that mean nothing where nothing is ranked."""


def emulated(settings: Settings) -> tuple[Settings, list[str]]:
    """The settings of an API at AWS, and a sentence for each thing in which they are not those that were given."""
    configured = "namespaces" in settings.model_fields_set
    namespaces = settings.namespaces if configured else {"default": Namespace(kind="relay")}
    changed = {
        "emulate": True,
        "namespaces": {name: _relay(rules) for name, rules in namespaces.items()},
        "limits": settings.limits.model_copy(
            update={name: getattr(Limits(), name) for name in QUOTAS}
        ),
        "api_keys": tuple(
            key.model_copy(update={"role": _raised(key.role), "channels": ("/*",)})
            for key in settings.api_keys
        ),
        "oidc": settings.oidc.model_copy(
            update={
                "roles": {value: _raised(role) for value, role in settings.oidc.roles.items()},
                "default_role": _raised(settings.oidc.default_role),
                "channels": ("/*",),
            }
        ),
        "viewer_key": "",
    }
    return settings.model_copy(update=changed), list(_differences(settings, namespaces))


_ROLES = ("none", "viewer", "player", "scorekeeper", "host", "admin")


def _raised(role: str) -> str:
    """At AWS whoever is let in may publish and subscribe."""
    return max(role, "scorekeeper", key=_ROLES.index)


def _relay(rules: Namespace) -> Namespace:
    kept = rules.model_dump(exclude={"kind", *RANKING}, exclude_unset=True)
    return Namespace(kind="relay", **kept)


def _differences(settings: Settings, namespaces: dict[str, Namespace]) -> Iterator[str]:
    for name, rules in namespaces.items():
        if rules.kind == "board":
            yield f"namespaces.{name} ranks scores; at AWS, and here, it relays events as they came."
    if len(namespaces) > NAMESPACES:
        yield f"There are {len(namespaces)} namespaces; at AWS an API has {NAMESPACES} at most."
    for name in QUOTAS:
        given, quota = getattr(settings.limits, name), getattr(Limits(), name)
        if given != quota:
            yield f"limits.{name} is {given:g}; AWS's quota holds, {quota:g}."
    for index, key in enumerate(settings.api_keys):
        if key.role == "viewer" or key.channels != ("/*",):
            yield f"api_keys.{index} is restricted; at AWS, and here, a key may use every channel."
    tokens = settings.oidc
    roles: set[str] = set(tokens.roles.values())
    if "default_role" in tokens.model_fields_set:  # what nobody has asked for is nothing to tell
        roles |= {tokens.default_role}
    if any(role != _raised(role) for role in roles) or tokens.channels != ("/*",):
        yield "oidc restricts tokens; at AWS, and here, a token may use every channel."


class Emulation:
    """What clients have relied on that AWS does not have: each thing is told once."""

    def __init__(self, differences: Iterable[str] = ()) -> None:
        self.told: dict[str, None] = {}
        for difference in differences:
            self.tell(difference)

    def tell(self, what: str) -> None:
        """Tell something, in a sentence."""
        if what not in self.told and len(self.told) < MOST_TOLD:
            self.told[what] = None
            log.warning("emulation: %s", what)
