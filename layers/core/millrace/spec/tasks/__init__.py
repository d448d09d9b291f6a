"""The task types of this release; importing this package registers them."""

from millrace.spec.registry import register_type
from millrace.spec.tasks.http import HTTP
from millrace.spec.tasks.transform import TRANSFORM

for _kind in (HTTP, TRANSFORM):
    register_type(_kind)

__all__ = ["HTTP", "TRANSFORM"]
