"""The links of a room on its host's page: made by a form, listed, revoked, and for nobody else."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import httpx
import pytest

from tests.appsync import error_types
from tests.conftest import Server, Start


class Host:
    """A room and the browser that opened it."""

    def __init__(self, server: Server, web: httpx.AsyncClient, code: str) -> None:
        self.server, self.web, self.code = server, web, code
        self.channel = f"/game/{code}"

    async def post(self, path: str = "", *, htmx: bool = True, **form: Any) -> httpx.Response:
        headers = {"origin": self.server.url, **({"hx-request": "true"} if htmx else {})}
        return await self.web.post(f"/ui/room/{self.code}/links{path}", data=form, headers=headers)

    async def make(self, **form: Any) -> str:
        """The address of a new link."""
        answer = await self.post(**form)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return address(answer.text)

    async def listed(self) -> str:
        return (await self.web.get(f"/ui/room/{self.code}/links")).text


def address(html: str) -> str:
    found = re.search(r'id="address"[^>]*>([^<]+)<', html)
    assert found is not None, html
    return unescape(found[1])


@pytest.fixture
async def host(server: Server) -> Host:
    return await open_room(server)


async def open_room(server: Server) -> Host:
    web = await server.http()
    answer = await web.post("/host", data={}, headers={"origin": server.url})
    return Host(server, web, answer.headers["location"].split("/")[2])


async def test_a_link_is_made_for_the_room_and_told_once(host: Host) -> None:
    link = await host.make(role="scorekeeper", hours="1", rate="5", label="Court 3")
    assert link.startswith(f"{host.server.url}/l{host.channel}#token=")
    token = link.partition("#token=")[2]
    client = await host.server.client(None, token=token)
    # It may; that no round is open yet is another thing.
    answer = await client.publish(host.channel, {"player": "ann", "score": 3})
    assert error_types(answer) == ["RoundClosed"]
    shown = await host.listed()
    assert "Court 3" in shown
    assert "for 1 h, 5 a second" in shown
    assert token not in shown
    assert token not in (await host.web.get(f"/r/{host.code}/links")).text


async def test_a_link_that_is_revoked_there_ends_what_it_has_opened(host: Host) -> None:
    token = (await host.make(role="viewer")).partition("#token=")[2]
    client = await host.server.client(None, token=token)
    await client.subscribe(host.channel)
    name = re.search(r"links/([\w-]+)/revoke", await host.listed())
    assert name is not None
    answer = await host.post(f"/{name[1]}/revoke")
    assert "None now" in answer.text
    assert error_types(await client.expect("connection_error")) == ["UnauthorizedException"]
    assert (await host.post(f"/{name[1]}/revoke")).status_code == 404


async def test_without_a_script_the_answers_are_pages(host: Host) -> None:
    made = await host.post(htmx=False, role="viewer")
    assert "<!doctype html>" in made.text
    name = re.search(r"links/([\w-]+)/revoke", made.text)
    assert address(made.text).endswith(made.text.partition("#token=")[2].partition("<")[0])
    assert name is not None
    revoked = await host.post(f"/{name[1]}/revoke", htmx=False)
    assert (revoked.status_code, revoked.headers["location"]) == (303, f"/r/{host.code}/links")


async def test_who_is_in_the_room_already_is_found_by_name(host: Host) -> None:
    web = await host.server.http()
    joined = await web.post(f"/api/rooms/{host.code}/players", json={"name": "Ann"})
    ann = joined.json()["player"]
    for name, player in (("ANN", ann), ("Bob", "Bob")):
        token = re.search(r"#seat=([\w.-]+)", await host.make(role="player", player=name))
        assert token is not None
        back = await (await host.server.http(token=token[1])).post(
            f"/api/rooms/{host.code}/players", json={"name": name}
        )
        assert back.json()["player"] == player


async def test_the_code_is_drawn_where_another_device_could_open_it(start: Start) -> None:
    server = await start(public_url="https://scores.example")
    web = await server.http()
    headers = {"origin": "https://scores.example"}
    opened = await web.post("/host", data={}, headers=headers)
    code = re.search(r"/r/(\w{4})/", opened.headers["location"])
    assert code is not None
    cookie = re.search(r"(host_\w{4}=[^;]+);", opened.headers["set-cookie"])
    assert cookie is not None  # Secure: a client on plain http would keep it to itself
    answer = await web.post(
        f"/ui/room/{code[1]}/links",
        data={"role": "presenter"},
        headers={**headers, "cookie": cookie[1], "hx-request": "true"},
    )
    assert address(answer.text).startswith(f"https://scores.example/r/{code[1]}/present#token=")
    assert "<svg" in answer.text


async def test_on_a_server_for_this_machine_alone_a_sentence_stands_there_instead(
    host: Host,
) -> None:
    answer = await host.post(role="viewer")
    assert "<svg" not in answer.text
    assert "--host 0.0.0.0" in answer.text


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"role": "admin"},
        {"role": "player"},
        {"role": "viewer", "hours": "0"},
        {"role": "viewer", "hours": "25"},
        {"role": "viewer", "hours": "many"},
        {"role": "viewer", "rate": "0"},
        {"role": "viewer", "label": "x" * 61},
        {"role": "player", "player": "x" * 200},
    ],
)
async def test_what_makes_no_link_is_said_where_people_look(
    host: Host, form: dict[str, Any]
) -> None:
    answer = await host.post(**form)
    assert answer.status_code == 400
    assert answer.headers["hx-retarget"] == "#refusal"
    assert "None now" in await host.listed()


async def test_nobody_else_makes_sees_or_revokes_the_links_of_a_room(
    server: Server, host: Host
) -> None:
    await host.make(role="viewer")
    name = re.search(r"links/([\w-]+)/revoke", await host.listed())
    assert name is not None
    other = await open_room(server)  # the host of another room
    headers = {"origin": server.url, "hx-request": "true"}
    for web in (await server.http(), other.web):
        for answer in (
            await web.get(f"/r/{host.code}/links"),
            await web.get(f"/ui/room/{host.code}/links"),
            await web.post(f"/ui/room/{host.code}/links", data={"role": "viewer"}, headers=headers),
            await web.post(f"/ui/room/{host.code}/links/{name[1]}/revoke", headers=headers),
        ):
            assert answer.status_code == 403
    assert (await other.post(f"/{name[1]}/revoke")).status_code == 404
    foreign = {"origin": "http://evil.example", "hx-request": "true"}
    path = f"/ui/room/{host.code}/links"
    assert (await host.web.post(path, data={"role": "viewer"}, headers=foreign)).status_code == 403
    assert (await host.web.post(f"{path}/{name[1]}/revoke", headers=foreign)).status_code == 403
    assert name[1] in await host.listed()


async def test_a_presenter_by_a_link_is_out_when_it_is_revoked_with_all_that_it_gave(
    server: Server, host: Host
) -> None:
    token = (await host.make(role="presenter")).partition("#token=")[2]
    web = await server.http()
    origin = {"origin": server.url}
    claimed = await web.post(f"/ui/room/{host.code}/host", data={"token": token}, headers=origin)
    assert claimed.status_code == 204
    page = (await web.get(f"/r/{host.code}/present")).text
    looking = re.search(r'data-token="([^"]+)"', page)
    assert looking is not None
    assert looking[1] != token
    watcher = await server.client(None, token=looking[1])
    await watcher.subscribe(host.channel)
    presenter = Host(server, web, host.code)
    given = (await presenter.make(role="scorekeeper")).partition("#token=")[2]
    keeper = await server.client(None, token=given)
    *_, first = re.findall(r"links/([\w-]+)/revoke", await host.listed())
    await host.post(f"/{first}/revoke")
    assert await watcher.closed() == 1000
    assert await keeper.closed() == 1000
    assert (await web.get(f"/r/{host.code}/present")).status_code == 403
    assert "None now" in await host.listed()
