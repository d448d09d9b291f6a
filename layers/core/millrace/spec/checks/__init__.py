"""Static checks: what can be known to be wrong before anything runs."""

from millrace.spec.checks.check_task import check_task
from millrace.spec.checks.check_workflow import check_workflow

__all__ = ["check_task", "check_workflow"]
