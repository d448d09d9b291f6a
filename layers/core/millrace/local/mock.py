"""Serves an API that is not there on a port of this machine. Web pages of others get no answer, as from the platform
itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from millrace.base.canonical import dumps
from millrace.base.limits import MIB
from millrace.local.guard import refusal
from millrace.services.mocking.exchange import Answer, Request
from millrace.services.mocking.service import Mock

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

BODY_BYTES: Final = 16 * MIB
PORT: Final = 8323
Tell = Callable[[Request, Answer], None]


class MockApp:
    """An ASGI application. ``tell`` hears of every request that was answered."""

    def __init__(self, mock: Mock, *, port: int, tell: Tell) -> None:
        self._mock, self._port, self._tell = mock, port, tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        path, query = raw.decode("latin-1"), scope["query_string"].decode("latin-1")
        why = refusal(headers, port=self._port)
        body = None if why else await _body(receive)
        request = Request(scope["method"], path, query, _joined(headers), body or b"")
        if why:
            answer = _refused(403, "Forbidden", why)
        elif body is None:
            answer = _refused(413, "Too large", f"the body is larger than {BODY_BYTES} bytes")
        else:
            answer = self._mock.answer(request)
        self._tell(request, answer)
        sent = answer.body
        told = {**answer.headers, "content-length": str(len(sent))}
        if answer.status < 200 or answer.status in (204, 304):
            sent = b""
            told = {name: value for name, value in answer.headers.items() if name != "content-type"}
        start: Any = {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in told.items()],
        }
        await send(start)
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else sent})


async def _body(receive: Receive) -> bytes | None:
    """The whole body, None when it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_BYTES:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _joined(headers: list[tuple[str, str]]) -> dict[str, str]:
    """Headers by name; several of one name are one list (RFC 9110, section 5.3), cookies by semicolons."""
    found: dict[str, str] = {}
    for name, value in headers:
        mark = "; " if name == "cookie" else ", "
        found[name] = f"{found[name]}{mark}{value}" if name in found else value
    return found


def _refused(status: int, title: str, detail: str) -> Answer:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Answer(status, {"content-type": "application/problem+json"}, dumps(body), "", "problem")
