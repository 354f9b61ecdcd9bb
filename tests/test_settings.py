"""Settings: which source wins, what a mistake is told, how values are written, and that no secret is shown."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ByteSize, SecretStr, ValidationError

from leaderboard.settings import (
    ApiKey,
    ConfigError,
    Limits,
    Namespace,
    Oidc,
    Settings,
    default_namespaces,
    render,
    table,
)
from leaderboard.sources import Loaded, load
from tests.checkout import ROOT

SECRET = "da2-keep-this-to-yourself"

Load = Callable[..., Loaded]


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads the settings of a server that is started beside this leaderboard.toml, in this environment."""
    monkeypatch.chdir(tmp_path)

    def configured(
        toml: str = "", environ: Mapping[str, str] | None = None, **flags: object
    ) -> Loaded:
        Path("leaderboard.toml").write_text(toml, "utf-8")
        return load(flags=flags, environ=environ or {})

    return configured


@pytest.fixture
def mistakes(configured: Load) -> Callable[..., list[str]]:
    """The lines that a configuration with mistakes is answered with."""

    def mistakes(
        toml: str = "", environ: Mapping[str, str] | None = None, **flags: object
    ) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            configured(toml, environ, **flags)
        return str(caught.value).splitlines()

    return mistakes


Mistakes = Callable[..., list[str]]

# -- sources -----------------------------------------------------------------------------------------------------------


def test_without_any_source_the_defaults_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load(environ={"PATH": "/bin"})
    assert loaded == Loaded(Settings(), {})
    assert loaded.settings.namespaces == default_namespaces()


def test_later_sources_win_value_by_value(configured: Load) -> None:
    loaded = configured(
        "host = 'file'\nport = 1\npublic_url = 'http://file'\n",
        {"LEADERBOARD_PORT": "2", "LEADERBOARD_PUBLIC_URL": "http://env"},
        public_url="http://flag",
    )
    settings = loaded.settings
    assert (settings.host, settings.port, settings.public_url) == ("file", 2, "http://flag")
    assert loaded.sources == {
        "host": "leaderboard.toml",
        "port": "environment",
        "public_url": "command line",
    }


def test_tables_are_merged_and_not_replaced(configured: Load) -> None:
    loaded = configured(
        "[limits]\nframe = '1MiB'\nchannels = 3\n[namespaces.a]\nmode = 'sum'\n[namespaces.b]\n",
        {"LEADERBOARD_LIMITS__CHANNELS": "4", "LEADERBOARD_NAMESPACES__A__TOP": "7"},
    )
    settings = loaded.settings
    assert (settings.limits.frame, settings.limits.channels) == (1024**2, 4)
    assert settings.namespaces == {"a": Namespace(mode="sum", top=7), "b": Namespace()}
    assert loaded.sources["limits.frame"] == "leaderboard.toml"
    assert loaded.sources["limits.channels"] == "environment"


def test_lists_are_replaced(configured: Load) -> None:
    keys = json.dumps([{"key": "da2-from-env"}])
    loaded = configured(
        "[[api_keys]]\nkey = 'da2-from-file-1'\n[[api_keys]]\nkey = 'da2-from-file-2'\n",
        {"LEADERBOARD_API_KEYS": keys},
    )
    assert [key.key.get_secret_value() for key in loaded.settings.api_keys] == ["da2-from-env"]


def test_namespaces_that_are_configured_are_all_there_are(configured: Load) -> None:
    assert list(configured("[namespaces.arcade]\n").settings.namespaces) == ["arcade"]


def test_the_environment_may_be_in_any_case_and_hold_tables_as_json(configured: Load) -> None:
    environ = {
        "leaderboard_port": "9000",
        "LEADERBOARD_LIMITS": '{"frame": "4MiB", "channels": 5}',
        "LEADERBOARD_LIMITS__CHANNELS": "7",
        "LEADERBOARD_CONNECTION_AUTH_MODES": '["API_KEY"]',
    }
    settings = configured(environ=environ).settings
    assert (settings.port, settings.limits.frame, settings.limits.channels) == (
        9000,
        4 * 1024**2,
        7,
    )


def test_names_that_clients_of_the_command_line_read_are_no_mistakes(configured: Load) -> None:
    environ = {"LEADERBOARD_KEY": SECRET, "LEADERBOARD_URL": "http://x"}
    assert configured(environ=environ).sources == {}


def test_a_named_file_is_read_instead_of_the_one_at_hand(configured: Load, tmp_path: Path) -> None:
    configured("port = 1")
    (tmp_path / "other.toml").write_text("port = 2")
    (tmp_path / "third.toml").write_text("port = 3")
    environ = {"LEADERBOARD_CONFIG": str(tmp_path / "other.toml")}
    assert load(environ=environ).settings.port == 2
    assert load(tmp_path / "third.toml", environ=environ).settings.port == 3


@pytest.mark.parametrize(("name", "why"), [("none.toml", "No such file"), ("", "Is a directory")])
def test_a_named_file_must_be_there(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        load(tmp_path / name, environ={})


def test_a_settings_object_built_by_hand_reads_no_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEADERBOARD_PORT", "9")
    assert Settings().port == 8000


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        ("prot = 1", "prot: no such setting; did you mean port?"),
        ("[limit]\nframe = 1", "limit: no such setting; did you mean limits?"),
        ("[limits]\nfram = 1", "limits.fram: no such setting; did you mean limits.frame?"),
        (
            "[namespaces.a]\nintervall_ms = 5",
            "namespaces.a.intervall_ms: no such setting; did you mean namespaces.a.interval_ms?",
        ),
        (
            "[[api_keys]]\nkey = 'da2-12345678'\nrol = 'admin'",
            "api_keys.0.rol: no such setting; did you mean api_keys.0.role?",
        ),
        ("[[api_key]]\nkey = 'da2-12345678'", "api_key: no such setting; did you mean api_keys?"),
        ("[namespace.a]\n", "namespace: no such setting; did you mean namespaces?"),
        ("zzzzzzzz = 1", "zzzzzzzz: no such setting"),
    ],
)
def test_a_misspelled_name_is_told_the_nearest_one(
    mistakes: Mistakes, toml: str, line: str
) -> None:
    assert mistakes(toml) == [f"leaderboard.toml: {line}"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("LEADERBOARD_PROT", "LEADERBOARD_PROT is no setting; did you mean LEADERBOARD_PORT?"),
        ("leaderboard_prot", "leaderboard_prot is no setting; did you mean LEADERBOARD_PORT?"),
        ("LEADERBOARD_CONFG", "LEADERBOARD_CONFG is no setting; did you mean LEADERBOARD_CONFIG?"),
        (
            "LEADERBOARD_LIMIT__FRAME",
            "LEADERBOARD_LIMIT__FRAME is no setting; did you mean LEADERBOARD_LIMITS?",
        ),
        (
            "LEADERBOARD_LIMITS__FRAM",
            "limits.fram: no such setting; did you mean limits.frame?",
        ),
        (
            "LEADERBOARD_NAMESPACES__A__MOD",
            "namespaces.a.mod: no such setting; did you mean namespaces.a.mode?",
        ),
        (
            "LEADERBOARD_PORT__X",
            "LEADERBOARD_PORT__X is no setting; did you mean LEADERBOARD_PORT?",
        ),
        ("LEADERBOARD_KEY__X", "LEADERBOARD_KEY__X is no setting; did you mean LEADERBOARD_KEY?"),
        ("LEADERBOARD_", "LEADERBOARD_ is no setting"),
    ],
)
def test_so_is_one_in_the_environment(mistakes: Mistakes, name: str, line: str) -> None:
    assert mistakes(environ={name: "sum"}) == [f"environment: {line}"]


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        ("port = 65536", "port: Input should be less than or equal to 65535"),
        (
            "[limits]\nconnections = 0",
            "limits.connections: Input should be greater than or equal to 1",
        ),
        (
            "[namespaces.a]\ntop = 101",
            "namespaces.a.top: Input should be less than or equal to 100",
        ),
        (
            "[namespaces.a]\nmode = 'max'",
            "namespaces.a.mode: Input should be 'best', 'latest' or 'sum'",
        ),
        (
            "[namespaces.a]\nmin_score = inf",
            "namespaces.a.min_score: Input should be a finite number",
        ),
        (
            "[namespaces.a]\nmin_score = 5\nmax_score = 3",
            "namespaces.a: min_score is above max_score",
        ),
        (
            "[namespaces.a_b]\n",
            "namespaces: 'a_b' is no namespace: letters, digits and inner dashes, 1 to 50",
        ),
        (
            "engine_url = 'sqlite://'",
            "engine_url: memory:// or redis://, rediss://, redis+cluster://, redis+sentinel://",
        ),
        ("[[api_keys]]\nkey = 'short'", "api_keys.0.key: a key has at least 8 characters"),
        ("[[api_keys]]\nrole = 'admin'", "api_keys.0.key: Field required"),
        (
            "[[api_keys]]\nkey = 'da2-12345678'\nrole = 'root'",
            "api_keys.0.role: Input should be 'viewer', 'scorekeeper', 'host' or 'admin'",
        ),
        (
            "connection_auth_modes = ['AWS_IAM']",
            (
                "connection_auth_modes.0: Input should be 'API_KEY', 'OPENID_CONNECT',"
                " 'AMAZON_COGNITO_USER_POOLS' or 'AWS_LAMBDA'"
            ),
        ),
        (
            "connection_auth_modes = ['API_KEY', 'AWS_LAMBDA']",
            "connection_auth_modes: AWS_LAMBDA needs authorizer",
        ),
        (
            "[namespaces.a]\npublish_auth_modes = ['OPENID_CONNECT']",
            "namespaces.a.publish_auth_modes: OPENID_CONNECT needs oidc.issuer",
        ),
        (
            "[oidc]\nissuer = 'https://id.example'",
            "oidc: audiences is empty: a token that is meant for anybody is good nowhere",
        ),
        ("[oidc]\naudiences = ['a']", "oidc: issuer is missing"),
        (
            "[oidc]\nissuer = 'http://id.example'\naudiences = ['a']",
            "oidc.issuer: an address that begins with https:// (on this machine also http://)",
        ),
        (
            "[oidc]\nalgorithms = ['HS256']",
            (
                "oidc.algorithms.0: Input should be 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512',"
                " 'ES256', 'ES384', 'ES512' or 'EdDSA'"
            ),
        ),
        (
            "[[api_keys]]\nkey = 'da2-12345678'\norigins = ['https://a.example/path']",
            "api_keys.0.origins: 'https://a.example/path' is no origin: https://blog.example",
        ),
        ("port =", "Invalid value (at end of document)"),
    ],
)
def test_a_value_that_cannot_be_is_told_why(mistakes: Mistakes, toml: str, line: str) -> None:
    assert mistakes(toml)[0] == f"leaderboard.toml: {line}"


@pytest.mark.parametrize(
    "url", ["scores.example", "ftp://x", "https://x/", "https://x?y", "https://x y"]
)
def test_a_public_url_is_an_origin(mistakes: Mistakes, url: str) -> None:
    assert mistakes(public_url=url)[0].startswith("command line: public_url: ")


def test_every_mistake_is_told_with_its_source(mistakes: Mistakes) -> None:
    lines = mistakes("prot = 1\nport = 'x'\n", {"LEADERBOARD_LIMITS__FRAME": "much"}, host=5)
    assert sorted(line.rsplit(": ", 1)[0] for line in lines) == [
        "command line: host",
        "environment: limits.frame",
        "leaderboard.toml: port",
        "leaderboard.toml: prot",
    ]


def test_a_mistake_is_blamed_on_the_source_that_made_it(mistakes: Mistakes) -> None:
    [line] = mistakes("[limits]\nframe = '1MiB'\n", {"LEADERBOARD_LIMITS": "5"})
    assert line.startswith("environment: limits: ")
    [line] = mistakes(
        "[namespaces.a]\nmax_score = 9\nmin_score = 5\n",
        {"LEADERBOARD_NAMESPACES__A__MAX_SCORE": "3"},
    )
    assert line == "environment: namespaces.a: min_score is above max_score"


def test_no_namespace_at_all_is_a_mistake(mistakes: Mistakes) -> None:
    assert mistakes("[namespaces]\n") == [
        "leaderboard.toml: namespaces: at least one namespace is needed"
    ]


def test_a_list_in_the_environment_is_json(mistakes: Mistakes) -> None:
    assert mistakes(environ={"LEADERBOARD_CONNECTION_AUTH_MODES": "API_KEY"}) == [
        'environment: error parsing value for field "connection_auth_modes": lists and tables are JSON there'
    ]


# -- durations and sizes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("'500ms'", 0.5),
        ("'90s'", 90),
        ("' 5 m '", 300),
        ("'2h'", 7200),
        ("'1d'", 86_400),
        ("'1.5h'", 5400),
        ("'90'", 90),
        ("90", 90),
        ("0.25", 0.25),
    ],
)
def test_a_duration(configured: Load, text: str, seconds: float) -> None:
    assert configured(f"[limits]\nkeep_alive = {text}").settings.limits.keep_alive == seconds


@pytest.mark.parametrize(
    "text", ["'90x'", "''", "'s'", "'-1s'", "'1h30m'", "0", "'0s'", "-1", "nan", "inf"]
)
def test_what_is_no_duration(mistakes: Mistakes, text: str) -> None:
    [line] = mistakes(f"[limits]\nkeep_alive = {text}")
    assert line.startswith("leaderboard.toml: limits.keep_alive: ")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("'2MiB'", 2 * 1024**2),
        ("'3.5 MiB'", 3_670_016),
        ("'10kb'", 10_000),
        ("'1GiB'", 1024**3),
        ("'2000'", 2000),
        ("2000", 2000),
    ],
)
def test_a_size(configured: Load, text: str, size: int) -> None:
    assert configured(f"[limits]\nframe = {text}").settings.limits.frame == size


@pytest.mark.parametrize("text", ["'much'", "'5 apples'", "'-1'", "-5", "1023", "'1KB'"])
def test_what_is_no_size_of_a_frame(mistakes: Mistakes, text: str) -> None:
    [line] = mistakes(f"[limits]\nframe = {text}")
    assert line.startswith("leaderboard.toml: limits.frame: ")


# -- how values are written --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (8000, "8000"),
        (7200.0, "7200"),
        (0.5, "0.5"),
        ("pk_viewer", '"pk_viewer"'),
        ('a"b\\c\n', r'"a\"b\\c\n"'),
        (("API_KEY", "x"), '["API_KEY", "x"]'),
        ((), "[]"),
        (None, "unset"),
        (ByteSize(2 * 1024**2), '"2MiB"'),
        (ByteSize(3_670_016), '"3.5MiB"'),
        (ByteSize(10 * 1024), '"10KiB"'),
        (ByteSize(3_500_000), "3500000"),
        (ByteSize(1000), "1000"),
        (SecretStr(SECRET), '"********"'),
    ],
)
def test_a_value_is_shown_as_it_is_written_in_the_file(value: object, text: str) -> None:
    assert render(value) == text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://u:secret@h:6379/0", "redis://u:********@h:6379/0"),
        ("redis://:se/cr@et@h", "redis://:********@h"),
        ("redis://u:secret@h,redis://h:6379", "redis://u:********@h,redis://h:6379"),
        ("redis://h:6379,redis://u:secret@h", "redis://h:6379,redis://u:********@h"),
        ("redis+sentinel://h/m?sentinel_password=secret&x=1", "…?sentinel_password=********&x=1"),
        ("rediss://h?ssl_password=secret", "rediss://h?ssl_password=********"),
        ("https://h:8000/@me", "https://h:8000/@me"),
    ],
)
def test_a_url_is_shown_without_its_passwords(url: str, shown: str) -> None:
    assert render(url) == json.dumps(shown.replace("…", "redis+sentinel://h/m"))


@given(st.integers(1024, 2**50) | st.integers(1, 2**20).map(lambda kib: kib * 1024))
def test_a_size_that_is_shown_is_the_size_that_is_meant(size: int) -> None:
    shown = tomllib.loads(f"frame = {render(ByteSize(size))}")
    assert Limits.model_validate(shown).frame == size


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f")))
def test_a_text_that_is_shown_can_be_read_back(text: str) -> None:
    assert tomllib.loads(f"text = {render(text)}") == {"text": text}


def test_the_table_has_every_setting_with_its_default_and_its_reason() -> None:
    rows = {name: (default, description) for name, default, description in table()}
    for model, prefix in (
        (Settings, ""),
        (Limits, "limits."),
        (Namespace, "namespaces.NAME."),
        (ApiKey, "api_keys[]."),
        (Oidc, "oidc."),
    ):
        expected = {f"{prefix}{name}" for name in model.model_fields}
        assert expected - rows.keys() <= {"limits", "namespaces", "api_keys", "oidc"}, (
            "those are tables"
        )
    assert all(len(description) > 10 for _, description in rows.values())
    assert rows["limits.frame"][0] == '"3.5MiB"'
    assert rows["api_keys[].key"][0] == "required"
    assert rows["namespaces.NAME.publish_auth_modes"][0] == "unset"


@pytest.mark.parametrize("row", table(), ids=lambda row: str(row[0]))
def test_a_default_that_is_shown_is_the_default(row: tuple[str, str, str]) -> None:
    name, default, _ = row
    if default in ("required", "unset"):
        return
    *path, member = name.replace("[]", "").split(".")
    models: dict[str, type[BaseModel]] = {
        "": Settings,
        "limits": Limits,
        "namespaces": Namespace,
        "api_keys": ApiKey,
        "oidc": Oidc,
    }
    model = models[path[0] if path else ""]
    written: dict[str, Any] = tomllib.loads(f"{member} = {default}")
    required = {"key": SECRET} if model is ApiKey else {}
    assert getattr(model.model_validate({**required, **written}), member) == getattr(
        model.model_validate(required), member
    )


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "environ"),
    [
        (f"api_keys = '{SECRET}'", {}),
        (f"api_keys = ['{SECRET}']", {}),
        (f"[api_keys]\nkey = '{SECRET}'", {}),
        (f"[[api_keys]]\nkey = '{SECRET}'\nrole = 'root'", {}),
        (f"[[api_keys]]\nkey = ['{SECRET}']", {}),
        (f"[[api_keys]]\nkey = '{SECRET}'\nextra = '{SECRET}'", {}),
        (f"key = '{SECRET}'", {}),
        (f"secret = '{SECRET}'", {}),
        (f"secret = ['{SECRET}']", {}),
        ("", {"LEADERBOARD_SECRET": SECRET}),
        ("", {"LEADERBOARD_SECRETS": SECRET}),
        (f"[[api_keys]]\nkey = '{SECRET}", {}),
        ("", {"LEADERBOARD_API_KEYS": SECRET}),
        ("", {"LEADERBOARD_API_KEYS": f'[{{"key": "{SECRET}"'}),
        ("", {"LEADERBOARD_API_KEYS": f'[{{"key": "{SECRET}", "rol": "admin"}}]'}),
        ("", {"LEADERBOARD_API_KEYS__0__KEY": SECRET}),
        ("", {"LEADERBOARD_API_KEY": SECRET}),
        ("", {"LEADERBOARD_PORT": SECRET}),
    ],
)
def test_no_mistake_shows_a_secret(configured: Load, toml: str, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(toml, environ)
    error: BaseException | None = caught.value
    while error is not None:  # what a traceback would show, and what it hides
        assert SECRET not in str(error)
        assert SECRET not in repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_settings_that_do_not_fit_show_no_secret_either() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"api_keys": [{"key": SECRET, "role": "root"}, SECRET]})
    assert SECRET not in str(caught.value)


def test_settings_can_be_shown_without_their_secrets(configured: Load) -> None:
    loaded = configured(f"[[api_keys]]\nkey = '{SECRET}'\nrole = 'admin'")
    for shown in (repr(loaded), str(loaded.settings), render(loaded.settings.api_keys)):
        assert SECRET not in shown
    assert loaded.settings.api_keys[0].key.get_secret_value() == SECRET


def test_a_secret_is_long_enough_or_there_is_none(mistakes: Mistakes, configured: Load) -> None:
    assert mistakes(f"secret = '{'é' * 15}x'") == [
        "leaderboard.toml: secret: a secret has at least 32 bytes"
    ]
    for secret in ("", "x" * 32, "é" * 16):
        loaded = configured(f"secret = '{secret}'")
        assert loaded.settings.secret.get_secret_value() == secret
        assert secret not in repr(loaded) or not secret
        assert render(loaded.settings.secret) == ('"********"' if secret else '""')


@pytest.mark.parametrize(
    ("toml", "environ"),
    [
        ("tokens_not_before = 2026-01-31T18:00:00Z", {}),
        ("tokens_not_before = 2026-01-31T19:00:00+01:00", {}),
        ("tokens_not_before = '2026-01-31 18:00:00Z'", {}),
        ("tokens_not_before = 1769882400", {}),
        ("", {"LEADERBOARD_TOKENS_NOT_BEFORE": "2026-01-31T18:00:00Z"}),
    ],
)
def test_a_moment_is_a_date_and_time_with_its_zone(
    configured: Load, toml: str, environ: dict[str, str]
) -> None:
    moment = configured(toml, environ).settings.tokens_not_before
    assert moment == datetime(2026, 1, 31, 18, tzinfo=UTC)
    assert tomllib.loads(f"moment = {render(moment)}") == {"moment": moment}


def test_a_moment_without_its_zone_is_a_mistake(mistakes: Mistakes) -> None:
    (line,) = mistakes("tokens_not_before = 2026-01-31T18:00:00")
    assert line.startswith("leaderboard.toml: tokens_not_before: ")
    assert "timezone" in line


def test_settings_cannot_be_changed_behind_ones_back() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.limits.frame = ByteSize(1)  # type: ignore[misc]


def test_every_setting_is_documented_as_it_is() -> None:
    row = re.compile(r"^\| `(\S+)` \| `(.*?)` \| (.*) \|$", re.MULTILINE)
    documented = row.findall((ROOT / "docs" / "settings.md").read_text("utf-8"))
    assert documented == [(name, value, text.replace("|", "\\|")) for name, value, text in table()]
