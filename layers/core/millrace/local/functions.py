"""Loads the handlers that Lambda would call, from the folders that the template names, and calls them likewise."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from millrace.base.errors import InvalidRequest
from millrace.local.template import FunctionCode

Handler = Callable[[dict[str, Any], Any], Any]
_TIMEOUT_MS: Final = 29_000


class InvocationContext(Struct, frozen=True):
    """What Lambda passes beside the event, with the same names."""

    function_name: str
    aws_request_id: str
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 512
    log_stream_name: str = "local"
    started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:local:000000000000:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        return f"/aws/lambda/{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until a gateway would give up; never below 0."""
        return max(0, _TIMEOUT_MS - int((time.monotonic() - self.started) * 1000))


def load_handlers(functions: Iterable[FunctionCode]) -> Mapping[str, Handler]:
    """The handler of every function, by its name in the template. Raises InvalidRequest when one is not there."""
    return {function.name: _load(function) for function in functions}


def _load(function: FunctionCode) -> Handler:
    module_name, _, attribute = function.handler.rpartition(".")
    path = function.folder / f"{module_name.replace('.', '/')}.py"
    # Every folder calls its module `app`, so each gets a name of its own in this one process.
    name = f"millrace_function_{function.folder.name}_{module_name}"
    module = sys.modules.get(name)
    if module is None or Path(str(module.__file__)) != path:
        spec = importlib.util.spec_from_file_location(name, path)
        if not path.is_file() or spec is None or spec.loader is None:
            raise InvalidRequest(
                f"function {function.name} has no file {path}", hint="Correct CodeUri and Handler in template.yaml."
            )
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    handler = getattr(module, attribute, None)
    if not callable(handler):
        raise InvalidRequest(f"{path} defines no function {attribute}", hint="Correct Handler in template.yaml.")
    found: Handler = handler
    return found
