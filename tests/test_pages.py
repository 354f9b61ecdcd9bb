"""The pages as a client without a browser gets them: what is in them, under which policy, and for whom."""

from __future__ import annotations

import html
import re
from pathlib import Path

import httpx
import pytest

from leaderboard import templating
from leaderboard.assets import STATIC, TEMPLATES
from tests.checkout import ROOT
from tests.conftest import ADMIN, HOST, SCOREKEEPER, VIEWER, Server, Start

PAGES = (
    "/",
    "/l",
    "/l/leaderboard/arcade",
    "/l/default/relay",
    "/docs",
    "/docs/guide",
    "/docs/guide/errors",
    "/console",
    "/check",
    "/-/",
    "/lab",
    "/ui/boards",
)
SOURCES = [
    path
    for folder, kinds in ((TEMPLATES, ("html",)), (STATIC, ("css", "js", "svg")))
    for kind in kinds
    for path in sorted(folder.rglob(f"*.{kind}"))
    if path.parent.name != "vendor"
]


async def publish(server: Server, channel: str, player: str, score: float, **more: str) -> None:
    client = await server.client()
    answer = await client.publish(channel, {"player": player, "score": score, **more})
    assert answer["type"] == "publish_success"


async def get(server: Server, path: str, **headers: str) -> httpx.Response:
    http = await server.http()
    return await http.get(path, headers={"accept": "text/html", **headers})


# -- under which policy ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PAGES, "/l/nope/x", "/l/a_b", "/l/leaderboard/x?top=0", "/nope"])
async def test_every_html_answer_carries_the_policy(server: Server, path: str) -> None:
    answer = await get(server, path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    rules = dict(
        rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; ")
    )
    host = f"127.0.0.1:{server.port}"
    trusted_types = rules.pop("require-trusted-types-for", None)
    assert rules == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": f"'self' ws://{host} wss://{host}",
        "font-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'self'",
    }
    # htmx writes HTML; where it is loaded, the browser must allow that.
    assert trusted_types == (None if "htmx.min.js" in answer.text else "'script'")


@pytest.mark.parametrize("host", ["x; script-src *", "a b", "a,b", "", "a\u00e9"])
def test_what_is_no_host_stays_out_of_the_policy(host: str) -> None:
    assert "connect-src 'self';" in templating.policy(host, trusted_types=False)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_is_inline_and_nothing_is_written_as_html(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|Markup", text)
    if path.suffix == ".html":
        assert not re.search(
            r"""\sstyle\s*=|\son\w+\s*=|<style|javascript:|hx-on|hx-vals="?js:""", text
        )
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    if path.suffix == ".js":
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|\.randomUUID", text
        )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_file_names_another_host(path: Path) -> None:
    hosts = set(re.findall(r"(?:https?:|wss?:)?//([\w.-]+\.\w+)", path.read_text("utf-8")))
    assert hosts <= {"127.0.0.1", "www.w3.org"}  # an example, and the name of SVG


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/static/js/link.js", "text/javascript"),
        ("/static/css/board.css", "text/css"),
        ("/static/favicon.svg", "image/svg+xml"),
        ("/static/vendor/htmx.min.js", "text/javascript"),
    ],
)
async def test_static_files_say_what_they_are(server: Server, path: str, kind: str) -> None:
    answer = await get(server, path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/static/js/link.js", "/static/css/board.css", "/static/favicon.svg"]
)
async def test_static_text_travels_compressed_to_those_who_say_so(
    server: Server, path: str
) -> None:
    plain = await get(server, path, **{"accept-encoding": "identity"})
    packed = await get(server, path, **{"accept-encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
    assert packed.content == plain.content  # httpx has unpacked it
    for answer in (plain, packed):
        assert "accept-encoding" in answer.headers["vary"]
        again = await get(
            server,
            path,
            **{"accept-encoding": "gzip", "if-none-match": answer.headers["etag"]},
        )
        assert (again.status_code, again.content) == (304, b"")


async def test_pages_of_other_sites_may_import_the_modules(server: Server) -> None:
    answer = await get(server, "/static/js/link.js", origin="https://elsewhere.example")
    assert answer.headers["access-control-allow-origin"] == "*"


# -- for whom ----------------------------------------------------------------------------------------------------------


async def test_pages_carry_the_viewers_key_and_no_other(server: Server) -> None:
    await publish(server, "/leaderboard/arcade", "ann", 120)
    for path in PAGES:
        text = (await get(server, path)).text
        assert not any(key in text for key in (ADMIN, HOST, SCOREKEEPER))
    assert f'data-key="{VIEWER}"' in (await get(server, "/l/leaderboard/arcade")).text


async def test_without_public_viewing_pages_show_no_board(start: Start) -> None:
    server = await start(viewer_key="")
    await publish(server, "/leaderboard/arcade", "ann", 120, name="Ann Example")
    board = await get(server, "/l/leaderboard/arcade")
    assert board.status_code == 403
    for answer in (board, await get(server, "/l"), await get(server, "/ui/boards")):
        assert "Public viewing is off" in answer.text
        assert "Ann Example" not in answer.text
        assert "page-board.js" not in answer.text
    assert (await get(server, "/")).status_code == 200


# -- what is in them ---------------------------------------------------------------------------------------------------


async def test_a_board_is_whole_before_any_script_runs(server: Server) -> None:
    await publish(server, "/leaderboard/arcade", "ann", 1234.5, name='"Ann" <b>')
    await publish(server, "/leaderboard/arcade", "bob", -3)
    text = (await get(server, "/l/leaderboard/arcade")).text
    assert text.count("<tr") == 3
    assert "&#34;Ann&#34; &lt;b&gt;" in text
    assert '"Ann" <b>' not in text
    assert ">1,234.5<" in text
    assert ">-3<" in text


async def test_top_and_around_choose_the_rows(server: Server) -> None:
    for number in range(1, 21):
        await publish(server, "/leaderboard/arcade", f"p{number}", 100 - number)
    text = (await get(server, "/l/leaderboard/arcade?top=2&around=p10")).text
    players = re.findall(r'data-player="(p\d+)"', text)
    assert players == ["p1", "p2", "p8", "p9", "p10", "p11", "p12"]
    assert re.findall(r'class="(own|apart)" data-player="(p\d+)"', text) == [
        ("apart", "p8"),
        ("own", "p10"),
    ]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("around=bob&me=1", "You are 2nd of 3 · 10 points to 1st"),
        ("around=bob", "\u2068Bob &lt;b&gt;\u2069 is 2nd of 3 · 10 points to 1st"),
        (
            "around=eve",
            "\u2068eve\u2069 is 2nd of 3 · same score, reached later · 1 fewer point to pass",
        ),
        ("around=ann&me=1", "You are 1st of 3 · ahead of 66%"),
        ("around=zoe", "\u2068zoe\u2069 is not on this board yet"),
        ("around=zoe&me=1", "You are not on this board yet"),
        ("me=1", ""),
    ],
)
async def test_a_place_is_told_before_any_script_runs(start: Start, query: str, place: str) -> None:
    server = await start(namespaces={"golf": {"order": "asc"}})
    await publish(server, "/golf/open", "ann", 60)
    await publish(server, "/golf/open", "bob", 70, name="Bob <b>")
    await publish(server, "/golf/open", "eve", 70)
    text = (await get(server, f"/l/golf/open?{query}")).text
    (told,) = re.findall(r'id="own-place"[^>]*>([^\n]*)</p>', text)
    assert told == place
    assert ('id="own-place" hidden' in text) == (place == "")
    assert 'title="10 points to 1st · 11 fewer points to pass"' in text


@pytest.mark.parametrize("form", ["leaderboard/arcade", "leaderboard/arcade/"])
async def test_all_forms_of_a_channel_are_one_board(server: Server, form: str) -> None:
    await publish(server, "/leaderboard/arcade", "ann", 120)
    assert 'data-channel="/leaderboard/arcade"' in (await get(server, f"/l/{form}")).text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/l/nope/x", 404),
        ("/nope", 404),
        ("/lab/0", 404),
        ("/lab/9", 404),
        ("/lab/01", 404),
        ("/lab/x", 404),
        ("/l/leaderboard/a_b", 400),
        ("/l/leaderboard/*", 400),
        ("/l/a/b/c/d/e/f", 400),
        ("/l/leaderboard/x?top=0", 400),
        ("/l/leaderboard/x?top=101", 400),
        ("/l/leaderboard/x?top=x", 400),
        ("/l/leaderboard/x?top=٣", 400),
        ("/l/leaderboard/x?theme=pink", 400),
        ("/l/leaderboard/x?around=ann&me=yes", 400),
        ("/l/leaderboard/x?around=" + "x" * 129, 400),
    ],
)
async def test_a_wrong_address_gets_a_page_that_says_so(
    server: Server, path: str, status: int
) -> None:
    answer = await get(server, path)
    assert answer.status_code == status
    assert f'<p class="status">{status}</p>' in answer.text


async def test_a_relay_channel_says_that_it_is_not_ranked(server: Server) -> None:
    answer = await get(server, "/l/default/chat")
    assert answer.status_code == 200
    assert "This channel is a relay" in answer.text
    assert "page-board.js" not in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_head_is_get_without_a_body(server: Server, path: str) -> None:
    http = await server.http()
    answer = await http.head(path)
    assert answer.status_code == 200
    assert answer.text == ""


async def test_the_list_of_boards_is_paged(start: Start) -> None:
    server = await start(limits={"publishes_per_second": 0})
    client = await server.client()
    for number in range(30):
        await client.publish(f"/leaderboard/b{number:02}", {"player": "ann", "score": 1})
        await client.publish("/default/chat", "hello")
    first = (await get(server, "/l")).text
    (following,) = re.findall(r'href="/l\?after=([^"]+)"', first)
    second = (await get(server, f"/l?after={following}")).text
    shown = [re.findall(r'<h2><a href="/l/leaderboard/(b\d\d)">', text) for text in (first, second)]
    assert [len(page) for page in shown] == [24, 6]
    assert [*shown[0], *shown[1]] == [f"b{number:02}" for number in range(30)]
    assert f'hx-get="/ui/boards?after={following}"' in second


async def test_commands_to_try_name_this_server(start: Start) -> None:
    server = await start(namespaces={"chat": {"kind": "relay"}, "race": {}})
    text = (await get(server, "/")).text
    assert f"leaderboard simulate /race/demo --url {server.url}" in text
    elsewhere = await start(public_url="https://scores.example")
    text = (await get(elsewhere, "/")).text
    assert "wss://scores.example/event/realtime" in text
    assert "--url https://scores.example" in text


async def test_the_reference_describes_every_operation(server: Server) -> None:
    http = await server.http()
    described = (await http.get("/openapi.json")).json()
    text = (await get(server, "/docs")).text
    for path, verbs in described["paths"].items():
        for verb in verbs:
            assert f'data-verb="{verb}">{verb}</span><code>{path}</code>' in text
    for name in described["components"]["schemas"]:
        assert f'id="schema-{name}"' in text
    for target in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{target}"' in text


async def test_the_guide_of_the_lab_is_one_for_readers_and_for_the_page(start: Start) -> None:
    server = await start(namespaces={"race": {}}, viewer_key="pk_another")
    written = (ROOT / "docs" / "lab.md").read_text("utf-8")
    titles = re.findall(r"^## (\d\. .+)$", written, re.MULTILINE)
    assert len(titles) == 8
    for number, title in enumerate(titles, start=1):
        text = (await get(server, f"/lab/{number}")).text
        shown = re.findall(r'<article class="card lesson" data-step="(\d)"(?! hidden)>', text)
        assert shown == [str(number)]
        assert f"<h2>{title}</h2>" in text
    last = (await get(server, "/lab/8")).text
    plain = " ".join(html.unescape(re.sub(r"<[^>]+>", "", last)).split())
    assert "/leaderboard/demo" not in plain
    assert "http://127.0.0.1:8000" not in plain
    assert f'src="{server.url}/widget.js"' in plain
    assert 'channel="/race/demo" key="pk_another"' in plain
    for sentence in re.findall(r"^\*\*Ticks when\*\* (.+)$", written, re.MULTILINE):
        assert sentence.replace("`", "") in plain
