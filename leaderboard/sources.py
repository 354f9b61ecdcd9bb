"""Where settings come from: four sources, of which the later wins.

The defaults of `settings`, a TOML file, the environment (``LEADERBOARD_LIMITS__FRAME``), flags of the command line. A
name that does not exist is an error that names the nearest one that does, and every error says which source is wrong.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from leaderboard.settings import NESTED, PREFIX, ConfigError, Settings, render

DEFAULT_FILE = "leaderboard.toml"
NOT_SETTINGS = ("config", "key", "token", "url")
"""Names behind the prefix that the command line reads for itself: which file, and whom its clients talk to, and how."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Effective settings; for each dotted name that is not a default, the source it came from; the file, if one."""

    settings: Settings
    sources: Mapping[str, str]
    file: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the settings were made of, for a process that makes them once more; secrets are in it."""


def load(
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Loaded:
    """Merge file, environment and flags. Without ``config``, ``LEADERBOARD_CONFIG`` or ./leaderboard.toml is read.

    Raises `ConfigError` with one line for each thing that is wrong.
    """
    named = config or (Path(environ[f"{PREFIX}CONFIG"]) if environ.get(f"{PREFIX}CONFIG") else None)
    file = named or (Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None)
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if file is not None:
        layers.append((str(file), _read_toml(file)))
    layers.append(("environment", _read_environment(environ)))
    layers.append(("command line", flags or {}))

    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, values in layers:
        _merge(merged, values)
        for name in _dotted(values):
            sources.pop(name, None)  # the order tells who had the last word
            sources[name] = source
    try:
        return Loaded(Settings(**merged), sources, file, merged)
    except ValidationError as error:
        raise ConfigError(_explain(error, sources)) from None


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from None


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    given = {key: value for key, value in environ.items() if key.upper().startswith(PREFIX)}
    for key in given:
        name, below, _ = key[len(PREFIX) :].lower().partition("__")
        known = name in NESTED if below else name in Settings.model_fields or name in NOT_SETTINGS
        if not known:
            hint = _nearest(name, [*Settings.model_fields, *NOT_SETTINGS])
            raise ConfigError(
                f"environment: {key} is no setting{hint and f'; did you mean {PREFIX}{hint.upper()}?'}"
            )
    source = EnvSettingsSource(Settings)
    source.env_vars = {key.lower(): value for key, value in given.items()}
    try:
        return source()
    except SettingsError as error:
        # Of its JSON parser: `error parsing value for field "…" from source "…"`.
        field = str(error).partition(" from source")[0]
        raise ConfigError(f"environment: {field}: lists and tables are JSON there") from None


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping):
            below = into.get(key)
            into[key] = dict(below) if isinstance(below, dict) else {}
            _merge(into[key], value)
        else:
            into[key] = value


def _dotted(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    names: list[str] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            names += _dotted(value, f"{prefix}{key}.")
        else:
            names.append(f"{prefix}{key}")
    return names


def _nearest(name: str, known: list[str]) -> str:
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.5)), "")


def _explain(error: ValidationError, sources: Mapping[str, str]) -> str:
    lines = []
    for item in error.errors(include_input=False, include_url=False):
        path = [str(part) for part in item["loc"]]
        name = ".".join(path)
        source = _source(name, sources)
        if item["type"] == "extra_forbidden":
            hint = _nearest(path[-1], _siblings(path))
            parent = "".join(f"{part}." for part in path[:-1])
            text = f"no such setting{hint and f'; did you mean {parent}{hint}?'}"
        else:
            text = item["msg"].removeprefix("Value error, ")
        # What contradicts something elsewhere names both settings itself.
        lines.append(f"{source}: {name}: {text}" if name else f"{source}: {text}")
    return "\n".join(lines)


def _source(name: str, sources: Mapping[str, str]) -> str:
    """Where a value came from, or else the last of what is above or below it: the last had its way."""
    near = [
        found
        for dotted, found in sources.items()
        if not name or f"{dotted}.".startswith(f"{name}.") or f"{name}.".startswith(f"{dotted}.")
    ]
    return sources.get(name) or (near[-1] if near else "configuration")


def _siblings(path: list[str]) -> list[str]:
    model: type[BaseModel] = Settings
    if len(path) > 1 and path[0] in NESTED:
        model = NESTED[path[0]][1]
    return list(model.model_fields)


def toml(model: BaseModel, sources: Mapping[str, str], prefix: str = "") -> Iterator[str]:
    """The settings of a table, each with its source, then the tables below it: as TOML, line by line; masked."""
    plain: dict[str, str] = {}
    tables: list[tuple[str, str, BaseModel]] = []
    for name in type(model).model_fields:
        match getattr(model, name):
            case None:
                pass  # TOML has no word for it
            case BaseModel() as below:
                tables.append((f"[{name}]", f"{name}.", below))
            case dict() as named if name == "namespaces":
                tables += [(f"[{name}.{key}]", f"{name}.{key}.", at) for key, at in named.items()]
            case (BaseModel(), *_) as several:
                tables += [(f"[[{name}]]", f"{name}.", at) for at in several]
            case value:
                plain[name] = f"{name} = {render(value)}"
    width = max(map(len, plain.values()), default=0)
    for name, text in plain.items():
        yield f"{text:<{width}}  # {_origin(f'{prefix}{name}', sources)}"
    for heading, below_prefix, below in tables:
        yield f"\n{heading}"
        yield from toml(below, sources, below_prefix)


def _origin(name: str, sources: Mapping[str, str]) -> str:
    """Where a setting comes from: itself, the list whose tables come from one source together, or what is in it."""
    below = (source for dotted, source in sources.items() if dotted.startswith(f"{name}."))
    return sources.get(name) or sources.get(name.partition(".")[0]) or next(below, "default")
