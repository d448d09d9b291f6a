"""What is wrong or doubtful in a document, said the same way to a terminal, an editor and a program.

Every finding has a stable code from `CODES`, so that it can be documented, searched and switched on; a position;
and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

from msgspec import Struct

Severity = Literal["error", "warning", "hint"]
Path = tuple[str | int, ...]


class Finding(Struct, frozen=True):
    """One finding. ``line`` and ``column`` count from 1 (0 when the document could not be read at all).

    ``path`` leads from the root of the document to the value or key. ``fix`` is a sentence that says what to do;
    ``did_you_mean`` holds the nearest known names, best first.
    """

    code: str
    severity: Severity
    message: str
    path: Path = ()
    line: int = 0
    column: int = 0
    fix: str = ""
    did_you_mean: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """camelCase JSON; ``path`` is a JSON Pointer."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "path": pointer(self.path),
            "line": self.line,
            "column": self.column,
            "fix": self.fix,
            "didYouMean": list(self.did_you_mean),
        }


def pointer(path: Path) -> str:
    """The JSON Pointer (RFC 6901) of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def has_errors(findings: Iterable[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By position, then by code: the order of a reader's eye, and the same every time."""
    return tuple(sorted(set(findings), key=lambda f: (f.line, f.column, f.code, f.message)))


CODES: Final[dict[str, tuple[Severity, str]]] = {
    "alias-limit": ("error", "More YAML aliases than a document may hold."),
    "alias-spelling": ("hint", "A spelling of another tool; `millrace fmt` writes ours."),
    "ambiguous-hyphen": (
        "error",
        "A hyphen reads as part of a name that is not declared, while the part before it is.",
    ),
    "attempt-timeout-too-long": ("error", "One attempt may take at most 14 minutes, since a function ends at 15."),
    "bad-expression": ("error", "An expression cannot be compiled."),
    "bad-number": ("error", "A number that JSON cannot hold: infinite, not a number, or too long."),
    "bad-schema": ("error", "A JSON Schema in the document is not valid, or refers to another address."),
    "bad-transform": ("error", "A transform step cannot be applied."),
    "bad-url": ("error", "An address that no request can be sent to."),
    "bad-value": ("error", "A value that its key does not take."),
    "braces": ("hint", "Braces around an expression where none are needed."),
    "constant-comparison": ("warning", "A comparison whose result is the same for every value it can be given."),
    "cycle": ("error", "Tasks that wait for each other in a ring."),
    "cyclic-alias": ("error", "A YAML alias that stands inside what it names."),
    "deprecated": ("warning", "Something is used that its definition says not to use any more."),
    "dialect": ("hint", "A document of the other dialect, read as a workflow; `millrace fmt` writes it as ours."),
    "dialect-changed": ("warning", "Something of the other dialect that reads a little differently here."),
    "dialect-marker": ("warning", "A node of a graph that nothing gives work to: it takes its place in the order."),
    "dialect-service": ("hint", "The address of a service of the other dialect, read from `env`."),
    "dialect-undeclared": ("warning", "Names that a document of the other dialect reads and nothing declares."),
    "dialect-unmapped": ("error", "Something of the other dialect that has no counterpart here."),
    "duplicate-id": ("error", "Two tasks with one id."),
    "duplicate-key": ("error", "A key given twice in one mapping."),
    "duplicate-name": ("warning", "Two documents of one name and version, of which one would replace the other."),
    "endless-recursion": ("error", "A workflow that starts itself and nothing that ends it."),
    "dynamic-task": ("error", "A task whose id is computed: the order could not be known."),
    "empty-document": ("error", "A document without content."),
    "encoding": ("error", "Bytes that are not UTF-8."),
    "impossible-test": ("error", "A test that mocks what is never asked, or expects what cannot be."),
    "int-division": ("hint", "A division of two integers drops the remainder."),
    "kept-for-later": ("warning", "A block that is known, is kept, and does nothing yet."),
    "key-not-text": ("error", "A YAML key that is a list or a mapping."),
    "leading-zero": ("warning", "A number written with a leading zero, which YAML 1.2 reads in base ten."),
    "may-be-missing": (
        "warning",
        "An output is read that a skipped, failed or unfinished task has not, or the error of one that may succeed.",
    ),
    "merge-key": ("error", "The YAML merge key `<<`, which YAML 1.2 does not have."),
    "missing-input": ("error", "An input that a reusable task requires is not given."),
    "missing-key": ("error", "A required key is not there."),
    "multiple-documents": ("error", "More than one YAML document where one is expected."),
    "no-effect": ("warning", "A key that is right, and changes nothing where it stands."),
    "no-timeout": ("warning", "A task that may wait for ever, or one with an effect and no timeout."),
    "not-a-mapping": ("error", "A document that is not a mapping at its root."),
    "not-available-yet": ("error", "A construct that is known and would change what runs, but is not available yet."),
    "not-boolean": ("error", "A condition whose value is not true or false."),
    "operand-type": ("error", "An operator or function is given what it can never take."),
    "plain-secret": ("warning", "A credential written into the document."),
    "reserved-id": ("error", "A task id that a handler at the end of a workflow, or a fallback, has."),
    "secret-misplaced": ("error", "A secret read where it could be stored or shown."),
    "self-reference": ("error", "A task that waits for itself."),
    "syntax": ("error", "Text that is not YAML 1.2 or not JSON."),
    "tag": ("error", "A YAML tag outside the core schema."),
    "shadowed-name": ("error", "A name of a loop that means something around it already."),
    "state-cycle": ("error", "Entries of `state` that read each other in a ring."),
    "template-key": ("warning", "Braces in a key, which is never rendered."),
    "too-deep": ("error", "A document nested deeper than the limit."),
    "too-large": ("error", "A document with more bytes than the limit."),
    "too-many-nodes": ("error", "A document with more values than the limit, aliases expanded."),
    "too-many-levels": ("error", "Tasks stand inside tasks on more levels than a workflow may have."),
    "too-many-tasks": ("error", "A workflow with more tasks, or more reads through `state`, than the limit."),
    "too-many-events": ("warning", "An execution whose log can have more events than is sensible."),
    "too-much-data": ("warning", "Values that can be larger than one value, or one execution, may be."),
    "too-many-instances": (
        "error",
        "A loop with more items, or more tasks in all of them, than an execution may have.",
    ),
    "type-mismatch": ("error", "A value of another type than the schema declares."),
    "unknown-api-version": ("error", "An apiVersion that this release does not know."),
    "unknown-config": ("error", "A path into `config` that is not declared."),
    "unknown-field": ("error", "A step of a transform reads a field that its items cannot have there."),
    "unknown-input": ("error", "A path into `input` that the schema does not declare."),
    "unknown-key": ("error", "A key that does not exist here."),
    "unknown-kind": ("error", "A kind of document that does not exist."),
    "unknown-output": ("error", "A path into a task's output that its schema does not declare."),
    "unknown-reference": ("error", "A name that an expression at this place cannot see."),
    "unknown-state": ("error", "An entry of `state` that the workflow does not have."),
    "unknown-task": ("error", "A task id that the workflow does not have."),
    "unknown-task-ref": ("error", "A reusable task that does not exist."),
    "unknown-workflow-ref": ("warning", "A workflow that does not exist yet."),
    "unknown-type": ("error", "A task type that does not exist."),
    "unreachable-case": ("warning", "A case of a switch that is never chosen."),
    "unreachable-task": ("warning", "A task that can never run."),
    "unused-output": ("hint", "A task that only computes something, which nobody reads."),
    "wrong-type": ("error", "A value of another type than its key takes."),
}
"""Every code: its usual severity and what it means. docs/reference/findings.md is generated from this table."""
