"""Export a workflow with everything it depends on. No secret is read, so none can be in what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from msgspec import Struct

from millrace.services.caller import Caller
from millrace.services.packaging import Closure, as_json, as_package, as_yaml, closure_of
from millrace.services.platform import Platform

Format = Literal["yaml", "json", "package"]
_FORMS: Final[Mapping[Format, tuple[Callable[[Closure], bytes], str, str]]] = {
    "yaml": (as_yaml, "application/yaml", "yaml"),
    "json": (as_json, "application/json", "json"),
    "package": (as_package, "application/zip", "zip"),
}


class Exported(Struct, frozen=True):
    """``file_name`` is made of name and label, both of which hold letters, digits and ``. + -`` only."""

    data: bytes
    media_type: str
    file_name: str


def export_workflow(
    platform: Platform, caller: Caller, name: str, *, shape: Format = "yaml", version: str | None = None
) -> Exported:
    """The version that ``version`` names (label, range, ``rN``, ``latest``), else the active one, with the versions
    that its references mean at this moment. Equal content gives equal bytes.

    Raises NotFound; Conflict when nothing is active or a reference leads nowhere; TooLarge; InvalidRequest when a
    package would refer to a revision number.
    """
    closure = closure_of(platform, caller, name, version=version)
    make, media_type, suffix = _FORMS[shape]
    return Exported(make(closure), media_type, f"{closure.root.name}-{closure.root.label}.{suffix}")
