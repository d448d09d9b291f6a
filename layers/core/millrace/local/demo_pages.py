"""Lists of the demo service that come in pages, in the three ways that services have."""

from __future__ import annotations

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from millrace.local.demo_data import ORDERS, POSTS, USERS

LARGEST: Final = 8
"""Items on one page, whatever is asked for: services cap it, and readers must not take a short page for the last."""


async def _users(request: Request) -> Response:
    """A list, with the next page in the Link header (RFC 8288)."""
    page = _number(request, "page", 1)
    everybody = list(USERS.values())
    found = everybody[(page - 1) * 4 : page * 4]
    more = page * 4 < len(everybody)
    links = [f'<{request.url.path}?page={page + 1}>; rel="next"'] if more else []
    return JSONResponse(found, headers={"link": ", ".join([*links, f'<{request.url.path}>; rel="first"'])})


async def _orders(request: Request) -> Response:
    """``{data, meta: {next}}``: the cursor is null on the last page."""
    after, limit = _number(request, "after", 0), min(_number(request, "limit", LARGEST), LARGEST)
    rest = [order for number, order in ORDERS.items() if number > after]
    found = rest[:limit]
    return JSONResponse({"data": found, "meta": {"next": found[-1]["id"] if len(rest) > limit else None}})


async def _posts(request: Request) -> Response:
    """``{posts, total}`` from an offset on."""
    offset, limit = _number(request, "offset", 0), min(_number(request, "limit", LARGEST), LARGEST)
    return JSONResponse({"posts": POSTS[offset : offset + limit], "total": len(POSTS)})


def _number(request: Request, name: str, otherwise: int) -> int:
    text: Any = request.query_params.get(name, str(otherwise))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise HTTPException(400, f"{name} must be a whole number")
    return int(text)


def routes() -> list[Route]:
    return [
        Route("/pages/users", _users),
        Route("/pages/orders", _orders),
        Route("/pages/posts", _posts),
    ]
