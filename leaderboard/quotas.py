"""Ceilings and rates, as a table of settings, each with the reason for its default. `limits` counts the rates."""

from __future__ import annotations

from pydantic import ByteSize, Field

from leaderboard.values import Duration, Table


class Limits(Table):
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
        description="Bytes of frames and bodies of requests that have come in part, of all together; beyond it whoever"
        " has sent more than 64 KiB of one is closed with 1013, or refused with 429.",
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
