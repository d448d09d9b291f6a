"""Functions of this process: the same handlers that would be deployed, found by name and called in their thread.

A function that nobody waits for is run to its end before the call counts as accepted. On AWS a durable queue stands
between; here the run log is what is durable, so an accepted call must not be one that a crash forgets.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from msgspec import Struct, field

from millrace.base.canonical import dumps, parse_json
from millrace.base.errors import MillraceError, NotFound
from millrace.base.limits import LAMBDA_PAYLOAD_BYTES
from millrace.ports.functions import Invocation, Returned

Handler = Callable[[Any, Any], Any]
VERSION: Final = "$LATEST"
_LOG: Final = logging.getLogger(__name__)


class ClientContext(Struct, frozen=True):
    custom: Mapping[str, str]
    env: Mapping[str, str] = field(default_factory=dict)


class FunctionContext(Struct, frozen=True):
    """The part of Lambda's context object that handlers use, with the same names."""

    function_name: str
    invoked_function_arn: str
    client_context: ClientContext
    timeout_ms: int
    function_version: str = VERSION
    memory_limit_in_mb: int = 512
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))
    started: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until nobody waits any more; never below 0."""
        return max(0, self.timeout_ms - int((time.monotonic() - self.started) * 1000))


class LocalFunctions:
    """``targets`` maps names to ``module:handler``, or to a folder with an ``app.py`` (or a file) and, behind a colon,
    its handler, which is called ``handler`` otherwise. Code is loaded when it is first called, and once."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = dict(targets)
        self._lock = threading.Lock()
        self._loaded: dict[str, Handler] = {}

    def invoke(self, invocation: Invocation) -> Returned:
        """Raises NotFound. Whatever the function raises is its answer."""
        name = _name(invocation.function)
        target = self._targets.get(name)
        if target is None:
            known = f"MILLRACE_LAMBDA_FUNCTIONS names {', '.join(sorted(self._targets)) or 'none'}."
            raise NotFound(f"there is no function {name[:80]}", hint=known)
        context = FunctionContext(
            function_name=name,
            invoked_function_arn=f"arn:aws:lambda:local:000000000000:function:{name}",
            client_context=ClientContext(dict(invocation.context) if invocation.wait else {}),
            timeout_ms=invocation.timeout_ms,
        )
        returned = self._answer(name, target, invocation.payload, context)
        if invocation.wait:
            return returned
        if returned.failed:
            _LOG.warning("a function that nobody waits for failed", extra={"function": name})
        return Returned()

    def _answer(self, name: str, target: str, payload: bytes, context: FunctionContext) -> Returned:
        try:
            handler = self._load(name, target)
        except Exception as error:
            return _failed("Runtime.ImportModuleError", f"{target}: {error}")
        try:
            result = handler(parse_json(payload), context)
        except SystemExit as error:
            return _failed("Runtime.ExitError", f"the function ended the process with {error.code}")
        except Exception as error:
            return _failed(type(error).__name__, str(error))
        try:
            answer = dumps(result)
        except (MillraceError, TypeError) as error:
            return _failed("Runtime.MarshalError", f"what the function gave back is not JSON: {error}")
        if len(answer) > LAMBDA_PAYLOAD_BYTES:
            return _failed("Function.ResponseSizeTooLarge", f"more than {LAMBDA_PAYLOAD_BYTES} bytes")
        return Returned(answer, version=VERSION)

    def _load(self, name: str, target: str) -> Handler:
        with self._lock:
            if name not in self._loaded:
                place, _, attribute = target.partition(":")
                module = _file_module(name, Path(place)) if "/" in place else importlib.import_module(place)
                self._loaded[name] = getattr(module, attribute or "handler")
            return self._loaded[name]


def _name(function: str) -> str:
    """The bare name in a name or ARN, without version or alias."""
    parts = function.split(":")
    return parts[6] if function.startswith("arn:") and len(parts) > 6 else parts[0]


def _file_module(name: str, place: Path) -> Any:
    path = place / "app.py" if place.is_dir() else place
    # Every folder calls its module `app`, so each gets a name of its own in this one process.
    spec = importlib.util.spec_from_file_location(f"millrace_lambda_{name.replace('-', '_')}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise FileNotFoundError(f"there is no file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _failed(kind: str, message: str) -> Returned:
    return Returned(dumps({"errorType": kind, "errorMessage": message}), failed=True, version=VERSION)
