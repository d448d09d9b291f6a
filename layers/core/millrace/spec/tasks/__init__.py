"""The task types of this release; importing this package registers them."""

from millrace.spec.registry import find_type, known_types, register_type, unregister_type
from millrace.spec.tasks.approval import APPROVAL
from millrace.spec.tasks.event import EVENT
from millrace.spec.tasks.for_each import FOR_EACH
from millrace.spec.tasks.generate import GENERATE
from millrace.spec.tasks.http import HTTP
from millrace.spec.tasks.invoke import LAMBDA
from millrace.spec.tasks.switch import SWITCH
from millrace.spec.tasks.transform import TRANSFORM
from millrace.spec.tasks.wait import WAIT
from millrace.spec.tasks.workflow_ref import WORKFLOW_REF

for _kind in (APPROVAL, EVENT, FOR_EACH, GENERATE, HTTP, LAMBDA, SWITCH, TRANSFORM, WAIT, WORKFLOW_REF):
    register_type(_kind)

__all__ = [
    "APPROVAL",
    "EVENT",
    "FOR_EACH",
    "GENERATE",
    "HTTP",
    "LAMBDA",
    "SWITCH",
    "TRANSFORM",
    "WAIT",
    "WORKFLOW_REF",
    "find_type",
    "known_types",
    "register_type",
    "unregister_type",
]
