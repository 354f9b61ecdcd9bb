"""What is measured: for every scenario its contenders, what counts, and the table that comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from benchmarks import servers
from benchmarks.contender import Contender, Load, Measured, filled
from benchmarks.driven import BOARDS
from benchmarks.environment import BUILD
from benchmarks.results import CPU, Column, Table, table
from benchmarks.rounds import Effort, alternate
from benchmarks.servers import Server, Talk

PER_CPU = Column(figure="per_cpu_second", heading="deliveries per CPU-second")
TO_FLOOR = Column(figure="ratio", heading="to C", format=".2f")
FLOOR = servers.FLOOR.name
FASTAPI_TEXT = "FastAPI, send_text loop"
FASTAPI_JSON = "FastAPI, send_json loop"
OURS = "leaderboard"
RELAYED = "leaderboard, relay channel"

PAYLOAD = BUILD / "payload.json"


def _saturated(measured: Measured) -> float:
    return float(measured["server_cpu"])


def _deliveries(measured: Measured) -> Mapping[str, float]:
    rate = measured["deliveries"] / measured["seconds"]
    return {
        "per_cpu_second": rate / min(max(measured["server_cpu"], 0.01), 1.0),
        "per_second": rate,
    }


def _driven(load: Load, boards: int = 1) -> list[Contender]:
    """The product with boards that change as fast as their snapshots can be sent."""
    subscriptions = int(load["subscribers"]) * boards
    alone = servers.ours(boards, boards)
    return [
        Contender(
            name=server.name,
            server=server,
            talk=servers.appsync(*BOARDS[:boards]),
            load=load,
            alone=alone[place],
        )
        for place, server in enumerate(servers.ours(subscriptions, boards))
    ]


def _payload() -> str:
    """A snapshot's frame as the product sends it, the score that stands first replaced by ``{number}``.

    Every peer delivers these bytes, so that all send the same.
    """
    frame = _driven({"subscribers": 1})[0].check()
    payload = re.sub(r'(score\\":)\d+', r"\1{number}", frame, count=1)
    PAYLOAD.write_text(filled(payload))
    return payload


def _floor(load: Load, copies: int = 1) -> Contender:
    def server(subscribers: int) -> Server:
        return servers.FLOOR.with_arguments(subscribers, PAYLOAD, copies)

    return Contender(
        name=FLOOR if copies == 1 else f"{FLOOR}, {copies} frames in each",
        server=server(int(load["subscribers"])),
        talk=servers.plain(),
        load=load,
        alone=server(1),
    )


def fan_out(effort: Effort, subscribers: int, *, few: bool = False) -> Table:
    """One message to everybody, as fast as the server can."""
    payload = _payload()
    load = {"subscribers": subscribers, "seconds": effort.seconds}
    # One publish at a time: of several, a server may merge what it writes, and this is about single deliveries.
    pushed = {**load, "publishers": 1, "in_flight": 1}

    def peer(name: str, server: Server, talk: Talk) -> Contender:
        return Contender(name=name, server=server, talk=talk, load=pushed)

    contenders = [
        _floor(load),
        *_driven(load),
        peer(servers.WS.name, servers.WS, servers.plain(payload)),
        peer(FASTAPI_TEXT, servers.FASTAPI, servers.plain(payload)),
    ]
    if not few:
        contenders += [
            peer(RELAYED, servers.ours()[0], _relay(payload)),
            peer(servers.SOCKETIFY.name, servers.SOCKETIFY, servers.plain(payload)),
            peer(servers.PICOWS.name, servers.PICOWS, servers.plain(payload)),
            peer(servers.SOCKET_IO.name, servers.SOCKET_IO, servers.socket_io(payload)),
            peer(FASTAPI_JSON, servers.FASTAPI, servers.plain(payload, "/publish-json")),
            peer(
                servers.PYTHON_SOCKET_IO.name, servers.PYTHON_SOCKET_IO, servers.socket_io(payload)
            ),
        ]
    return table(
        f"fan-out-{subscribers}",
        f"Fan-out to {subscribers:,} subscribers, {len(filled(payload))} bytes",
        (PER_CPU, TO_FLOOR, *CPU),
        alternate(contenders, effort, _deliveries, _saturated),
        ratio=("per_cpu_second", FLOOR),
    )


def _relay(payload: str) -> Talk:
    """The same snapshot published to a relay channel. The publisher goes by its own copy, for answers come first."""
    event = re.search(r'"event":"(.*)"}$', payload)
    if event is None:
        raise ValueError(f"no event in {payload}")
    talk = servers.appsync(servers.RELAY, event=event[1].replace('\\"', '"'))
    return replace(talk, publisher_hellos=talk.hellos, answer=talk.delivery)


def many_boards(effort: Effort, subscribers: int, boards: int = len(BOARDS)) -> Table:
    """Everybody watches several boards that all change: what leaves together may leave in one write."""
    _payload()
    load = {"subscribers": subscribers, "seconds": effort.seconds}
    contenders = [_floor(load), _floor(load, copies=boards), *_driven(load, boards)]
    return table(
        "boards",
        f"{boards} boards on each of {subscribers:,} connections",
        (PER_CPU, TO_FLOOR, *CPU),
        alternate(contenders, effort, _deliveries, _saturated),
        ratio=("per_cpu_second", FLOOR),
    )


def ingest(effort: Effort, connections: int, in_flight: int) -> Table:
    """Publishes that are applied and answered, with nobody watching."""
    load = {
        "publishers": connections,
        "in_flight": in_flight,
        "players": 10_000,
        "seconds": effort.seconds,
    }
    contenders = [
        *(
            Contender(
                name=server.name,
                server=server,
                talk=servers.publish(servers.BOARD, servers.ANYWHERE),
                load=load,
            )
            for server in servers.ours()
        ),
        Contender(
            name="Node ws, a Map and no board",
            server=servers.WS,
            talk=servers.ingest("/ingest"),
            load=load,
        ),
        Contender(
            name="FastAPI, a dict and no board",
            server=servers.FASTAPI,
            talk=servers.ingest("/ingest"),
            load=load,
        ),
    ]

    def figures(measured: Measured) -> Mapping[str, float]:
        rate = measured["answers"] / measured["seconds"]
        return {"per_cpu_second": rate / min(max(measured["server_cpu"], 0.01), 1.0)}

    return table(
        "ingest-pipelined" if in_flight > 1 else "ingest-request-response",
        f"Ingest, {connections} connections with {in_flight} unanswered each",
        (
            Column(figure="per_cpu_second", heading="publishes per CPU-second"),
            Column(figure="ratio", heading=f"to {OURS}", format=".2f"),
            *CPU,
        ),
        alternate(contenders, effort, figures, _saturated),
        ratio=("per_cpu_second", OURS),
    )


RATE = 20
"""Publishes per second of one publisher: below AppSync's limit of 25."""
QUIET = 2
"""The same where every publish should find the board quiet."""


def latency(
    effort: Effort,
    publishers: int,
    subscribers: int = 200,
    rate: int = RATE,
    *,
    few: bool = False,
) -> Table:
    """From publish to snapshot. Rebroadcast multiplies publishers by subscribers; conflation does not."""
    payload = _payload()
    load: Load = {
        "subscribers": subscribers,
        "publishers": publishers,
        "players": max(publishers, 10),
        "rate": publishers * rate,
        "marker": "score",
        "warm_up": 1.0,
        "seconds": max(effort.seconds, 10 / rate),
    }
    contenders = [
        *(
            Contender(
                name=server.name,
                server=server,
                talk=replace(
                    servers.appsync(servers.BOARD, event=servers.NEWEST_FIRST), publisher_hellos=()
                ),
                load=load,
            )
            for server in servers.ours()
        ),
        *(
            Contender(
                name=name,
                server=server,
                talk=servers.plain(payload, path),
                load={**load, "singly": int(path == "/publish")},
            )
            for name, server, path in (
                ("Node ws, newest every 100 ms", servers.WS, "/conflate"),
                ("FastAPI, every publish to all", servers.FASTAPI, "/publish"),
                ("Node ws, every publish to all", servers.WS, "/publish"),
            )[: 2 if few else 3]
        ),
    ]

    def figures(measured: Measured) -> Mapping[str, float]:
        seconds = measured["seconds"]
        return {
            "offered": publishers * rate,
            "answered": measured["answers"] / seconds,
            "snapshots": measured["deliveries"] / seconds / subscribers,
            "p50": measured["age_p50_ms"],
            "p99": measured["age_p99_ms"],
        }

    return table(
        f"latency-{publishers}x{rate}",
        f"Publish to snapshot: {publishers} publishers, {publishers * rate:,} publishes/s, "
        f"{subscribers} subscribers",
        (
            Column(figure="answered", heading="answered/s"),
            Column(figure="snapshots", heading="deliveries/s each", format=",.1f"),
            Column(figure="p50", heading="p50 ms", format=",.1f"),
            Column(figure="p99", heading="p99 ms", format=",.1f"),
            *CPU,
        ),
        alternate(contenders, effort, figures),
    )


def stalled(effort: Effort, subscribers: int = 50, rate: int = 1000) -> Table:
    """One subscriber stops reading. Every server is measured without it and with it."""
    payload = _payload()
    load = {
        "subscribers": subscribers,
        "publishers": 50,
        "players": 1000,
        "rate": rate,
        "warm_up": 1.0,
        "seconds": max(effort.seconds, 6.0),
    }
    product = servers.ours()[0]
    board = servers.appsync("/fast/board", event=servers.ANYWHERE)
    relay = _relay(payload)
    relay = replace(relay, publisher_hellos=(), answer='{"type":"publish_success"')
    pairs = {}
    for name, server, talk in (
        ("leaderboard, 100 rows every 10 ms", product, board),
        ("leaderboard, relay channel", product, relay),
        ("Node ws, every publish to all", servers.WS, servers.plain(payload)),
        (FASTAPI_TEXT, servers.FASTAPI, servers.plain(payload)),
    ):
        pairs[name] = [
            Contender(
                name=f"{name}{how}", server=server, talk=talk, load={**load, "stalled": count}
            )
            for count, how in ((0, ", all read"), (1, ", one stalls"))
        ]

    def figures(measured: Measured) -> Mapping[str, float]:
        reading = subscribers - (1 if measured["stalled"] else 0)
        return {
            "snapshots": measured["deliveries"] / measured["seconds"] / reading,
            "least": measured["least"] / measured["seconds"],
            "answered": measured["answers"] / measured["seconds"],
            "growth": (measured["rss_after"] - measured["rss_open"]) / 1024,
        }

    found = alternate([item for pair in pairs.values() for item in pair], effort, figures)
    result = table(
        "stalled",
        f"One stalled subscriber of {subscribers}, {rate:,} publishes/s",
        (
            Column(figure="snapshots", heading="deliveries/s to each who reads", format=",.1f"),
            Column(figure="least", heading="to the worst of them", format=",.1f"),
            Column(figure="share", heading="of those without a stall", format=".2%"),
            Column(figure="answered", heading="answered/s"),
            Column(figure="growth", heading="memory, MiB", format="+.1f"),
            CPU[0],
        ),
        found,
    )
    for without, with_ in zip(result.rows[::2], result.rows[1::2], strict=True):
        if without.get("snapshots") and "snapshots" in with_:
            with_["share"] = with_["snapshots"] / without["snapshots"]
    return result


def idle(effort: Effort, connections: int = 4000) -> Table:
    """What a connection costs that has subscribed and says nothing."""
    load = {"subscribers": connections, "warm_up": 1.0, "seconds": 0.2}
    contenders = [
        *(
            Contender(
                name=server.name, server=server, talk=servers.appsync(servers.BOARD), load=load
            )
            for server in servers.ours()
        ),
        *_listeners(load),
    ]

    def figures(measured: Measured) -> Mapping[str, float]:
        kib = (measured["rss_open"] - measured["rss_before"]) / connections
        return {"kib": kib, "in_a_gib": 1024 * 1024 / max(kib, 0.01)}

    return table(
        "idle",
        f"Memory of an idle connection, {connections:,} of them",
        (
            Column(figure="kib", heading="KiB each", format=",.1f"),
            Column(figure="in_a_gib", heading="in 1 GiB"),
        ),
        alternate(contenders, replace(effort, rounds=1), figures),
    )


def connect(effort: Effort, connections: int = 2000) -> Table:
    """Connections opened one after the other, up to 128 handshakes at a time; the upgrade alone."""
    load = {"subscribers": connections, "warm_up": 0.0, "seconds": 0.05}
    contenders = [
        *(
            Contender(
                name=server.name,
                server=server,
                talk=replace(servers.appsync(servers.BOARD), hellos=(), delivery=""),
                load=load,
            )
            for server in servers.ours()
        ),
        *_listeners(load),
    ]

    def figures(measured: Measured) -> Mapping[str, float]:
        cpu = max(measured["connect_server_cpu"], 0.001)
        return {
            "per_cpu_second": connections / cpu,
            "per_second": connections / measured["connect_seconds"],
        }

    return table(
        "connect",
        f"Connections accepted, {connections:,} of them",
        (
            Column(figure="per_cpu_second", heading="per CPU-second"),
            Column(figure="per_second", heading="per second"),
        ),
        alternate(contenders, effort, figures),
    )


def _listeners(load: Load) -> list[Contender]:
    """Peers to which somebody listens, and nobody publishes."""
    listening = replace(servers.plain(), delivery="")
    return [
        Contender(name=server.name, server=server, talk=talk, load=load)
        for server, talk in (
            (servers.FASTAPI, listening),
            (servers.WS, listening),
            (servers.SOCKET_IO, replace(servers.socket_io(), delivery="")),
            (servers.PICOWS, listening),
            (servers.SOCKETIFY, listening),
        )
    ]
