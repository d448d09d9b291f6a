"""Packages: a workflow with everything it depends on, as one file that can be checked, signed and imported."""

from millrace.services.packaging.closure import Closure, Member, closure_of
from millrace.services.packaging.opening import Package, Part, open_package
from millrace.services.packaging.packing import as_json, as_package, as_yaml
from millrace.services.packaging.planning import OnConflict, Plan, Step, plan_import
from millrace.services.packaging.signature import public_key, sign

__all__ = [
    "Closure",
    "Member",
    "OnConflict",
    "Package",
    "Part",
    "Plan",
    "Step",
    "as_json",
    "as_package",
    "as_yaml",
    "closure_of",
    "open_package",
    "plan_import",
    "public_key",
    "sign",
]
