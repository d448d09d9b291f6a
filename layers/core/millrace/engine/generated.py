"""Tasks that are known only at run time: judged by the rules of documents, and made a body like any other.

Their text is data that came from somewhere, so it may read the tasks beside it and nothing else: no input, no
configuration, no secret, and nothing that is rendered a second time.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from millrace.base.canonical import dumps
from millrace.base.errors import ExpressionError, MillraceError, TransformError
from millrace.base.limits import GENERATED_BYTES
from millrace.engine.compile import compile_tasks
from millrace.engine.events import Failure
from millrace.engine.plan import Body, ScopePlan
from millrace.expr import Scope
from millrace.expr.values import described
from millrace.spec import Task
from millrace.spec.cycles import rings
from millrace.spec.findings import pointer
from millrace.spec.model_findings import model_findings
from millrace.spec.source import parse_document
from millrace.spec.tasks.generate import GENERATED_TYPES

_ROOTS: Final = frozenset({"tasks"})
_SHOWN: Final = 5


def judged(plan: ScopePlan, documents: Any) -> list[dict[str, Any]] | Failure:
    """The generated tasks, or why they cannot run."""
    if not isinstance(documents, list):
        return _refused("not-a-list", f"generate was given {described(documents)}, not a list of tasks.")
    if len(documents) > plan.most:
        return _refused("too-many-tasks", f"{len(documents)} tasks were generated, and {plan.most} may be.")
    if len(dumps(documents)) > GENERATED_BYTES:
        return _refused("too-large", f"The generated tasks have more than {GENERATED_BYTES} bytes.")
    found: list[Task] = []
    for at, document in enumerate(documents):
        try:
            task = Task.model_validate(document)
        except ValidationError as error:
            return _refused("bad-task", f"The generated task {at} is not one: {_words(document, error)}")
        why = _allowed(plan, task)
        if why:
            return _refused("bad-task", f"The generated task {at} ({task.id!r}) {why}")
        found.append(task)
    ids = [task.id for task in found]
    twice = next((name for at, name in enumerate(ids) if name in ids[:at]), None)
    if twice is not None:
        return _refused("bad-task", f"Two generated tasks have the id {twice!r}.")
    try:
        body = _compiled(plan, found)
    except (ExpressionError, TransformError) as error:
        return _refused("bad-task", f"A generated task cannot be compiled: {error.message}", error)
    except KeyError as error:
        return _refused("bad-task", f"A generated task waits for {error}, which is not one of them.")
    alone = next((node.id for node in body.nodes if node.index in node.needs), None)
    if alone is not None:
        return _refused("bad-task", f"The generated task {alone!r} waits for itself.")
    ring = rings({node.id: [body.nodes[need].id for need in node.needs] for node in body.nodes})
    if ring:
        return _refused("bad-task", f"The generated tasks wait for each other: {' → '.join(ring[0])}.")
    return documents


def generated_body(plan: ScopePlan, documents: list[dict[str, Any]]) -> Body:
    """The body of tasks that were judged before."""
    return _compiled(plan, [Task.model_validate(document) for document in documents])


def _compiled(plan: ScopePlan, tasks: list[Task]) -> Body:
    scope = Scope(_ROOTS, declared={("tasks",): frozenset(task.id for task in tasks)})
    return compile_tasks(tasks, plan.refs, hashes=plan.hashes, scope=scope, workflow=plan.workflow)


def _allowed(plan: ScopePlan, task: Task) -> str:
    if task.task_ref is not None and task.task_ref not in plan.refs:
        return f"names the reusable task {task.task_ref!r}, which generate.taskRefs does not list."
    if task.type is not None and task.type not in GENERATED_TYPES:
        return f"is of type {task.type}; it may be one of {', '.join(sorted(GENERATED_TYPES))}, or a taskRef."
    if task.fallback is not None:
        return "has a fallback, which generated tasks do not have."
    if "secretRef" in str(task.block_json):
        return "names a secret; only a reusable task may."
    return ""


def _words(document: Any, error: ValidationError) -> str:
    """What is wrong, as of a document that somebody wrote."""
    from millrace.spec.json_schema import document_schema

    schema = {"$ref": "#/$defs/Task", "$defs": document_schema("Workflow")["$defs"]}
    found = model_findings(error, parse_document(dumps(document), media="json"), schema, ())
    said = [f"{pointer(one.path)}: {one.message}" if one.path[1:] else one.message for one in found[:_SHOWN]]
    return "; ".join(said)


def _refused(code: str, message: str, error: MillraceError | None = None) -> Failure:
    hint = "Look at what generate.from gives; its tasks are judged like those of a document."
    return Failure(kind="generate", code=code, message=message, hint=error.hint if error and error.hint else hint)
