"""Talks to a running server. Standard library only, since every CLI verb pays for what this imports."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from msgspec import Struct

from millrace.base.errors import MillraceError, Unavailable

TIMEOUT_S: Final = 40.0  # above the longest answer: 20 s of waiting


class Refused(MillraceError):
    """The server answered with a problem body. ``facts`` is that body; ``status`` its HTTP status."""

    code = "refused"

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        detail = str(problem.get("detail") or problem.get("title") or f"the server answered {status}")
        super().__init__(detail, hint=str(problem.get("hint") or ""), facts=problem)
        self.status = status


class Reply(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The JSON body. Raises Unavailable when it is something else: then this is no Millrace server."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Unavailable(
                f"the server answered {self.status} with something that is not JSON",
                hint="Check that the port is Millrace's.",
            ) from None


class Client:
    """One server on loopback. Each call is one connection, so an object may be shared by threads."""

    def __init__(self, port: int, *, timeout: float = TIMEOUT_S) -> None:
        self.port = port
        self._timeout = timeout

    def send(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Whatever the server answers. Raises Unavailable when it does not."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self._timeout)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            return Reply(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        except TimeoutError as error:
            asked = f"{method} {path.split('?')[0]}"
            raise Unavailable(
                f"the server on 127.0.0.1:{self.port} took more than {self._timeout:g} s for {asked}",
                hint="It may still be busy with this: look what came of it before you send it again.",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"no server answers on 127.0.0.1:{self.port} ({error or type(error).__name__})",
                hint="Start one with `millrace dev`.",
            ) from error
        finally:
            connection.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        value: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Status and JSON body of a call below /api/v1 with a JSON body. Raises Refused on 4xx and 5xx."""
        target = f"/api/v1{path}" + (f"?{urlencode(query)}" if query else "")
        body = None if value is None else json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
        sent = {"content-type": "application/json", **(headers or {})}
        return _judged(self.send(method, target, body=body, headers=sent))

    def pages(self, path: str) -> Iterator[Any]:
        """Every page of a list, as JSON bodies with ``items``. Raises Refused."""
        query = {"limit": "100"}
        while True:
            _, page = self.call("GET", path, query=query)
            yield page
            if page["cursor"] is None:
                return
            query["cursor"] = page["cursor"]

    def publish(
        self, kind: str, document: bytes, *, media: str, query: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Publish a document; ``kind`` is Workflow or WorkflowTask. Raises Refused with the findings in its facts."""
        collection = "tasks" if kind == "WorkflowTask" else "workflows"
        target = f"/api/v1/{collection}" + (f"?{urlencode(query)}" if query else "")
        return _judged(self.send("POST", target, body=document, headers={"content-type": f"application/{media}"}))


def _judged(reply: Reply) -> tuple[int, Any]:
    value = reply.json()
    if reply.status >= 400:
        raise Refused(reply.status, value if isinstance(value, dict) else {})
    return reply.status, value


def segment(text: str) -> str:
    """One path segment, percent-encoded whole."""
    return quote(text, safe="")
