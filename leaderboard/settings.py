"""The settings table: every setting's name, default and reason, read by the code, the CLI, the docs and the tests.

Everything about settings is imported from here; the tables inside the table are files of their own (`quotas`,
`namespaces`, `trust`), and so are the kinds of `values`. Where the values come from is for `sources` to say. The shape
mirrors an AppSync Event API: auth modes for connecting and defaults for publishing and subscribing, namespaces that may
override the last two, and AppSync's quotas as default limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    IPvAnyNetwork,
    SecretStr,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from leaderboard.namespaces import MAX_TOP, Namespace, default_namespaces
from leaderboard.quotas import Limits
from leaderboard.trust import Algorithm, ApiKey, ClaimedRole, Oidc, RoleName
from leaderboard.values import (
    MAX_SCORE,
    MIN_KEY,
    OIDC_MODES,
    AuthMode,
    AuthModes,
    Duration,
    ImportString,
    render,
    without_password,
)

__all__ = [
    "DEV",
    "LOCAL",
    "MAX_OF",
    "MAX_RADIUS",
    "MAX_SCORE",
    "MAX_TOP",
    "MIN_KEY",
    "MIN_SECRET",
    "NESTED",
    "OIDC_MODES",
    "PREFIX",
    "PUBLIC_KEY",
    "Algorithm",
    "ApiKey",
    "AuthMode",
    "ClaimedRole",
    "ConfigError",
    "Duration",
    "Limits",
    "Namespace",
    "Oidc",
    "RoleName",
    "Settings",
    "default_namespaces",
    "render",
    "table",
]

MAX_OF = 100
MAX_RADIUS = 50
MIN_SECRET = 32
"""Bytes of a secret: as many as the signature that it makes has (RFC 7518, 3.2)."""

LOCAL = "http://127.0.0.1:8000"
"""Where a server is that nobody has configured."""
PUBLIC_KEY = "pk_viewer"
"""By what everybody may look at its boards."""
DEV = "dev"
"""The certificate that is made on the spot."""

PREFIX = "LEADERBOARD_"
"""What the names of all variables of the environment begin with."""

_ENGINE = re.compile(r"rediss?(\+(cluster|sentinel))?://[^\s]+")
BlockedName = Annotated[str, Field(pattern=r"^\*?[\p{L}\p{M}]+\*?$")]
Proxy = Literal["*"] | IPvAnyNetwork
# A source as frame-ancestors of a Content-Security-Policy has it: nothing else may get into that header.
_SITE = re.compile(r"\*|https?://(?:\*\.)?[A-Za-z0-9.-]+(?::(?:[0-9]{1,5}|\*))?")
_SEGMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?")


class Settings(BaseSettings):
    """Everything that can be configured. Built from explicit values only; `sources` reads where they stand."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # a key may stand there
        env_prefix=PREFIX,
        env_nested_delimiter="__",
    )

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 lets phones in.")
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 = any free one.")
    engine_url: str = Field(
        "memory://",
        description="Where boards live: in this process, or, for more than one, in Redis 7 or newer, or Valkey:"
        " `redis://host:6379`, `rediss://` with TLS, `redis+cluster://host,host`, `redis+sentinel://host,host/service`,"
        " or independent servers in a list with commas.",
    )
    emulate: bool = Field(
        False,
        description="Be no more than AppSync Events is at AWS: every channel relays, quotas are AWS's, extensions are"
        " passed over and told in the log.",
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="Processes that `serve` starts; more than one need an engine that they share.",
    )
    worker_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="Port of the first worker alone, the others follow: for metrics, and for load balancers; 0 = none.",
    )
    tls_cert: str = Field(
        "",
        description="File of the certificate chain (PEM) to serve TLS with; `dev` = one made for this run.",
    )
    tls_key: str = Field("", description="File of its private key (PEM).")
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^\s/?#]+)?$",
        description="What links point to when it is not the address listened on, as https://scores.example.",
    )
    trusted_proxies: tuple[Proxy, ...] = Field(
        (),
        description="Addresses and networks of proxies, as 10.0.0.5 or 10.0.0.0/8, whose X-Forwarded-For and -Proto are"
        ' believed; `["*"]` = anybody\'s, for a server that only its proxy can reach.',
    )
    secret: SecretStr = Field(
        SecretStr(""),
        description=f"Signs tokens, {MIN_SECRET} bytes or more; made anew at each start when empty, which ends all"
        " tokens of the start before.",
    )
    tokens_not_before: AwareDatetime | None = Field(
        None,
        description="No token that was issued before is taken, as 2026-01-31T18:00:00Z: a revocation lasts as long as"
        " boards do, this as long as it is configured.",
    )
    viewer_key: str = Field(
        PUBLIC_KEY,
        description='A key that may view every board, public by nature (pages carry it); "" = no public viewing.',
    )
    blocked_names: tuple[BlockedName, ...] | None = Field(
        None,
        description="Words that no name in a room may hold, instead of the built-in list; a `*` at an end stands for"
        " more of the same word; `[]` = none.",
    )
    frame_ancestors: tuple[str, ...] = Field(
        ("*",),
        description="Sites whose pages may frame a board, as https://blog.example or https://*.example; "
        '`["*"]` is any, `[]` none but this one.',
    )
    rooms: Literal["anyone", "host"] = Field(
        "anyone", description="Who may make a room of the game: anyone | host."
    )
    connection_auth_modes: AuthModes = Field(
        ("API_KEY",), description="What may open a connection."
    )
    default_publish_auth_modes: AuthModes = Field(("API_KEY",), description="What may publish.")
    default_subscribe_auth_modes: AuthModes = Field(("API_KEY",), description="What may subscribe.")
    api_keys: tuple[ApiKey, ...] = Field(
        (), description="API keys; with none, `serve` makes one for this run and prints it."
    )
    oidc: Oidc = Field(Oidc(), description="The OpenID provider.")
    authorizer: ImportString | None = Field(
        None,
        description="The custom authorizer of the mode AWS_LAMBDA, as `package.module:function`.",
    )
    authorizer_timeout: Duration = Field(
        2.0, description="An authorizer that takes longer is given up."
    )
    authorizer_ttl: float = Field(
        300.0,
        ge=0,
        le=3600,
        allow_inf_nan=False,
        description="Seconds that its answer is good for, where that has no `ttlOverride`; 0 = asked each time.",
    )
    metrics_key: SecretStr = Field(
        SecretStr(""),
        description="What /metrics asks for, as `Authorization: Bearer …` or x-api-key; empty: nothing.",
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="Log lines for people, or one JSON object a line."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="debug also tells of each connection, request and refusal.",
    )
    limits: Limits = Field(Limits(), description="Ceilings and rates.")
    namespaces: dict[str, Namespace] = Field(
        default_factory=default_namespaces,
        description="Rules by namespace. Only these exist; the defaults are `leaderboard`, `game` and `default`.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # They are merged by `sources.load`, which must tell for each value where it came from.
        return (init_settings,)

    @field_validator("secret")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value().encode()) < MIN_SECRET:
            raise ValueError(f"a secret has at least {MIN_SECRET} bytes")
        return value

    @field_serializer("engine_url")
    def _without_password(self, value: str) -> str:
        return without_password(value)

    @field_validator("engine_url")
    @classmethod
    def _engine(cls, value: str) -> str:
        if value != "memory://" and not _ENGINE.match(value):
            raise ValueError(
                "memory:// or redis://, rediss://, redis+cluster://, redis+sentinel://"
            )
        return value

    @field_validator("metrics_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < MIN_KEY:
            raise ValueError(f"a key has at least {MIN_KEY} characters")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Settings:
        if self.tls_key and self.tls_cert in ("", DEV):
            raise ValueError("tls_key needs the tls_cert that belongs to it")
        if self.worker_port and self.worker_port + self.workers > 65_536:
            raise ValueError("there are not so many ports from worker_port on")
        return self

    @field_validator("frame_ancestors")
    @classmethod
    def _sites(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for site in value:
            if not _SITE.fullmatch(site):
                raise ValueError(f"{site!r} is no site: * or https://blog.example")
        return value

    @field_validator("namespaces")
    @classmethod
    def _namespace_names(cls, value: dict[str, Namespace]) -> dict[str, Namespace]:
        if not value:
            raise ValueError("at least one namespace is needed")
        for name in value:
            if not _SEGMENT.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no namespace: letters, digits and inner dashes, 1 to 50"
                )
        return value

    @model_validator(mode="after")
    def _modes_have_providers(self) -> Settings:
        for name, modes in self._all_modes():
            for mode in modes:
                if mode in OIDC_MODES and not self.oidc.issuer:
                    raise ValueError(f"{name}: {mode} needs oidc.issuer")
                if mode == "AWS_LAMBDA" and self.authorizer is None:
                    raise ValueError(f"{name}: {mode} needs authorizer")
        return self

    def _all_modes(self) -> Iterator[tuple[str, AuthModes]]:
        yield "connection_auth_modes", self.connection_auth_modes
        yield "default_publish_auth_modes", self.default_publish_auth_modes
        yield "default_subscribe_auth_modes", self.default_subscribe_auth_modes
        for name, rules in self.namespaces.items():
            yield f"namespaces.{name}.publish_auth_modes", rules.publish_auth_modes or ()
            yield f"namespaces.{name}.subscribe_auth_modes", rules.subscribe_auth_modes or ()


class ConfigError(Exception):
    """The configuration cannot be used; the text says which setting, from which source, and why."""


def table(model: type[BaseModel] = Settings, prefix: str = "") -> list[tuple[str, str, str]]:
    """Every setting as (dotted name, default, description), in the order of the source."""
    rows: list[tuple[str, str, str]] = []
    for name, field in model.model_fields.items():
        nested = NESTED.get(f"{prefix}{name}")
        if nested is not None:
            rows += table(nested[1], prefix=nested[0])
        else:
            default = "required" if field.is_required() else render(field.get_default())
            rows.append((f"{prefix}{name}", default, field.description or ""))
    return rows


NESTED: dict[str, tuple[str, type[BaseModel]]] = {
    "api_keys": ("api_keys[].", ApiKey),
    "limits": ("limits.", Limits),
    "oidc": ("oidc.", Oidc),
    "namespaces": ("namespaces.NAME.", Namespace),
}
