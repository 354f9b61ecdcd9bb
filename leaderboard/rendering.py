"""How every page is answered: a template, its policy, and for a refusal the page of an error.

Every HTML answer carries the same strict policy, so that nothing inline and nothing foreign can run, whatever a player
is called.
"""

from __future__ import annotations

import http
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from leaderboard import templating
from leaderboard.errors import InternalFailure, Refusal
from leaderboard.settings import Settings

log = logging.getLogger(__name__)

THEMES: Final = ("auto", "light", "dark")


class PageRoute(APIRoute):
    """A route whose refusals are pages too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler with the refusals worded for people."""
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                return await handle(request)
            except Refusal as refusal:
                return self.refused(request, refusal)
            except Exception:
                log.exception("%s %s failed", request.method, request.scope["route"].path_format)
                return self.refused(request, InternalFailure(_MESSAGES[500]))

        return handle_page

    def refused(self, request: Request, refusal: Refusal) -> Response:
        """What is answered to a request that was refused."""
        return error_page(request, refusal.status, refusal.message)


def html_page(
    request: Request,
    template: str,
    status: int = 200,
    *,
    scripted: bool = False,
    reach: str = "",
    ancestors: Iterable[str] = ("'self'",),
    frames: bool = False,
    **context: Any,
) -> HTMLResponse:
    """A rendered template with the policy of all pages. ``scripted`` pages load htmx; the rest is `policy`'s."""
    html = templating.render(template, {"theme": "auto", "here": "", **context})
    host = request.headers.get("host", "")
    headers = {
        "content-security-policy": templating.policy(
            host, trusted_types=not scripted, reach=reach, ancestors=ancestors, frames=frames
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cache-control": "no-cache",
    }
    return HTMLResponse(html, status, headers)


def error_page(request: Request, status: int, message: str = "") -> HTMLResponse:
    """What a browser gets instead of a page."""
    return html_page(
        request,
        "error.html",
        status,
        code=status,
        heading=_HEADINGS.get(status) or http.HTTPStatus(status).phrase,
        message=message or _MESSAGES.get(status) or http.HTTPStatus(status).description,
    )


_HEADINGS = {
    400: "This address is not quite right",
    403: "Not for this visitor",
    404: "There is nothing here",
    500: "Something went wrong here",
}
_MESSAGES = {
    404: "The address may be misspelt, or what it showed has ended.",
    500: "The fault is the server’s, not yours, and is in its log.",
}


def example_channel(settings: Settings) -> str:
    """Where to try something: on a channel of the first namespace of boards, if there is one."""
    names = settings.namespaces
    boards = (name for name, each in names.items() if each.kind == "board")
    return f"/{next(boards, next(iter(names)))}/demo"
