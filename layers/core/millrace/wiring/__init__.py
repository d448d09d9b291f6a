"""The composition root: the one package that picks adapters. Cloud, local and test wiring differ here and only here.

`current()` answers the platform of this process. Local mode and tests set it with `use`; on Lambda the first call
builds it from the environment, which the template fills.
"""

from __future__ import annotations

import os
import threading
from typing import Final

from millrace.base.errors import InvalidRequest
from millrace.services.platform import Platform
from millrace.wiring.settings import Settings, read_settings

__all__ = ["Settings", "current", "read_settings", "use"]


class _Holder:
    """The one place of the process that remembers a platform."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.platform: Platform | None = None


_HOLDER: Final = _Holder()


def current() -> Platform:
    """The platform of this process. Raises InvalidRequest when nothing was set and the environment names no tables."""
    found = _HOLDER.platform
    if found is not None:
        return found
    with _HOLDER.lock:
        if _HOLDER.platform is None:
            settings = read_settings(os.environ)
            if not settings.on_aws:
                raise InvalidRequest(
                    "no platform is open in this process",
                    hint="Start `millrace dev`, or set the MILLRACE_TABLE_* variables as the template does.",
                )
            from millrace.wiring.aws import open_aws

            _HOLDER.platform = open_aws(settings)
        return _HOLDER.platform


def use(platform: Platform | None) -> Platform | None:
    """Make this the platform of the process; None forgets it. Returns the one before, for who gives it back."""
    with _HOLDER.lock:
        before, _HOLDER.platform = _HOLDER.platform, platform
        return before
