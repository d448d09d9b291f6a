"""Reading data: fields, indexes, methods and macros, one after the other.

A path of plain names from a root is by far the most frequent, so it is read without any bookkeeping, and read again
slowly only when something is missing and the error has to say what. Data is read through mapping keys and list
positions and in no other way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from millrace.base.errors import ExpressionError
from millrace.expr import nodes
from millrace.expr.catalogue import FUNCTIONS as FUNCTION_NAMES
from millrace.expr.catalogue import METHODS as METHOD_NAMES
from millrace.expr.faults import MISSING, Site, deferred, nearest, reason_of
from millrace.expr.frame import Frame, Run
from millrace.expr.functions import METHODS
from millrace.expr.macros import macro
from millrace.expr.values import described, kind, secret_fault

if TYPE_CHECKING:
    from millrace.expr.closures import Compiler

Stage = Callable[[Frame, Any], Any]
"""One step of an access: from the value so far to the next."""


def path_reader(source: str, root: nodes.Root, fields: Sequence[nodes.Field]) -> Run:
    """Reads a root and then plain field names."""
    name = root.name
    names = [step.name for step in fields]

    def explained(frame: Frame) -> Any:
        site = Site(source, root.start, root.end - root.start)
        if name not in frame.env:
            raise site.fault("unknown-root", f"{name} is not there", hint="it has no value in this place", read=name)
        sites = [Site(source, root.start, step.end - root.start) for step in fields]
        return reduce(lambda value, at: read_field(value, *at), zip(names, sites, strict=True), frame.env[name])

    if len(names) == 1:
        (first,) = names

        def one(frame: Frame) -> Any:
            try:
                return frame.env[name][first]
            except (KeyError, TypeError):
                return explained(frame)

        return one

    def many(frame: Frame) -> Any:
        try:
            value = frame.env[name]
            for field in names:
                value = value[field]
        except (KeyError, TypeError):
            return explained(frame)
        return value

    return many


def read_field(value: Any, name: str, site: Site) -> Any:
    """Raises ExpressionError (``unknown-field``, ``null-field``, ``type``, ``secret-use``)."""
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        raise deferred(
            site.fault("unknown-field", f"{site.text} is not there", read=site.text),
            lambda: _absence(value, name, site),
        )
    what = kind(value)
    if what == "secret":
        raise secret_fault(site)
    if what == "null":
        hint = "use ?. to read from what may be null, or ?? to give another value"
        raise site.fault("null-field", f"cannot read {name}: what it is read from is null", hint=hint, read=site.text)
    hint = f"a list is read by position, [0], or with map(x, x.{name})" if what == "list" else ""
    if name in {"length", "size", "count"} and what in {"list", "string"}:
        hint = "did you mean .size()?"
    elif name in METHOD_NAMES:
        hint = f"did you mean .{name}(…)?"
    elif name in FUNCTION_NAMES:
        hint = f"did you mean {name}(…)?"
    found = described(value)
    raise site.fault("type", f"cannot read {name}: it is read from {found}", hint=hint, read=site.text, found=found)


def _absence(value: Mapping[Any, Any], name: str, site: Site) -> tuple[str, str, dict[str, Any]]:
    found = described(value)
    return f"{site.text} is not there: there is no {name} in {found}", _field_hint(value, name, site), {"found": found}


def _field_hint(value: Mapping[Any, Any], name: str, site: Site) -> str:
    keys = [key for key in list(value)[:1000] if isinstance(key, str)]
    before = site.text.removesuffix(name)
    for at in (at for at, char in enumerate(name[:200]) if char == "-"):
        if name[:at] in value:
            return f"for a subtraction write {before}{name[:at]} - {name[at + 1 :]}"
    close = nearest(name, keys)
    if close is not None:
        return f"did you mean {close}?"
    return "use has(…), ?. or ?? for data that may be missing"


def _index(value: Any, key: Any, site: Site) -> Any:
    if isinstance(value, list):
        if type(key) is float and key.is_integer():
            key = int(key)
        if type(key) is not int:
            raise _wrong_key("a list is read by an int", key, site)
        if 0 <= key < len(value):
            return value[key]
        message = f"there is no position {key} in a list of {len(value)}" if abs(key) < 10**18 else "no such position"
        hint = "positions count from 0; test size() first, or use ??"
        raise site.fault("index-range", message, hint=hint, read=site.text, found=described(value))
    if isinstance(value, Mapping):
        if type(key) is not str:
            raise _wrong_key("a map is read by a text", key, site)
        return value[key] if key in value else read_field(value, key[:100], site)
    what = kind(value)
    if what == "secret":
        raise secret_fault(site)
    if what == "null":
        hint = "use ?. to read from what may be null, or ?? to give another value"
        raise site.fault("null-field", "cannot read from null", hint=hint, read=site.text)
    hint = "for one character use charAt(position)" if what == "string" else ""
    raise site.fault("type", f"cannot read inside {described(value)}", hint=hint, read=site.text, found=what)


def _wrong_key(rule: str, key: Any, site: Site) -> ExpressionError:
    if kind(key) == "secret":
        return secret_fault(site)
    return site.fault("type", f"{rule}, and this is {described(key)}", hint="convert it first", found=kind(key))


def access(compiler: Compiler, node: nodes.Access) -> Run:
    """The closure of a base and its steps."""
    plain: list[nodes.Field] = []
    if isinstance(node.base, nodes.Root):
        for step in node.steps:
            if not isinstance(step, nodes.Field) or step.safe:
                break
            plain.append(step)
        base = path_reader(compiler.source, node.base, plain)
    else:
        base = compiler.operand(node.base)
    steps = node.steps[len(plain) :]
    if not steps:
        return base
    parts = [base]
    stages = [_stage(compiler, node, step, parts) for step in steps]
    last_safe = max((index for index, step in enumerate(steps) if step.safe), default=-1)

    def strict(frame: Frame) -> Any:
        value = base(frame)
        for stage in stages:
            value = stage(frame, value)
        return value

    if last_safe < 0:
        return compiler.folded(strict, parts)
    guarded, rest = list(zip(steps, stages, strict=True))[: last_safe + 1], stages[last_safe + 1 :]

    def safe(frame: Frame) -> Any:
        try:
            value = base(frame)
            for step, stage in guarded:
                if value is None and step.safe:
                    return None
                value = stage(frame, value)
        except ExpressionError as error:
            if reason_of(error) not in MISSING:
                raise
            return None
        if value is None:
            return None
        for stage in rest:
            value = stage(frame, value)
        return value

    return compiler.folded(safe, parts)


def _stage(compiler: Compiler, node: nodes.Access, step: nodes.AnyStep, parts: list[Run]) -> Stage:
    """The closure of one step; what it evaluates besides is added to ``parts``."""
    site = Site(compiler.source, node.start, step.end - node.start)
    if isinstance(step, nodes.Field):
        name = step.name
        return lambda _frame, value: read_field(value, name, site)
    if isinstance(step, nodes.Index):
        key = compiler.operand(step.key)
        parts.append(key)
        return lambda frame, value: _index(value, key(frame), site)
    if isinstance(step, nodes.Method):
        method, name = METHODS[step.name], step.name
        args = [compiler.operand(arg) for arg in step.args]
        parts.extend(args)
        at = Site(compiler.source, step.start, step.end - step.start)
        if name == "matches":
            compiler.check_pattern(args[0], at)
        return lambda frame, value: method(at, frame.fuel, value, *[arg(frame) for arg in args])
    body = compiler.compile(step.body) if step.name == "map" else compiler.operand(step.body)
    test = None if step.test is None else compiler.operand(step.test)
    parts.extend([body] if test is None else [body, test])
    cost = step.body.cost + (step.test.cost if step.test else 0)
    return macro(step.name, step.slot, test, body, cost, Site(compiler.source, step.start, step.end - step.start))
