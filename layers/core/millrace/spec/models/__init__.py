"""The shapes of documents."""

from millrace.spec.models.breaker import CircuitBreaker
from millrace.spec.models.document import (
    API_VERSION,
    Example,
    Metadata,
    Workflow,
    WorkflowSpec,
    WorkflowTask,
    WorkflowTaskSpec,
)
from millrace.spec.models.retry import FAILURE_KINDS, Retry
from millrace.spec.models.task import TRIGGER_RULES, Dependency, Task, TriggerRule

__all__ = [
    "API_VERSION",
    "FAILURE_KINDS",
    "TRIGGER_RULES",
    "CircuitBreaker",
    "Dependency",
    "Example",
    "Metadata",
    "Retry",
    "Task",
    "TriggerRule",
    "Workflow",
    "WorkflowSpec",
    "WorkflowTask",
    "WorkflowTaskSpec",
]
