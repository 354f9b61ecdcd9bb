"""How a board is put into somebody else's page: as an element, as a frame, as the address of an overlay.

What is written here is text for others to copy, not markup of ours: it may carry what no page of this server may.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import quote, urlencode

from msgspec import Struct

ROW: Final = 44
"""Height in pixels of a row, and of the header: 2.75em in static/css/widget.css, at the browser's usual size."""
WIDTH: Final = 480
"""Pixels: the whole row fits, and so does the column of a blog."""
DEFAULT_LIMIT: Final = 10
DEFAULT_SCALE: Final = 1.0


class Embedding(Struct, frozen=True, kw_only=True):
    """A board of the server at ``base`` as somebody wants it shown. What is empty is left to the board."""

    base: str
    channel: str
    key: str
    name: str
    """What the board is called where nobody gave it a title."""
    limit: int = DEFAULT_LIMIT
    theme: str = "auto"
    lang: str = ""
    title: str = ""
    highlight: str = ""
    transparent: bool = False
    """A frame through which its page is seen."""
    scale: float = DEFAULT_SCALE
    align: str = "left"
    header: bool = True

    @property
    def page(self) -> str:
        """The address of the board's own page."""
        return f"{self.base}/l{self.channel}"

    @property
    def height(self) -> int:
        """Pixels of a frame: header, rows, and one more for the player who may stand below them."""
        return ROW * (1 + self.limit + bool(self.highlight))

    def element(self) -> str:
        """For pages that may load a script."""
        attributes = {
            "channel": self.channel,
            "limit": str(self.limit),
            "theme": self.theme,
            "lang": self.lang,
            "label": self.title,
            "highlight": self.highlight,
            "key": self.key,
        }
        written = "".join(
            f' {name}="{escape(value)}"' for name, value in attributes.items() if value
        )
        return (
            f'<script type="module" src="{escape(self.base)}/widget.js"></script>\n'
            f"<live-leaderboard{written}>\n"
            f'  <a href="{escape(self.page)}">{escape(self.title or self.name)}</a>\n'
            "</live-leaderboard>"
        )

    def frame(self, width: int = WIDTH) -> str:
        """For pages that may not: sized here, since nothing in it can size it."""
        # A frame is opaque unless it and the element that shows it agree on a colour scheme.
        style = ' style="color-scheme: light"' if self.transparent else ""
        return (
            f'<iframe src="{escape(self.frame_url)}" title="{escape(self.title or self.name)}"'
            f' width="{width}" height="{self.height}" frameborder="0" loading="lazy"'
            f' sandbox="allow-scripts"{style}></iframe>'
        )

    @property
    def frame_url(self) -> str:
        """What a frame shows."""
        return self.base + self.frame_path

    @property
    def frame_path(self) -> str:
        """The same within this server."""
        query = {
            "limit": self.limit if self.limit != DEFAULT_LIMIT else "",
            "theme": self.theme if self.theme != "auto" else "",
            "bg": "transparent" if self.transparent else "",
        }
        return self._address("embed", query)

    @property
    def overlay_url(self) -> str:
        """What OBS lays over a picture."""
        return self.base + self.overlay_path

    @property
    def overlay_path(self) -> str:
        """The same within this server."""
        query = {
            "limit": self.limit if self.limit != DEFAULT_LIMIT else "",
            "scale": f"{self.scale:g}" if self.scale != DEFAULT_SCALE else "",
            "align": self.align if self.align != "left" else "",
            "hide": "" if self.header else "header",
        }
        return self._address("overlay", query)

    def _address(self, kind: str, query: Mapping[str, object]) -> str:
        named = {**query, "lang": self.lang, "title": self.title, "highlight": self.highlight}
        asked = urlencode({name: value for name, value in named.items() if value != ""})
        # Behind the #, a key reaches no log and no other site.
        key = f"#key={quote(self.key, safe='')}" if self.key else ""
        return f"/{kind}{self.channel}{asked and f'?{asked}'}{key}"
