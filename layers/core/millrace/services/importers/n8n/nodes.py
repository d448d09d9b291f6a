"""Nodes that become one task, by their type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from millrace.services.importers.bounds import limit_attempt
from millrace.services.importers.draft import Draft, Task
from millrace.services.importers.n8n.expressions import Parameters
from millrace.services.importers.reading import listing, mapping, number, text
from millrace.services.importers.requests import request, seconds
from millrace.services.importers.result import Path
from millrace.services.importers.spelling import slug

_UNITS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_DEEPEST: Final = 16
_WHOLE: Final = re.compile(r"\{\{(?:(?!\}\}).)*\}\}", re.DOTALL)
"""A text that is one expression."""


class Nodes:
    """Makes the task of a node; ``makers`` says of which types."""

    def __init__(self, draft: Draft, parameters: Parameters) -> None:
        self._draft, self._parameters = draft, parameters
        self.makers: dict[str, Callable[[str, dict[str, Any], Path], Task]] = {
            "httpRequest": self._http,
            "set": self._set,
            "wait": self._wait,
            "executeWorkflow": self._child,
            "stopAndError": self._stop,
        }

    def _http(self, name: str, node: dict[str, Any], path: Path) -> Task:
        given = mapping(node.get("parameters"))
        where = (*path, "parameters")
        value = self._parameters.value
        parts: dict[str, Any] = {
            "headers": self._pairs(given.get("headerParameters", given.get("headerParametersUi")), where),
            "query": self._pairs(given.get("queryParameters", given.get("queryParametersUi")), where),
            **self._body(given, where),
        }
        if isinstance(parts.get("body"), str) and not _WHOLE.fullmatch(parts["body"]):
            parts["bodyText"] = parts.pop("body")
            if all(key.lower() != "content-type" for key in parts["headers"]):
                parts["headers"]["content-type"] = "application/json"
        auth = self._auth(given, node, where)
        method = value(given.get("method", given.get("requestMethod")), where)
        made = request(self._draft, path, method, value(given.get("url"), (*where, "url")), auth=auth, **parts)
        task: Task = {"id": self._draft.id(name), "type": "http", "request": made}
        limit = number(mapping(given.get("options")).get("timeout"))
        limit_attempt(self._draft, task, None if limit is None else limit / 1000, path)
        return task

    def _pairs(self, source: Any, path: Path) -> dict[str, Any]:
        found = mapping(source)
        pairs = listing(found.get("parameters", found.get("parameter")))
        return {
            one["name"]: self._parameters.value(one.get("value"), path)
            for one in map(mapping, pairs)
            if isinstance(one.get("name"), str)
        }

    def _body(self, given: dict[str, Any], path: Path) -> dict[str, Any]:
        kind = given.get("contentType", "json")
        if given.get("sendBody") is False:
            return {}
        pairs = self._pairs(given.get("bodyParameters", given.get("bodyParametersUi")), path)
        if kind == "form-urlencoded":
            return {"form": pairs}
        if kind == "raw":
            return {"bodyText": self._parameters.value(given.get("body"), path)}
        if kind not in ("json", None):
            self._draft.unmapped((*path, "contentType"), f"a body of type {str(kind)[:40]} is left out")
            return {}
        written = given.get("jsonBody", given.get("bodyParametersJson"))
        return {"body": pairs or None if written is None else self.written(written, (*path, "jsonBody"), sent=True)}

    def written(self, source: Any, path: Path, *, sent: bool = False) -> Any:
        """JSON that is written as a text, whose values may be expressions; ``sent``, as the body of a request, where it
        may stay one."""
        if not isinstance(source, str):
            return self._parameters.value(source, path)
        plain = source.removeprefix("=").strip()
        try:
            value = json.loads(plain) if plain.startswith(("{", "[")) and not plain.startswith("{{") else None
        except (ValueError, RecursionError):
            value = None
        if value is None:
            made = self._parameters.value(source, path)
            if isinstance(made, str) and not _WHOLE.fullmatch(made):
                if sent:
                    self._draft.changed(path, "JSON put together as a text is sent as it is: quotes in values break it")
                else:
                    self._draft.unmapped(path, "JSON put together as a text: write it as a mapping")
            return made
        return self._parameters.value(_computed(value, 0), path)

    def _auth(self, given: dict[str, Any], node: dict[str, Any], path: Path) -> dict[str, Any] | None:
        if given.get("authentication", "none") == "none":
            return None
        kind = text(given.get("genericAuthType", given.get("authentication")))
        name = slug(mapping(mapping(node.get("credentials")).get(kind)).get("name", kind), "credential")
        self._draft.unmapped((*path, "authentication"), f"store what the credential holds as the secret {name}")
        if kind in ("httpBasicAuth", "basicAuth"):
            return {"basic": {"username": {"secretRef": f"{name}-user"}, "password": {"secretRef": name}}}
        if kind in ("httpHeaderAuth", "headerAuth"):
            self._draft.unmapped((*path, "authentication"), "say in which header the key goes: it is Authorization now")
            return {"apiKey": {"name": "Authorization", "value": {"secretRef": name}, "in": "header"}}
        return {"bearer": {"secretRef": name}}

    def _set(self, name: str, node: dict[str, Any], path: Path) -> Task:
        given = mapping(node.get("parameters"))
        where = (*path, "parameters")
        if given.get("mode") == "raw":
            return self._draft.value(name, self.written(given.get("jsonOutput"), (*where, "jsonOutput")))
        made: dict[str, Any] = {}
        pairs = list(listing(mapping(given.get("assignments")).get("assignments")))
        for kind in ("string", "number", "boolean"):
            pairs += listing(mapping(given.get("values")).get(kind))
        pairs += listing(mapping(given.get("fields")).get("values"))
        for one in map(mapping, pairs):
            if isinstance(one.get("name"), str):
                value = next((one[key] for key in ("value", "stringValue", "numberValue") if key in one), None)
                _assign(made, one["name"].split(".")[:_DEEPEST], self._parameters.value(value, where))
        if given.get("keepOnlySet") is not True and given.get("includeOtherFields", "assignments" not in given) is True:
            self._draft.unmapped(where, "fields that it passes on are left out: name those that are needed")
        return self._draft.value(name, made)

    def _wait(self, name: str, node: dict[str, Any], path: Path) -> Task:
        given = mapping(node.get("parameters"))
        identifier = self._draft.id(name)
        resume = given.get("resume", "timeInterval")
        if resume == "timeInterval":
            amount = number(given.get("amount", 1))
            unit = _UNITS.get(text(given.get("unit"), "hours"))
            if amount is not None and unit is not None:
                return {"id": identifier, "wait": {"for": seconds(amount * unit) or 0}}
            value = self._parameters.value(given.get("amount"), path)
            self._draft.unmapped(path, "a computed time: write it as a duration with its unit")
            return {"id": identifier, "wait": {"for": value if isinstance(value, str) else 0}}
        if resume == "specificTime":
            return {"id": identifier, "wait": {"until": self._parameters.value(given.get("dateTime"), path) or ""}}
        self._draft.changed(path, f"it waits for the signal {identifier}")
        return {"id": identifier, "event": {"type": identifier}}

    def _child(self, name: str, node: dict[str, Any], path: Path) -> Task:
        given = mapping(node.get("parameters"))
        which = given.get("workflowId")
        called = which.get("cachedResultName", which.get("value")) if isinstance(which, dict) else which
        task: Task = {"id": self._draft.id(name), "workflowRef": slug(text(called, "workflow"), "workflow")}
        inputs = self._parameters.value(mapping(mapping(given.get("workflowInputs")).get("value")), path)
        task["input"] = inputs or f"{{{{{self._parameters.item}}}}}"
        if mapping(given.get("options")).get("waitForSubWorkflow") is False:
            task["detached"] = True
        return task

    def _stop(self, name: str, node: dict[str, Any], path: Path) -> Task:
        given = mapping(node.get("parameters"))
        said = given.get("errorMessage", given.get("errorObject"))
        if isinstance(said, str) and said.startswith("="):
            self._draft.changed(path, "the message is not computed")
        return self._draft.failing(name, text(said, "stopped").removeprefix("="))


def _computed(value: Any, depth: int) -> Any:
    """Texts in written JSON that hold braces are expressions, as everything around them is."""
    if depth > _DEEPEST * 4:
        return None
    if isinstance(value, dict):
        return {key: _computed(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_computed(item, depth + 1) for item in value]
    return f"={value}" if isinstance(value, str) and "{{" in value else value


def _assign(made: dict[str, Any], names: list[str], value: Any) -> None:
    """Puts a value at a dotted name."""
    for name in names[:-1]:
        inner = made.get(name)
        if not isinstance(inner, dict):
            inner = made[name] = {}
        made = inner
    made[names[-1]] = value
