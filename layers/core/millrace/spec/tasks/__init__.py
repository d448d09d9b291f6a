"""The task types of this release; importing this package registers them."""

from millrace.spec.registry import register_type
from millrace.spec.tasks.approval import APPROVAL
from millrace.spec.tasks.event import EVENT
from millrace.spec.tasks.http import HTTP
from millrace.spec.tasks.invoke import LAMBDA
from millrace.spec.tasks.transform import TRANSFORM
from millrace.spec.tasks.wait import WAIT

for _kind in (APPROVAL, EVENT, HTTP, LAMBDA, TRANSFORM, WAIT):
    register_type(_kind)

__all__ = ["APPROVAL", "EVENT", "HTTP", "LAMBDA", "TRANSFORM", "WAIT"]
