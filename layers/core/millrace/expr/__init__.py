"""Expressions: CEL over JSON values, with our own parser and interpreter, and templates made of them.

Pure: no clock, no randomness, no environment, no I/O, no access to Python objects. Everything raises
`millrace.base.errors.ExpressionError`.
"""

from millrace.expr.expression import Expression, compile_expression
from millrace.expr.fuel import Fuel
from millrace.expr.notes import Note
from millrace.expr.paths import Read, ReadPath, Segment, Wild
from millrace.expr.scope import Scope, declared_head
from millrace.expr.secrets import SecretRef, SecretText, collect_secrets, restore_secrets
from millrace.expr.template import ExpressionSite, Template, compile_template

__all__ = [
    "Expression",
    "ExpressionSite",
    "Fuel",
    "Note",
    "Read",
    "ReadPath",
    "Scope",
    "SecretRef",
    "SecretText",
    "Segment",
    "Template",
    "Wild",
    "collect_secrets",
    "compile_expression",
    "compile_template",
    "declared_head",
    "restore_secrets",
]
