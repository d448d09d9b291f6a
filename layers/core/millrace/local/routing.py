"""Chooses the resource of a request as API Gateway does: a fixed segment before a variable one, a greedy one last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from millrace.local.template import Route

_GREEDY: Final = "+}"


class Match(Struct, frozen=True):
    """``parameters`` are decoded once, as API Gateway hands them over."""

    route: Route
    parameters: dict[str, str]


class Router:
    """Answers from a fixed list of routes; holds no other state."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._resources: dict[str, dict[str, Route]] = {}
        for route in routes:
            self._resources.setdefault(route.resource, {})[route.method] = route
        self._ordered = sorted(self._resources, key=_rank)

    def match(self, method: str, path: str) -> Match | frozenset[str]:
        """The route of a request, or the methods that its path has (none: nothing is there).

        ``path`` is the raw path, still percent-encoded. The first resource that fits decides, whatever its methods.
        """
        for resource in self._ordered:
            parameters = _fit(resource, path)
            if parameters is None:
                continue
            methods = self._resources[resource]
            if method in methods:
                return Match(methods[method], parameters)
            return frozenset(methods)
        return frozenset()


def _rank(resource: str) -> list[tuple[int, str]]:
    return [(2 if s.endswith(_GREEDY) else 1 if s.startswith("{") else 0, s) for s in _segments(resource)]


def _segments(path: str) -> list[str]:
    return path.split("/")[1:]


def _fit(resource: str, path: str) -> dict[str, str] | None:
    wanted, given = _segments(resource), _segments(path)
    parameters: dict[str, str] = {}
    for index, segment in enumerate(wanted):
        if segment.endswith(_GREEDY):
            rest = "/".join(given[index:])
            if not rest:
                return None
            parameters[segment[1:-2]] = unquote(rest)
            return parameters
        if index >= len(given):
            return None
        if segment.startswith("{"):
            if not given[index]:
                return None
            parameters[segment[1:-1]] = unquote(given[index])
        elif segment != given[index]:
            return None
    return parameters if len(wanted) == len(given) else None
