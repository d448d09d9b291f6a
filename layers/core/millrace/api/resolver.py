"""The Powertools resolver, made safe under concurrent handler calls.

Powertools assigns the current event to a class attribute and keeps per-request data in one dictionary of the
resolver; with sixteen threads almost every request then sees another caller. Here all of it is read through the
ContextVar of `millrace.api.current`, and routes are built under a lock. Routing is ours too, so that 404, 405 and
the access table are decided on the very route that is called.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping
from typing import Any, Final

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from aws_lambda_powertools.utilities.data_classes.common import BaseProxyEvent

from millrace.api.current import current_or_none, request
from millrace.base.errors import InvalidRequest, MethodNotAllowed, NotFound

_OPTIONS: Final = tuple(inspect.signature(APIGatewayRestResolver.route).parameters)[3:]
COMMON_QUERY: Final = frozenset({"namespace"})


class _Headers(dict[str, Any]):
    """Header values by name in any case; keys are kept in lower case."""

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name.lower())

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name.lower(), value)


class Event(APIGatewayProxyEvent):
    """The event as the validation layer sees it: body, query and headers as our own layers have parsed them."""

    @property
    def json_body(self) -> Any:
        return request().body

    @property
    def headers(self) -> dict[str, str]:
        # The validation layer picks its parser by this header; the body is a value already.
        return _Headers({**request().headers, "content-type": "application/json"})

    @property
    def resolved_query_string_parameters(self) -> dict[str, list[str]]:
        return {name: [value] for name, value in request().query.items()}

    @property
    def multi_value_query_string_parameters(self) -> dict[str, list[str]]:
        return self.resolved_query_string_parameters

    @property
    def resolved_headers_field(self) -> dict[str, Any]:
        return _Headers({name: [value] for name, value in request().headers.items()})


class Resolver(APIGatewayRestResolver):
    """One function's routes. `find` names the route of a request; `call` runs it."""

    def __init__(self, concern: str) -> None:
        self.concern = concern
        self._building = threading.Lock()
        self._built: dict[int, frozenset[str]] = {}
        self.documented: dict[tuple[str, str], dict[int, Any]] = {}
        super().__init__(enable_validation=True, debug=False)

    def route(self, rule: str, method: Any, *given: Any, **more: Any) -> Any:
        """Registers a route. Its answers are kept beside it in ``documented``: they only describe, and the base
        class would build a validator for each at the first request."""
        options = {**dict(zip(_OPTIONS, given, strict=False)), **more}
        self.documented[(method, rule)] = options.pop("responses", None) or {}
        return super().route(rule, method, **options)

    @property
    def routes(self) -> list[Route]:
        return [*self._static_routes, *self._dynamic_routes]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route of a checked path, and its path arguments. Raises NotFound or MethodNotAllowed."""
        others = []
        for route in self.routes:
            match = route.rule.fullmatch(path)
            if match and route.method == method:
                return route, match.groupdict()
            if match:
                others.append(route.method)
        if others:
            allow = sorted(set(others))
            raise MethodNotAllowed(
                f"{path} has no {method[:20]}", hint=f"Use {' or '.join(allow)}.", facts={"allow": allow}
            )
        raise NotFound(f"there is no resource {path}", hint="See docs/openapi.json for the paths there are.")

    def call(self, route: Route) -> dict[str, Any]:
        """Validates the current request against the route and answers with the gateway's response.

        Raises whatever the use case raises, InvalidRequest on unknown query parameters and on a body that is no
        object where one is expected, and the validation layer's own error.
        """
        now = request()
        known = self._prepare(route)
        unknown = sorted(set(now.query) - known - COMMON_QUERY)
        if unknown:
            raise InvalidRequest(
                f"there is no query parameter {unknown[0][:80]!r} here",
                hint=f"Known: {', '.join(sorted(known | COMMON_QUERY))}.",
                facts={"unknown": [name[:80] for name in unknown]},
            )
        if route.dependant.body_params and now.body is not None and not isinstance(now.body, dict):
            raise InvalidRequest("the body must be an object", hint="Send a JSON object.")
        now.scratch.update(_route=route, _path=now.path)
        # The stack ends in an adapter that makes a Response of whatever the route returns.
        answer: Any = route(router_middlewares=self._router_middlewares, app=self, route_arguments=now.arguments)
        return self._response_builder_class(answer, self._serializer, route).build(self.current_event, None)

    def _prepare(self, route: Route) -> frozenset[str]:
        known = self._built.get(id(route))
        if known is None:
            with self._building:
                if not route._middleware_stack_built:
                    route._build_middleware_stack(router_middlewares=self._router_middlewares, app=self)
                known = frozenset(field.alias for field in route.dependant.query_params)
                self._built[id(route)] = known
        return known

    @property
    def current_event(self) -> APIGatewayProxyEvent:
        return Event(dict(request().event))

    @current_event.setter
    def current_event(self, value: BaseProxyEvent) -> None:
        request().event = value.raw_event

    @property
    def lambda_context(self) -> Any:
        return request().lambda_context

    @lambda_context.setter
    def lambda_context(self, value: Any) -> None:
        request().lambda_context = value

    @property
    def context(self) -> dict[str, Any]:
        now = current_or_none()
        return {} if now is None else now.scratch

    @context.setter
    def context(self, value: Mapping[str, Any]) -> None:
        """The base class assigns an empty dictionary when it is made; there is nothing to keep."""

    def _push_processed_stack_frame(self, frame: str) -> None:
        """Debugging aid of the base class, shared by all requests: not kept."""
