"""Which function answers which path, read from `template.yaml`, so that every local request tests the template.

CloudFormation's short tags (``!Ref``, ``!GetAtt``, ``!Sub`` and the rest) become their long forms; only the parts
that name functions, handlers and API events are looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from millrace.base.errors import InvalidRequest

_FUNCTION: Final = "AWS::Serverless::Function"


class Route(Struct, frozen=True):
    """``resource`` is the path as API Gateway writes it (``/api/v1/workflows/{proxy+}``); ``method`` in capitals."""

    function: str
    method: str
    resource: str


class FunctionCode(Struct, frozen=True):
    """``folder`` holds the code; ``handler`` is ``module.name`` as the template writes it."""

    name: str
    folder: Path
    handler: str


class Template(Struct, frozen=True):
    functions: tuple[FunctionCode, ...]
    routes: tuple[Route, ...]
    stage: str


def load_document(text: str) -> Any:
    """The value of a CloudFormation YAML text, with short tags in their long form. Raises InvalidRequest."""
    import yaml

    class Loader(yaml.SafeLoader):
        """A loader of our own, so that registering tags changes no other reader."""

    def long_form(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
        value: Any
        if isinstance(node, yaml.MappingNode):
            value = loader.construct_mapping(node, deep=True)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        elif isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        if suffix == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}

    Loader.add_multi_constructor("!", long_form)
    loader = Loader(text)
    try:
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise InvalidRequest(f"the template is not valid YAML: {error}", hint="Run `make lint`.") from error
    finally:
        loader.dispose()


def read_template(path: Path) -> Template:
    """What a SAM template says about functions and routes. Raises InvalidRequest when a function has no code, or two
    functions claim one route; OSError when the file cannot be read."""
    document = load_document(path.read_text(encoding="utf-8"))
    resources: dict[str, Any] = document.get("Resources", {})
    defaults = document.get("Globals", {}).get("Function", {})
    functions: list[FunctionCode] = []
    routes: dict[tuple[str, str], Route] = {}
    for name, resource in resources.items():
        if resource.get("Type") != _FUNCTION:
            continue
        properties = {**defaults, **resource.get("Properties", {})}
        code, handler = properties.get("CodeUri"), properties.get("Handler")
        if not isinstance(code, str) or not isinstance(handler, str) or "." not in handler:
            raise InvalidRequest(f"function {name} names no code folder and handler", hint="Set CodeUri and Handler.")
        functions.append(FunctionCode(name, path.parent / code, handler))
        for event in properties.get("Events", {}).values():
            if event.get("Type") != "Api":
                continue
            claimed = Route(name, str(event["Properties"]["Method"]).upper(), str(event["Properties"]["Path"]))
            other = routes.setdefault((claimed.method, claimed.resource), claimed)
            if other is not claimed:
                raise InvalidRequest(
                    f"{claimed.method} {claimed.resource} belongs to {other.function} and to {name}",
                    hint="Give each method of a path to one function.",
                )
    stages = [r["Properties"]["StageName"] for r in resources.values() if r.get("Type") == "AWS::Serverless::Api"]
    return Template(tuple(functions), tuple(routes.values()), str(stages[0]) if stages else "local")
