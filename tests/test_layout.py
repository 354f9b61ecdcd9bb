"""The corridor: which room may know which, and what no file of the project may hold."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import leaderboard
from tests.checkout import ROOT, tracked

# A module imports only from the groups before its own. A folder is one room: its modules may know each other.
CORRIDOR = (
    {"values"},
    {"trust", "quotas", "namespaces"},
    {
        "errors",
        "settings",
        "assets",
        "files",
        "names",
        "retries",
        "frames",
        "crowd",
        "movement",
        "lights",
        "lanes",
        "beats",
        "wheel",
    },
    {
        "addresses",
        "channels",
        "limits",
        "sources",
        "logs",
        "events",
        "rounds",
        "ranking",
        "tokens",
        "credentials",
        "nicknames",
        "standing",
    },
    {
        "certificates",
        "presence",
        "curtain",
        "suggestions",
        "emulation",
        "cloudformation",
        "beside",
        "functions",
        "grants",
        "oidc",
    },
    {"people", "sheets", "authorizer"},
    {"board", "access"},
    {"vouching"},
    {
        "messages",
        "replies",
        "auth",
        "engines",
        "patience",
        "metrics",
        "refusals",
        "templating",
        "guide",
        "manual",
        "packing",
        "snippets",
    },
    {"snapshots"},
    {"audience"},
    {"hub", "agenda", "link", "asyncapi", "masks", "allowances"},
    {"fanout", "relays", "subscriptions", "doorway", "budgets"},
    {"broker"},
    {"handlers"},
    {"targets"},
    {"operations", "client", "latency", "referee"},
    {"session", "direct", "simulate"},
    {"asgi"},
    {"realtime", "strict", "terminal", "figures"},
    {"answers", "rendering", "shell"},
    {"exports"},
    {"boards", "rooms"},
    {"sharing", "lobby", "seats"},
    {"api", "pages", "bots"},
    {"embeds"},
    {"oembed", "picture", "configurator", "workshop", "play", "backstage"},
    {"host"},
    {"stage", "handouts"},
    {"app"},
    {"serving", "commands", "offline"},
    {"workers", "control", "keyring", "demo", "announcement"},
    {"launch"},
    {"cli"},
    {"__init__", "__main__"},  # these speak for the package, so they may know all of it
)
PLACE = {room: place for place, group in enumerate(CORRIDOR) for room in group}

PACKAGE = ROOT / "leaderboard"
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    """`engines` for both leaderboard/engines/memory.py and leaderboard/engines/__init__.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[tuple[int, str]]:
    """Line and room of every import of our own, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_bytes(), path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "leaderboard":
            # the version is no room: it is set before anything is imported, so anyone may ask for it
            names = [f"leaderboard.{a.name}" for a in node.names if a.name != "__version__"]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "leaderboard":
                yield node.lineno, rest.partition(".")[0] or "__init__"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_its_left(path: Path) -> None:
    room = room_of(path)
    assert room in PLACE, f"{room} has no place in the corridor: give it one"
    wrong = [
        f"line {line}: {room} may not import {other}"
        for line, other in imported_rooms(path)
        if other != room and PLACE.get(other, len(CORRIDOR)) >= PLACE[room]
    ]
    assert not wrong, "\n".join(wrong)


def test_the_walk_through_the_house_passes_every_room_and_knows_the_corridor() -> None:
    walk, _, corridor = (leaderboard.__doc__ or "").partition(
        "A module imports only from those before it:"
    )
    groups = tuple(set(group.split()) for group in re.findall(r"``([^`]+)``", corridor))
    assert groups == CORRIDOR[:-1]
    passed = set(re.findall(r"`(\w+)`", walk))
    assert set(PLACE) - CORRIDOR[-1] - passed == set()


def test_templates_and_static_files_exist_once() -> None:
    for folder in ("templates", "static"):
        assert not (PACKAGE / folder).exists(), f"{folder}/ would hide the one at the top"


# Taken apart here, so that this file passes its own test.
REGISTRIES = [
    ".".join(parts).encode()
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("debian", "org"),
        ("ubuntu", "com"),
        ("unpkg", "com"),
        ("jsdelivr", "net"),
        ("cloudflare", "com"),
        ("googleapis", "com"),
    )
]


def test_no_file_names_a_package_registry_or_a_cdn() -> None:
    named = [
        f"{path}: {host.decode()}"
        for path in tracked()
        for content in [(ROOT / path).read_bytes()]
        for host in REGISTRIES
        if host in content
    ]
    assert not named
