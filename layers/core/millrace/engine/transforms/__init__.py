"""Transforms: lists of items through filter, map, select, sort, limit, groupBy, aggregate, flatten, distinct, join.

A transform is a pure function of its items and of the data it reads, so it is never recomputed from history and
never needs a function call of its own.
"""

from millrace.engine.transforms.plan import OPS, TransformPlan, compile_transform
from millrace.engine.transforms.step import Step

__all__ = ["OPS", "Step", "TransformPlan", "compile_transform"]
