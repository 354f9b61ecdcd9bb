"""What a setting can hold: kinds of values, how they are read, and how they are written down again.

Which settings there are is for `settings` and the tables below it to say.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, SecretStr

MAX_SCORE = 2.0**53 - 1
"""Largest magnitude of a score: the largest integer that JSON readers and JavaScript hold exactly."""
MIN_KEY = 8
"""Characters of a key."""
_PASSWORDS = re.compile(
    # up to the last @ of each URL of a list, whatever was not escaped; a port is none
    r"(://[^:/?#@\s,]*:)(?!\d{1,5}[/?#,])(?:(?!://)\S)*(?=@)"
    r"|([?&]\w*password=)[^&\s,]*"
)
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
ImportString = Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")]
"""Where a function is: ``package.module:function``."""


class Table(BaseModel):
    """A table of settings: what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    return _PASSWORDS.sub(r"\1\2********", url)


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
            return json.dumps(
                without_password(value), ensure_ascii=False
            )  # TOML has JSON's escapes
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
