"""What sites and machines fetch to show a board elsewhere: script, frames, oEmbed, picture, snippets."""

from __future__ import annotations

import gzip
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from leaderboard.settings import ConfigError
from leaderboard.sources import load
from tests.conftest import ADMIN, HOST, VIEWER, Server, Start

HOSTILE = "<script>alert(1)</script>]]>&amp;"
SVG = "{http://www.w3.org/2000/svg}"


async def publish(server: Server, channel: str, *events: dict[str, Any]) -> None:
    client = await server.client()
    for event in events:
        assert (await client.publish(channel, event))["type"] == "publish_success"


async def get(server: Server, path: str, **headers: str) -> httpx.Response:
    return await (await server.http()).get(path, headers=headers)


class Tags(HTMLParser):
    """Every start tag of a document, with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


# -- the script --------------------------------------------------------------------------------------------------------


async def test_any_site_may_load_the_script(server: Server) -> None:
    answer = await get(server, "/widget.js", **{"accept-encoding": "identity"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "live-leaderboard" in answer.text


@pytest.mark.parametrize("path", ["/static/js/link.js", "/static/css/widget.css"])
async def test_any_site_may_load_the_modules(server: Server, path: str) -> None:
    answer = await get(server, path, origin="https://elsewhere.example")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_the_script_travels_compressed_to_those_who_say_so(server: Server) -> None:
    http = await server.http()
    sizes = {}
    for accepted in ("gzip, br", "identity", "gzip;q=0, br"):
        async with http.stream(
            "GET", "/widget.js", headers={"accept-encoding": accepted}
        ) as answer:
            raw = b"".join([chunk async for chunk in answer.aiter_raw()])
        packed = answer.headers.get("content-encoding") == "gzip"
        assert answer.headers["vary"] == "accept-encoding"
        sizes[accepted] = len(raw)
        assert b"live-leaderboard" in (gzip.decompress(raw) if packed else raw)
    assert sizes["gzip, br"] < 10_000 < sizes["identity"] == sizes["gzip;q=0, br"]


async def test_the_script_is_not_sent_twice(server: Server) -> None:
    first = await get(server, "/widget.js")
    again = await get(server, "/widget.js", **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["access-control-allow-origin"] == "*"
    other = await get(server, "/widget.js", **{"if-none-match": '"other"'})
    assert other.status_code == 200


# -- frames ------------------------------------------------------------------------------------------------------------


async def ancestors(server: Server, path: str) -> str:
    policy = (await get(server, path)).headers["content-security-policy"]
    found = re.search(r"frame-ancestors ([^;]*)", policy)
    assert found is not None
    return found[1]


async def test_anybody_may_frame_a_board_and_nobody_the_rest(server: Server) -> None:
    for path in ("/embed/leaderboard/a", "/overlay/leaderboard/a"):
        assert await ancestors(server, path) == "'self' *"
    for path in ("/embed", "/l/leaderboard/a", "/", "/embed/nope/a"):
        assert await ancestors(server, path) == "'self'"


async def test_who_may_frame_a_board_is_a_setting(start: Start) -> None:
    server = await start(frame_ancestors=("https://blog.example", "https://*.example:8443"))
    found = await ancestors(server, "/embed/leaderboard/a")
    assert found == "'self' https://blog.example https://*.example:8443"
    nobody = await start(frame_ancestors=())
    assert await ancestors(nobody, "/overlay/leaderboard/a") == "'self'"


@pytest.mark.parametrize("site", ["https://a; script-src *", "blog.example", "'self'", "a b", ""])
def test_what_is_no_site_stays_out_of_the_policy(site: str) -> None:
    with pytest.raises(ConfigError, match="frame_ancestors"):
        load(flags={"frame_ancestors": [site]}, environ={})


async def test_a_frame_shows_the_rows_before_any_script_runs(server: Server) -> None:
    await publish(
        server,
        "/leaderboard/arcade",
        *({"player": f"p{number}", "score": 100 - number} for number in range(9)),
        {"player": "x", "name": HOSTILE, "score": 1},
    )
    answer = await get(
        server, "/embed/leaderboard/arcade?limit=3&highlight=x&title=%3Cb%3E&lang=de"
    )
    tags = Tags(answer.text)
    players = [row["data-player"] for row in tags.of("tr") if "data-player" in row]
    assert players == ["p0", "p1", "p2", "x"]
    assert HOSTILE not in answer.text
    (element,) = tags.of("live-leaderboard")
    assert element == {
        "channel": "/leaderboard/arcade",
        "limit": "3",
        "theme": "auto",
        "label": "<b>",
        "lang": "de",
        "highlight": "x",
        "key": VIEWER,
    }


async def test_a_clear_frame_names_no_colour_scheme(server: Server) -> None:
    def schemes(text: str) -> list[str | None]:
        return [
            meta["content"] for meta in Tags(text).of("meta") if meta.get("name") == "color-scheme"
        ]

    frame = "/embed/leaderboard/a"
    assert schemes((await get(server, frame)).text) == ["light dark"]
    assert schemes((await get(server, f"{frame}?theme=dark")).text) == ["dark"]
    assert schemes((await get(server, f"{frame}?theme=dark&bg=transparent")).text) == []
    assert schemes((await get(server, "/overlay/leaderboard/a")).text) == []


async def test_a_board_that_is_not_there_yet_embeds(server: Server) -> None:
    for path in ("/embed/leaderboard/later", "/overlay/game/LATER"):
        answer = await get(server, path)
        assert answer.status_code == 200
        assert "Waiting for the first score" in answer.text


async def test_without_public_viewing_a_frame_shows_nothing_by_itself(start: Start) -> None:
    server = await start(viewer_key="")
    await publish(
        server, "/leaderboard/arcade", {"player": "ann", "name": "Ann Example", "score": 1}
    )
    answer = await get(server, "/embed/leaderboard/arcade")
    assert (
        answer.status_code == 200
    )  # the key that it takes is behind the #, where no server sees it
    assert "Ann Example" not in answer.text
    assert "key" not in Tags(answer.text).of("live-leaderboard")[0]
    assert (await get(server, "/l/leaderboard/arcade.svg")).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/embed/nope/x", 404),
        ("/embed/default/chat", 404),
        ("/overlay/default/chat", 404),
        ("/embed/leaderboard/a_b", 400),
        ("/embed/leaderboard/a?limit=0", 400),
        ("/embed/leaderboard/a?limit=101", 400),
        ("/embed/leaderboard/a?limit=٣", 400),
        ("/embed/leaderboard/a?theme=pink", 400),
        ("/embed/leaderboard/a?bg=red", 400),
        ("/embed/leaderboard/a?lang=%3Cb%3E", 400),
        ("/embed/leaderboard/a?title=" + "x" * 101, 400),
        ("/embed/leaderboard/a?highlight=" + "x" * 129, 400),
        ("/overlay/leaderboard/a?scale=0", 400),
        ("/overlay/leaderboard/a?scale=nan", 400),
        ("/overlay/leaderboard/a?scale=9", 400),
        ("/overlay/leaderboard/a?align=top", 400),
        ("/overlay/leaderboard/a?hide=rows", 400),
        ("/l/nope/x.svg", 404),
        ("/l/default/chat.svg", 404),
        ("/l/leaderboard/a_b.svg", 400),
        ("/l/leaderboard/a.svg?top=21", 400),
        ("/l/leaderboard/a.svg?theme=auto", 400),
        ("/l/leaderboard/a.png", 400),
    ],
)
async def test_a_wrong_address_says_so(server: Server, path: str, status: int) -> None:
    answer = await get(server, path)
    assert answer.status_code == status
    assert f'<p class="status">{status}</p>' in answer.text


async def test_a_wrong_number_of_rows_is_told_by_the_name_that_it_has_there(
    server: Server,
) -> None:
    for path, told in (
        ("/l/leaderboard/a?top=101", "top is a number of rows from 1 to 100."),
        ("/l/leaderboard/a.svg?top=21", "top is a number of rows from 1 to 20."),
        ("/embed/leaderboard/a?limit=101", "limit is a number of rows from 1 to 100."),
    ):
        assert told in (await get(server, path)).text


# -- oEmbed ------------------------------------------------------------------------------------------------------------


async def oembed(server: Server, url: str, more: str = "") -> httpx.Response:
    return await get(server, f"/oembed?url={quote(url, safe='')}{more}")


async def test_a_boards_address_answers_with_its_frame(server: Server) -> None:
    await publish(server, "/leaderboard/summer-cup", {"player": "ann", "score": 1})
    answer = await oembed(server, f"{server.url}/l/leaderboard/summer-cup?top=5")
    assert answer.headers["content-type"] == "application/json"
    content = answer.json()
    (frame,) = Tags(content.pop("html")).of("iframe")
    assert content == {
        "version": "1.0",
        "type": "rich",
        "provider_name": "leaderboard",
        "provider_url": server.url,
        "title": "Summer cup",
        "width": 480,
        "height": 6 * 44,
        "cache_age": 600,
    }
    assert frame["src"] == f"{server.url}/embed/leaderboard/summer-cup?limit=5#key={VIEWER}"
    assert (frame["width"], frame["height"]) == ("480", "264")
    assert frame["title"] == "Summer cup"
    assert frame["sandbox"] == "allow-scripts"


async def test_the_frame_fits_where_it_shall_stand(server: Server) -> None:
    await publish(server, "/leaderboard/a", {"player": "ann", "score": 1})
    url = f"{server.url}/l/leaderboard/a"
    content = (await oembed(server, url, "&maxwidth=300&maxheight=200")).json()
    assert (content["width"], content["height"]) == (300, 4 * 44)
    assert "limit=3" in content["html"]
    assert (await oembed(server, url, "&maxheight=1")).json()["height"] == 2 * 44


async def test_a_boards_page_tells_where_to_ask(server: Server) -> None:
    await publish(server, "/leaderboard/cup", {"player": "x", "name": HOSTILE, "score": 1234})
    tags = Tags((await get(server, "/l/leaderboard/cup")).text)
    (link,) = (each for each in tags.of("link") if each.get("type") == "application/json+oembed")
    assert link["href"] is not None
    assert (await (await server.http()).get(link["href"])).json()["title"] == "Cup"
    told = {meta["property"]: meta["content"] for meta in tags.of("meta") if "property" in meta}
    assert told["og:title"] == "Cup"
    assert told["og:url"] == f"{server.url}/l/leaderboard/cup"
    assert told["og:description"] == f"1. {HOSTILE} 1,234"


async def test_a_board_is_told_of_as_long_as_it_is_there(server: Server) -> None:
    url = f"{server.url}/l/leaderboard/cup"
    discovery = "application/json+oembed"
    assert (await oembed(server, url)).status_code == 404
    assert discovery not in (await get(server, "/l/leaderboard/cup")).text
    await publish(server, "/leaderboard/cup", {"player": "ann", "score": 1})
    assert (await oembed(server, url)).status_code == 200
    assert discovery in (await get(server, "/l/leaderboard/cup")).text
    # A room of the game is one before anybody has scored.
    room = (await (await server.http()).post("/api/rooms")).json()
    assert (await oembed(server, f"{server.url}/l{room['channel']}")).status_code == 200


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://elsewhere.example/l/leaderboard/a", 404),
        ("{here}.elsewhere.example/l/leaderboard/a", 404),
        ("{here}@elsewhere.example/l/leaderboard/a", 404),
        ("{here}/l/nope/a", 404),
        ("{here}/l/default/chat", 404),
        ("{here}/l/leaderboard/a_b", 404),
        ("{here}/l", 404),
        ("{here}/docs", 404),
        ("ftp://127.0.0.1/l/leaderboard/a", 404),
        ("javascript:alert(1)", 404),
        ("http://[", 404),
        ("", 404),
    ],
)
async def test_any_other_address_is_unknown(server: Server, url: str, status: int) -> None:
    answer = await oembed(server, url.format(here=server.url))
    assert answer.status_code == status
    assert answer.json()["errors"][0]["errorType"] == "ResourceNotFound"


async def test_what_oembed_is_not_asked_rightly(server: Server, start: Start) -> None:
    url = f"{server.url}/l/leaderboard/a"
    assert (await oembed(server, url, "&format=xml")).status_code == 501
    assert (await oembed(server, url, "&maxwidth=wide")).status_code == 400
    assert (await get(server, "/oembed")).status_code == 400
    closed = await start(viewer_key="")
    assert (await oembed(closed, f"{closed.url}/l/leaderboard/a")).status_code == 401


async def test_links_point_to_the_public_address(start: Start) -> None:
    server = await start(public_url="https://scores.example")
    await publish(server, "/leaderboard/a", {"player": "ann", "score": 1})
    content = (await oembed(server, "https://scores.example/l/leaderboard/a")).json()
    assert 'src="https://scores.example/embed/leaderboard/a#key=' in content["html"]


# -- the picture -------------------------------------------------------------------------------------------------------


def texts(svg: ET.Element) -> list[str]:
    return [text.text or "" for text in svg.iter(f"{SVG}text")]


async def test_the_picture_shows_the_first_rows(server: Server) -> None:
    await publish(
        server,
        "/leaderboard/summer-cup",
        {"player": "ann", "name": "Ann", "score": 1234},
        {"player": "bob", "score": 1000},
        {"player": "cat", "score": 1},
    )
    answer = await get(server, "/l/leaderboard/summer-cup.svg?top=2&theme=dark")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    svg = ET.fromstring(answer.text)  # noqa: S314 (it is our own)
    assert texts(svg) == ["Summer cup", "3 players", "1", "Ann", "1,234", "2", "bob", "1,000"]
    assert svg.findtext(f"{SVG}title") == "Summer cup: 1. Ann 1,234, 2. bob 1,000"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (HOSTILE, "<script>alert(1)</scrip…"),
        ("W" * 64, "W" * 23 + "…"),
        ("محمد الخوارزمي", "محمد الخوارزمي"),
        ("👩‍👩‍👧" * 9, "👩‍👩‍👧" * 9),
    ],
)
async def test_a_name_in_the_picture_is_text_that_fits(
    server: Server, name: str, shown: str
) -> None:
    await publish(server, "/leaderboard/names", {"player": "x", "name": name, "score": 1})
    svg = ET.fromstring((await get(server, "/l/leaderboard/names.svg")).text)  # noqa: S314
    assert shown in texts(svg)
    assert {each.tag.removeprefix(SVG) for each in svg.iter()} <= {
        "svg",
        "title",
        "rect",
        "text",
        "path",
    }


async def test_an_id_that_xml_cannot_hold_does_not_break_the_picture(server: Server) -> None:
    await publish(server, "/leaderboard/ids", {"player": "a\ufffeb\uffff", "score": 1})
    svg = ET.fromstring((await get(server, "/l/leaderboard/ids.svg")).text)  # noqa: S314
    assert "a\ufffdb\ufffd" in texts(svg)


async def test_the_picture_of_a_board_that_is_not_there_yet_waits(server: Server) -> None:
    svg = ET.fromstring((await get(server, "/l/leaderboard/later.svg")).text)  # noqa: S314
    assert texts(svg) == ["Later", "0 players", "Waiting for the first score"]


# -- the configurator --------------------------------------------------------------------------------------------------


async def test_the_snippets_say_what_the_form_says(server: Server) -> None:
    query = "channel=leaderboard/cup&limit=4&title=A+%22B%22+%3Ci%3E&theme=dark&highlight=ann"
    query += "&lang=de&bg=transparent&scale=1.5&align=right&hide=header"
    for path in ("/embed", "/ui/embed"):
        text = (await get(server, f"{path}?{query}")).text
        assert ADMIN not in text
        assert HOST not in text
        codes = dict(re.findall(r'<code id="(\w+)">(.*?)</code>', text, re.DOTALL))
        element, frame, overlay = (
            _unescaped(codes[name]) for name in ("element", "frame", "overlay")
        )
        tags = Tags(element)
        assert tags.of("script") == [{"type": "module", "src": f"{server.url}/widget.js"}]
        assert tags.of("live-leaderboard") == [
            {
                "channel": "/leaderboard/cup",
                "limit": "4",
                "theme": "dark",
                "lang": "de",
                "label": 'A "B" <i>',
                "highlight": "ann",
                "key": VIEWER,
            }
        ]
        assert tags.of("a") == [{"href": f"{server.url}/l/leaderboard/cup"}]
        (iframe,) = Tags(frame).of("iframe")
        words = "lang=de&title=A+%22B%22+%3Ci%3E&highlight=ann"
        assert iframe["src"] == (
            f"{server.url}/embed/leaderboard/cup"
            f"?limit=4&theme=dark&bg=transparent&{words}#key={VIEWER}"
        )
        assert iframe["height"] == str(6 * 44)
        assert overlay == (
            f"{server.url}/overlay/leaderboard/cup"
            f"?limit=4&scale=1.5&align=right&hide=header&{words}#key={VIEWER}"
        )
        for address in (str(iframe["src"]), overlay):
            assert (await get(server, address.partition("#")[0])).status_code == 200


def _unescaped(text: str) -> str:
    parts: list[str] = []

    class Text(HTMLParser):
        def handle_data(self, data: str) -> None:
            parts.append(data)

    parser = Text()
    parser.feed(text)
    parser.close()
    return "".join(parts)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("channel=a_b", "is not a channel"),
        ("channel=/nope/x", "There can be no board /nope/x"),
        ("channel=/default/chat", "There can be no board /default/chat"),
        ("limit=1000", "limit is a number of rows"),
        ("preview=moon", "preview is one of"),
    ],
)
async def test_the_form_says_what_is_wrong(server: Server, query: str, said: str) -> None:
    for path in ("/embed", "/ui/embed"):
        answer = await get(server, f"{path}?{query}")
        assert answer.status_code == 200
        assert said in answer.text
        assert "<code id=" not in answer.text


async def test_without_public_viewing_the_snippets_ask_for_a_key(start: Start) -> None:
    server = await start(viewer_key="")
    assert "This board is not public" in (await get(server, "/embed")).text
