"""The settings table: every setting's name, default and reason, read by the code, the CLI, the docs and the tests.

Where their values come from is for `sources` to say. The shape mirrors an AppSync Event API: auth modes for connecting
and defaults for publishing and subscribing, namespaces that may override the last two, and AppSync's quotas as default
limits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
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

MAX_SCORE = 2.0**53 - 1
"""Largest magnitude of a score: the largest integer that JSON readers and JavaScript hold exactly."""
MAX_TOP = 100
MAX_OF = 100
MAX_RADIUS = 50
MIN_KEY = 8
MIN_SECRET = 32
"""Bytes of a secret: as many as the signature that it makes has (RFC 7518, 3.2)."""

_ENGINE = re.compile(r"rediss?(\+(cluster|sentinel))?://[^\s]+")
_PASSWORD = re.compile(r"(://[^/@\s]*:)[^/@\s]+@")
DEV = "dev"
"""The certificate that is made on the spot."""

PREFIX = "LEADERBOARD_"
"""What the names of all variables of the environment begin with."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")


def _seconds(value: object) -> object:
    """``"90s"``, ``"2h"`` or a bare number of seconds."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        return float(match[1]) * _UNITS[match[2]]
    return value


Duration = Annotated[float, BeforeValidator(_seconds), Field(gt=0, allow_inf_nan=False)]
"""Seconds; written ``"500ms"``, ``"90s"``, ``"5m"``, ``"2h"``, ``"1d"`` or as a number."""

AuthMode = Literal["API_KEY", "OPENID_CONNECT", "AMAZON_COGNITO_USER_POOLS", "AWS_LAMBDA"]
"""AppSync's auth modes, but for AWS_IAM: nobody here knows the secret keys of AWS."""
OIDC_MODES: frozenset[AuthMode] = frozenset({"OPENID_CONNECT", "AMAZON_COGNITO_USER_POOLS"})
"""Two names of one thing: a user pool is an OpenID provider."""
AuthModes = Annotated[tuple[AuthMode, ...], Field(min_length=1)]
RoleName = Literal["viewer", "scorekeeper", "host", "admin"]
"""What a key may be. A token may be a player's too."""
ClaimedRole = Literal["viewer", "player", "scorekeeper", "host", "admin"]
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
"""None that signs by a shared secret: whoever knows the public key must not be able to write a token."""
BlockedName = Annotated[str, Field(pattern=r"^\*?[\p{L}\p{M}]+\*?$")]
ImportString = Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")]
"""Where a function is: ``package.module:function``."""
Proxy = Literal["*"] | IPvAnyNetwork
Bound = Annotated[float, Field(ge=-MAX_SCORE, le=MAX_SCORE, allow_inf_nan=False)]
_HOST = (
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_ORIGIN = re.compile(rf"https?://(?:\*\.)?{_HOST}(?::[0-9]{{1,5}})?")
"""As browsers send it: no path, and the port only where it is not the scheme's own."""
_PROVIDER = re.compile(
    rf"(?:https://{_HOST}|http://(?:localhost|127\.0\.0\.1|\[::1\]))(?::[0-9]{{1,5}})?(?:/[^\s?#]*)?"
)
"""A key that came over a line that anybody may have changed proves nothing."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ApiKey(_Table):
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


class Oidc(_Table):
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


class Limits(_Table):
    """Ceilings and rates. AppSync's quota where it has one."""

    publishes_per_second: int = Field(
        25, ge=0, description="Publishes per connection in any second (AppSync's figure); 0 = off."
    )
    publishes_per_player: int = Field(
        50,
        ge=0,
        description="Publishes of one player's tokens in any second, over all its connections and HTTP: two devices at"
        " AppSync's figure; 0 = off.",
    )
    publishes_per_credential: int = Field(
        0,
        ge=0,
        description="Publishes by one key or token in any second, over all connections and HTTP; 0 = off, since all"
        " players of a game may share a key.",
    )
    subscriptions_per_connection: int = Field(
        200, ge=1, description="Live subscriptions of one connection (AppSync's figure)."
    )
    subscriptions_backlog: ByteSize = Field(
        ByteSize(2 * 1024**2),
        gt=0,
        description="Relay and raw events that may wait for one slow connection before it is closed with 1013.",
    )
    frame: ByteSize = Field(
        ByteSize(int(3.5 * 1024**2)),
        ge=1024,
        description="Largest frame; a longer one closes its connection with 1009. Amplify repeats the events in its"
        " payload, so five events of 240 KB need more than 2.4 MB.",
    )
    unfinished: ByteSize = Field(
        ByteSize(256 * 1024**2),
        gt=0,
        description="Bytes of frames that have come in part, of all connections together; beyond it whoever has sent"
        " more than 64 KiB of one is closed with 1013.",
    )
    connections: int = Field(10_000, ge=1, description="Open connections; one more is refused.")
    connections_per_address: int = Field(
        5_000,
        ge=0,
        description="Of these, from one address (IPv6: one /64): a whole school behind one address fits, and nobody"
        " alone fills the server; 0 = off.",
    )
    connects_per_second: int = Field(
        2_000,
        ge=0,
        description="New connections in any second (AppSync's figure); more are told when to try again; 0 = off.",
    )
    connects_per_address: int = Field(
        5_000,
        ge=0,
        description="New connections from one address in any ten seconds: all that it may hold can come back at once;"
        " 0 = off.",
    )
    channels: int = Field(10_000, ge=1, description="Boards that live at the same time.")
    rooms: int = Field(
        200, ge=0, description="Rooms of the game that are open at the same time; 0 = none."
    )
    joins_per_second: int = Field(
        100,
        ge=0,
        description="Rooms made and joined from one address in any second, which a classroom shares; 0 = off.",
    )
    entries: int = Field(
        2_000_000, ge=1, description="Entries of all boards together: about 250 bytes each."
    )
    first_frame: Duration = Field(
        60.0, description="A connection that has said nothing for so long is closed with 1008."
    )
    request: Duration = Field(
        30.0,
        description="A request, an upgrade or a frame that is not whole after so long is given up: 408, or close code"
        " 1013.",
    )
    stuck: Duration = Field(
        30.0,
        description="A connection that has taken nothing for so long of what waits for it is closed with 1013.",
    )
    keep_alive: Duration = Field(
        60.0,
        description="Pause between `ka` frames (AppSync's figure; amplify-js wants 60 s or less).",
    )
    connection_lifetime: Duration = Field(
        86_400.0, description="A connection is closed after so long (AppSync's figure)."
    )


class Namespace(_Table):
    """The rules of all channels below one first segment."""

    kind: Literal["board", "relay"] = Field(
        "board",
        description="board: scores in, snapshots out. relay: plain AppSync, events as they came.",
    )
    mode: Literal["best", "latest", "sum"] = Field(
        "best", description="What a new score does to the old one: best of both, latest, or sum."
    )
    order: Literal["desc", "asc"] = Field("desc", description="Whether more is better, or less.")
    ties: Literal["competition", "ordinal"] = Field(
        "competition",
        description="Ranks of equal scores: 1224 or 1234. Who got there first stands first.",
    )
    top: int = Field(10, ge=1, le=MAX_TOP, description="Rows of the default view.")
    interval_ms: int = Field(
        100,
        ge=10,
        le=60_000,
        description="A board that keeps changing is sent once in so many milliseconds.",
    )
    max_entries: int = Field(
        100_000, ge=1, description="A new player on a board this full is refused."
    )
    idle_ttl: Duration = Field(
        7_200.0, description="A board lives so long after its last publish or its last subscriber."
    )
    events: bool = Field(
        False, description='Whether raw events may be subscribed to (`view: "events"`).'
    )
    min_score: Bound = Field(-MAX_SCORE, description="Smallest `score` that an event may carry.")
    max_score: Bound = Field(MAX_SCORE, description="Largest `score` that an event may carry.")
    on_publish: ImportString | None = Field(
        None, description="Handler of publishes, as `package.module:function`."
    )
    on_subscribe: ImportString | None = Field(
        None, description="Handler of subscribes, and of reads over HTTP; likewise."
    )
    handler_timeout: Duration = Field(
        2.0, description="An async handler that takes longer is given up."
    )
    publish_auth_modes: AuthModes | None = Field(
        None, description="Instead of `default_publish_auth_modes`."
    )
    subscribe_auth_modes: AuthModes | None = Field(
        None, description="Instead of `default_subscribe_auth_modes`."
    )

    @model_validator(mode="after")
    def _bounds(self) -> Namespace:
        if self.min_score > self.max_score:
            raise ValueError("min_score is above max_score")
        return self


# A source as frame-ancestors of a Content-Security-Policy has it: nothing else may get into that header.
_SITE = re.compile(r"\*|https?://(?:\*\.)?[A-Za-z0-9.-]+(?::(?:[0-9]{1,5}|\*))?")
_SEGMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?")


def default_namespaces() -> dict[str, Namespace]:
    """The namespaces of a server that configures none."""
    return {
        "leaderboard": Namespace(),
        "game": Namespace(mode="sum", on_publish="leaderboard.referee:on_publish"),
        "default": Namespace(kind="relay"),
    }


class Settings(BaseSettings):
    """Everything that can be configured. Built from explicit values only; `load` reads the sources."""

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
        " the process, this as long as it is configured.",
    )
    viewer_key: str = Field(
        "pk_viewer",
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
        2.0, description="An async authorizer that takes longer is given up."
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
        # Sources are merged by `load`, which must tell for each value where it came from.
        return (init_settings,)

    @field_validator("secret")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value().encode()) < MIN_SECRET:
            raise ValueError(f"a secret has at least {MIN_SECRET} bytes")
        return value

    @field_serializer("engine_url")
    def _without_password(self, value: str) -> str:
        return _PASSWORD.sub(r"\1********@", value)

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


def render(value: object) -> str:
    """A value as it is written in the TOML file; secrets are masked."""
    match value:
        case SecretStr() if value.get_secret_value():
            return '"********"'
        case SecretStr():
            return '""'
        case datetime():
            return value.isoformat()
        case bool():
            return str(value).lower()
        case ByteSize():
            return _render_size(value)
        case tuple():
            return "[" + ", ".join(render(item) for item in value) + "]"
        case float() if value.is_integer():
            return str(int(value))
        case str():
            value = _PASSWORD.sub(r"\1********@", value)
            return json.dumps(value, ensure_ascii=False)  # TOML has JSON's escapes
        case dict():
            pairs = (f"{json.dumps(name)} = {render(item)}" for name, item in value.items())
            return f"{{ {', '.join(pairs)} }}" if value else "{}"
        case None:
            return "unset"
    return str(value)


def _render_size(size: int) -> str:
    """With the largest unit of which it has at most one decimal, so that nothing is rounded off."""
    for unit, bytes_ in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if size >= bytes_ and size * 10 % bytes_ == 0:
            return f'"{str(size / bytes_).removesuffix(".0")}{unit}"'
    return str(int(size))
