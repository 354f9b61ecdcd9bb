"""The rules of a namespace, as a table of settings, and the namespaces of a server that configures none."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from leaderboard.values import MAX_SCORE, AuthModes, Duration, ImportString, Table

MAX_TOP = 100
Bound = Annotated[float, Field(ge=-MAX_SCORE, le=MAX_SCORE, allow_inf_nan=False)]


class Namespace(Table):
    """The rules of all channels below one first segment."""

    kind: Literal["board", "relay"] = Field(
        "board",
        description="board: scores in, snapshots out. relay: plain AppSync, events as they came.",
    )
    mode: Literal["best", "latest", "sum"] = Field(
        "best", description="What a new score does to the old one: best of both, latest, or sum."
    )
    order: Literal["desc", "asc"] = Field("desc", description="Whether more is better, or less.")
    ties: Literal["competition", "ordinal"] = Field(
        "competition",
        description="Ranks of equal scores: 1224 or 1234. Who got there first stands first.",
    )
    top: int = Field(10, ge=1, le=MAX_TOP, description="Rows of the default view.")
    interval_ms: int = Field(
        100,
        ge=10,
        le=60_000,
        description="A board that keeps changing is sent once in so many milliseconds.",
    )
    max_entries: int = Field(
        100_000, ge=1, description="A new player on a board this full is refused."
    )
    idle_ttl: Duration = Field(
        7_200.0, description="A board lives so long after its last publish or its last subscriber."
    )
    events: bool = Field(
        False, description='Whether raw events may be subscribed to (`view: "events"`).'
    )
    min_score: Bound = Field(-MAX_SCORE, description="Smallest `score` that an event may carry.")
    max_score: Bound = Field(MAX_SCORE, description="Largest `score` that an event may carry.")
    on_publish: ImportString | None = Field(
        None, description="Handler of publishes, as `package.module:function`."
    )
    on_subscribe: ImportString | None = Field(
        None, description="Handler of subscribes, and of reads over HTTP; likewise."
    )
    handler_timeout: Duration = Field(2.0, description="A handler that takes longer is given up.")
    publish_auth_modes: AuthModes | None = Field(
        None, description="Instead of `default_publish_auth_modes`."
    )
    subscribe_auth_modes: AuthModes | None = Field(
        None, description="Instead of `default_subscribe_auth_modes`."
    )

    @model_validator(mode="after")
    def _bounds(self) -> Namespace:
        if self.min_score > self.max_score:
            raise ValueError("min_score is above max_score")
        return self


def default_namespaces() -> dict[str, Namespace]:
    """The namespaces of a server that configures none."""
    return {
        "leaderboard": Namespace(),
        "game": Namespace(mode="sum", on_publish="leaderboard.referee:on_publish"),
        "default": Namespace(kind="relay"),
    }
