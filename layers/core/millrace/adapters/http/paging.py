"""From one page to the next: which request follows, what has been gathered, and when to stop.

A service decides what its pages say, so everything in them is judged: where a link leads, whether it goes in circles,
how much there is. Nothing here sends anything.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final
from urllib.parse import unquote_plus, urlencode

from msgspec.structs import replace

from millrace.adapters.http.bodypaths import find
from millrace.adapters.http.links import link_to
from millrace.adapters.http.refusals import Refused, blocked, too_large, unreadable
from millrace.adapters.http.transport import Request, Response
from millrace.adapters.http.urls import Url, join, parse_url
from millrace.spec.tasks.http_paging import Paging

KEY_HEADER: Final = "idempotency-key"


class Pager:
    """``items`` gathered from ``pages`` pages so far; ``complete`` once the service has no more. ``cap`` bounds the
    bytes of all pages together; ``key`` is the platform's idempotency key, of which each page has its own; ``always``
    is a query parameter that links leave out and every request must carry."""

    def __init__(self, rule: Paging, *, cap: int, key: str, always: tuple[str, str] | None = None) -> None:
        self._rule = rule
        self._cap = cap
        self._key = key
        self._always = always
        self._bytes = 0
        self._seen: set[str] = set()
        self._last = b""
        self._at = rule.start if rule.start is not None else (1 if rule.strategy == "page" else 0)
        self._first: Request | None = None
        self.items: list[Any] = []
        self.pages = 0
        self.complete = False

    def begin(self, request: Request) -> Request:
        """The request of the first page."""
        rule = self._rule
        if rule.limit is not None and rule.limit_param is not None:
            request = replace(request, url=with_parameter(request.url, rule.limit_param, str(rule.limit)))
        if rule.strategy in ("offset", "page"):
            request = replace(request, url=with_parameter(request.url, str(rule.param), str(self._at)))
        self._first = request
        self._seen.add(str(request.url))
        return request

    def take(self, body: Any, *, url: Url, response: Response) -> Request | None:
        """Adds the items of a page that came from ``url`` and gives the request of the next one, None where there is
        none or a limit is reached. Raises Refused."""
        self.pages += 1
        self._bytes += len(response.body)
        if self._bytes > self._cap:
            said = f"the pages together are larger than {self._cap} bytes"
            raise too_large("response-bytes", said, limit=self._cap, hint="Ask for less, or lower maxItems.")
        found = find(body, self._rule.items or "")
        if not isinstance(found, list):
            said = f"page {self.pages} has no list at {self._rule.items or 'its top'}"
            raise unreadable("paging-items", said, "Correct the path in paging.items.")
        following = self._next(body, url, response, len(found))
        room = self._rule.max_items - len(self.items)
        self.items += found[:room]
        if following is None:
            self.complete = len(found) <= room
            return None
        if len(found) >= room or self.pages >= self._rule.max_pages:
            return None
        return self._request(following)

    def _request(self, url: Url) -> Request:
        assert self._first is not None  # begin comes first
        if self._always is not None:
            url = with_parameter(url, *self._always)
        headers = tuple(
            (name, f"{value}-{self.pages + 1}" if name.lower() == KEY_HEADER and value == self._key else value)
            for name, value in self._first.headers
        )
        return replace(self._first, url=url, headers=headers)

    def _next(self, body: Any, url: Url, response: Response, count: int) -> Url | None:
        strategy = self._rule.strategy
        if strategy == "link":
            header = ", ".join(value for name, value in response.headers if name == "link")
            return self._link(url, link_to(header, "next"))
        if strategy == "next":
            link = find(body, str(self._rule.path))
            if link not in (None, "", False) and not isinstance(link, str):
                raise unreadable("paging-next", f"page {self.pages} has no link at {self._rule.path}", "Correct path.")
            return self._link(url, link or "")
        if self._rule.more is not None and not find(body, self._rule.more):
            return None
        return self._cursor(body) if strategy == "cursor" else self._count(body, response, count)

    def _link(self, url: Url, link: str) -> Url | None:
        if not link:
            return None
        assert self._first is not None  # begin comes first
        following, home = join(url, link), self._first.url
        if following.origin != home.origin and not {following.host, following.authority} & set(self._rule.hosts):
            raise blocked(
                "paging-host",
                f"page {self.pages} leads to {following.authority}, and the list is at {home.authority}",
                "If that is meant, name the host in paging.hosts.",
                host=following.authority,
            )
        if home.scheme == "https" and following.scheme == "http":
            raise blocked("paging-host", "the next page leads from https to http", "The service must link to https.")
        self._once(str(following))
        return following

    def _cursor(self, body: Any) -> Url | None:
        value = find(body, str(self._rule.path))
        if value in (None, "", False):
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise unreadable("paging-next", f"page {self.pages} has no cursor at {self._rule.path}", "Correct path.")
        assert self._first is not None  # begin comes first
        following = with_parameter(self._first.url, str(self._rule.param), str(value))
        self._once(str(following))
        return following

    def _count(self, body: Any, response: Response, count: int) -> Url | None:
        """The next offset or page number. A page that is short is no sign of the end, since services cap what they
        give; an empty one is."""
        if not count:
            return None
        digest = hashlib.sha256(response.body).digest()
        if digest == self._last:
            raise self._loop(f"page {self.pages} is the one before it again, so {self._rule.param} changes nothing")
        self._last = digest
        total = find(body, self._rule.total) if self._rule.total is not None else None
        self._at += 1 if self._rule.strategy == "page" else count
        if isinstance(total, int) and self._reached(count) >= total:
            return None
        assert self._first is not None  # begin comes first
        return with_parameter(self._first.url, str(self._rule.param), str(self._at))

    def _reached(self, count: int) -> int:
        """Up to which item of the whole list the service has given."""
        return self._at if self._rule.strategy == "offset" else len(self.items) + count

    def _once(self, url: str) -> None:
        if url in self._seen:
            raise self._loop(f"page {self.pages} leads to a page that has been read")
        self._seen.add(url)

    def _loop(self, message: str) -> Refused:
        return unreadable("paging-loop", message, "The service repeats itself; check paging.")


def with_parameter(url: Url, name: str, value: str) -> Url:
    """The URL with one query parameter of that name and value, whatever it had. Raises Refused as `parse_url`."""
    path, _, query = url.target.partition("?")
    kept = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) != name]
    base = f"{url.scheme}://{url.authority}{path}"
    return parse_url(f"{base}?{'&'.join([*kept, urlencode({name: value})])}")
