"""The reference pages, written from the code that they describe: messages, HTTP, the command line."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from msgspec import UNSET
from typer.core import TyperGroup

from leaderboard import asyncapi
from leaderboard.app import create_app
from leaderboard.cli import cli
from leaderboard.settings import Settings

BASE = "http://127.0.0.1:8000"


def write_reference(folder: Path) -> None:
    """Write all pages into a folder; a page that is as it was stays untouched, so that nothing is built for nothing."""
    folder.mkdir(exist_ok=True)
    pages = {
        "messages": messages(),
        "http": http(),
        "cli": commands(),
    }
    index = [
        "# Reference",
        "",
        "Written from the code of this version.",
        "",
        "```{toctree}",
        ":maxdepth: 1",
        "",
    ]
    for name, lines in {**pages, "index": [*index, *pages, "```"]}.items():
        file, text = folder / f"{name}.md", "\n".join(lines) + "\n"
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


def rows(heading: Iterable[str], cells: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table."""
    heading = list(heading)
    yield f"| {' | '.join(heading)} |"
    yield "|---" * len(heading) + "|"
    for row in cells:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
    yield ""


def messages() -> Iterator[str]:
    """Every frame, and every event inside one."""
    document = asyncapi.document(BASE)
    yield "# Messages of the WebSocket"
    yield ""
    yield "From the AsyncAPI 3 document, which a server has at `/asyncapi.json`."
    yield ""
    for name, operation in document["operations"].items():
        yield f"## {name}"
        yield ""
        yield f"{'A client says' if operation['action'] == 'receive' else 'The server says'}: {operation['summary']}"
        yield ""
        asked = names(operation["messages"])
        answers = names(operation.get("reply", {}).get("messages", []))
        if answers:
            yield f"Answers: {', '.join(f'[{each}](#{each.lower()})' for each in answers)}."
            yield ""
        for each in [*asked, *answers]:
            yield from schema(each, document["components"]["schemas"][each])
    yield "## Events and parts"
    yield ""
    yield "What the strings in `events` of a publish on a board, and in `event` of a `data` frame, hold, and"
    yield "what frames are made of."
    yield ""
    shown = {"ViewSpec"} | {
        each[0].upper() + each[1:] for each in document["components"]["messages"]
    }
    for name, described in document["components"]["schemas"].items():
        if name not in shown:
            yield from schema(name, described)


def names(references: Iterable[Mapping[str, str]]) -> list[str]:
    """The types that references to messages name."""
    found = [each["$ref"].rpartition("/")[2] for each in references]
    return [name[0].upper() + name[1:] for name in found]


def schema(name: str, described: Mapping[str, Any]) -> Iterator[str]:
    """The members of a JSON object."""
    yield f"### {name}"
    yield ""
    yield prose(described.get("description"))
    yield ""
    required = described.get("required", [])
    properties = described.get("properties", {})
    if properties:
        cells = (
            [f"`{member}`", kind(value), "yes" if member in required else default(value)]
            for member, value in properties.items()
        )
        yield from rows(["member", "type", "required"], cells)


def default(value: Mapping[str, Any]) -> str:
    """What a member is where it is left out."""
    given = value.get("default", UNSET)
    return "" if given in (UNSET, None, "") else f"`{str(given).lower()}`"


def kind(value: Mapping[str, Any]) -> str:
    """A type in a few words."""
    if "$ref" in value:
        return f"`{value['$ref'].rpartition('/')[2]}`"
    if "anyOf" in value:
        return " or ".join(kind(each) for each in value["anyOf"])
    if "enum" in value:
        return " or ".join(f"`{each}`" for each in value["enum"])
    if value.get("type") == "array":
        return f"list of {kind(value.get('items', {}))}"
    bounds = [
        f"{word} {value[name]}"
        for name, word in (
            ("minimum", "from"), ("minLength", "from"), ("minItems", "from"),
            ("maximum", "to"), ("maxLength", "to"), ("maxItems", "to"),
        )
        if name in value
    ]  # fmt: skip
    said = str(value.get("type", "any JSON"))
    if value.get("contentMediaType"):
        said += " that holds JSON"
    return f"{said} ({' '.join(bounds)})" if bounds else said


def http() -> Iterator[str]:
    """Every operation over HTTP."""
    document = create_app(Settings()).openapi()
    yield "# HTTP"
    yield ""
    yield "From the OpenAPI document, which a server has at `/openapi.json`, and as a page at `/docs`."
    yield ""
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield f"## {verb.upper()} {path.replace('{', '&#123;')}"
            yield ""
            yield prose(operation.get("description", operation.get("summary")))
            yield ""
            cells = [
                [f"`{each['name']}`", each["in"], prose(each.get("description"))]
                for each in operation.get("parameters", [])
            ]
            if cells:
                yield from rows(["parameter", "in", "meaning"], cells)
            answers = operation["responses"].items()
            yield from rows(
                ["status", "answer"], ([code, each["description"]] for code, each in answers)
            )


def commands() -> Iterator[str]:
    """Every command."""
    yield "# The command `leaderboard`"
    yield ""
    root = typer.main.get_command(cli)
    assert isinstance(root, TyperGroup)  # noqa: S101
    for name, command in root.commands.items():
        yield from one_command(
            name, command, root.make_context("leaderboard", [], resilient_parsing=True)
        )


def one_command(name: str, command: Any, parent: Any) -> Iterator[str]:
    """A command, and those below it."""
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    yield f"## {context.command_path}"
    yield ""
    yield inspect.cleandoc(command.help or "").replace("\b\n", "")
    yield ""
    described = [each.get_help_record(context) for each in command.get_params(context)]
    cells = [[f"`{each[0]}`", prose(each[1])] for each in described if each]
    if cells:
        yield from rows(["", "meaning"], cells)
    if isinstance(command, TyperGroup):
        for below, inner in command.commands.items():
            yield from one_command(below, inner, context)


def prose(text: str | None) -> str:
    """A docstring as one paragraph of Markdown."""
    return " ".join(inspect.cleandoc(text or "").replace("``", "`").split())
