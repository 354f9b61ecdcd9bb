"""Whose credentials are taken: API keys, and the OpenID provider, as tables of settings."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from leaderboard.values import MIN_KEY, Duration, Table

RoleName = Literal["viewer", "scorekeeper", "host", "admin"]
"""What a key may be. A token may be a player's too."""
ClaimedRole = Literal["viewer", "player", "scorekeeper", "host", "admin"]
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
"""None that signs by a shared secret: whoever knows the public key must not be able to write a token."""
_HOST = (
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_ORIGIN = re.compile(rf"https?://(?:\*\.)?{_HOST}(?::[0-9]{{1,5}})?")
"""As browsers send it: no path, and the port only where it is not the scheme's own."""
_PROVIDER = re.compile(
    rf"(?:https://{_HOST}|http://(?:localhost|127\.0\.0\.1|\[::1\]))(?::[0-9]{{1,5}})?(?:/[^\s?#]*)?"
)
"""A key that came over a line that anybody may have changed proves nothing."""


class ApiKey(Table):
    """One API key: who holds it may do what its role may, on the channels that its patterns cover."""

    key: SecretStr = Field(description="The key itself, opaque to clients.")
    role: RoleName = Field("viewer", description="viewer | scorekeeper | host | admin.")
    channels: tuple[str, ...] = Field(
        ("/*",), min_length=1, description='Channels that it covers; `"/*"` is every channel.'
    )
    origins: tuple[str, ...] = Field(
        (),
        description="Sites whose pages may use it, as https://blog.example or https://*.example; with none it is not"
        " bound. It stops the pages of other sites, not programs: those say of themselves what they like.",
    )

    @field_validator("key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < MIN_KEY:
            raise ValueError(f"a key has at least {MIN_KEY} characters")
        return value

    @field_validator("origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin: https://blog.example")
        return tuple(origin.lower() for origin in value)


class Oidc(Table):
    """The OpenID provider whose tokens are taken, and what their claims are worth here."""

    issuer: str = Field(
        "",
        description="The provider, exactly as its tokens name it (`iss`), as https://id.example/realms/games; it is"
        ' found by its discovery document; "" = none.',
    )
    jwks_uri: str = Field(
        "", description="Where its keys are, for a provider that has no discovery document."
    )
    audiences: tuple[str, ...] = Field(
        (),
        description="Who a token must be meant for: its `aud`, or, where it has none, its `client_id`, as the access"
        " tokens of user pools do. At least one.",
    )
    algorithms: tuple[Algorithm, ...] = Field(
        ("RS256", "ES256"), min_length=1, description="Signatures that are taken."
    )
    clock_skew: Duration = Field(
        30.0, le=300, description="How far the provider's clock may be from this server's."
    )
    keys_ttl: Duration = Field(
        3600.0,
        description="Its keys are asked for anew after so long, and when a token names a new one.",
    )
    role_claim: str = Field(
        "",
        description="The claim that decides on the role, as `cognito:groups`, or `realm_access.roles` of a nested one;"
        ' a text or a list of texts; "" = `default_role` for all.',
    )
    roles: dict[str, ClaimedRole] = Field(
        {},
        description='What a value of that claim is worth, as `{ umpires = "scorekeeper" }`; the highest counts.',
    )
    default_role: Literal["none"] | ClaimedRole = Field(
        "viewer", description="The role of who has none of those; none = refused."
    )
    player_claim: str = Field(
        "sub", description="The claim that names the player, for the role player."
    )
    channels: tuple[str, ...] = Field(
        ("/*",),
        min_length=1,
        description='Channels that its tokens cover; `"/*"` is every channel.',
    )

    @field_validator("issuer", "jwks_uri")
    @classmethod
    def _secure(cls, value: str) -> str:
        if value and not _PROVIDER.fullmatch(value):
            raise ValueError("an address that begins with https:// (on this machine also http://)")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Oidc:
        if self.issuer and not self.audiences:
            raise ValueError(
                "audiences is empty: a token that is meant for anybody is good nowhere"
            )
        if not self.issuer and (self.jwks_uri or self.audiences):
            raise ValueError("issuer is missing")
        return self
