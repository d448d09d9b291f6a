"""The shapes of documents."""

from millrace.spec.models.breaker import CircuitBreaker
from millrace.spec.models.document import (
    API_VERSION,
    FINALLY,
    ON_FAILURE,
    Example,
    Metadata,
    OnFailure,
    Workflow,
    WorkflowSpec,
    WorkflowTask,
    WorkflowTaskSpec,
)
from millrace.spec.models.retry import FAILURE_KINDS, Retry
from millrace.spec.models.task import FALLBACK, TRIGGER_RULES, Dependency, Fallback, Task, TriggerRule

__all__ = [
    "API_VERSION",
    "FAILURE_KINDS",
    "FALLBACK",
    "FINALLY",
    "ON_FAILURE",
    "TRIGGER_RULES",
    "CircuitBreaker",
    "Dependency",
    "Example",
    "Fallback",
    "Metadata",
    "OnFailure",
    "Retry",
    "Task",
    "TriggerRule",
    "Workflow",
    "WorkflowSpec",
    "WorkflowTask",
    "WorkflowTaskSpec",
]
