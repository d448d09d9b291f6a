"""Shapes told again with what expressions give: of output mappings, of what stands in, of transforms, of `state`.

Tasks are gone through after those that they wait for, so that what one gives is known when the next one reads it, and
those inside a task before the task. What reads `state` in an output mapping is told before `state` is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from millrace.expr import Expression, ReadPath
from millrace.expr.inference import infer
from millrace.expr.signatures import Kinds
from millrace.spec.checks.operands import json_types, kinds_of
from millrace.spec.checks.step_types import given_by, items_given
from millrace.spec.cycles import components
from millrace.spec.dependencies import Graph, entries
from millrace.spec.environment import Environment, Environments
from millrace.spec.findings import Path
from millrace.spec.models import Workflow
from millrace.spec.produced import Products, object_shape
from millrace.spec.shapes import ANYTHING, Shape, constant_shape, deprecation_of, types_of
from millrace.spec.sites import Site, Sites
from millrace.spec.source import Source
from millrace.spec.tree import Body, Placed, Tree

_TEXT: Final = Shape.of({"type": "string"})
_USES: Final = frozenset({"output", "fallback", "state"})
_MOST: Final = (2_000, 64)
"""The parts and levels of a shape that is told. One made of others made of others could have any number."""


def refine(
    workflow: Workflow,
    source: Source,
    tree: Tree,
    graphs: Sequence[Graph],
    products: Products,
    environments: Environments,
    sites: Sites,
) -> None:
    """Puts what is found into ``products`` and ``environments``. Linear in tasks, references and templates."""
    refiner = _Refiner(source, tree, graphs, products, environments, sites)
    for body in tree.bodies:
        if body.owner is None:
            refiner.body(body)
    environments.settle(refiner.state(workflow))


class _Refiner:
    def __init__(
        self,
        source: Source,
        tree: Tree,
        graphs: Sequence[Graph],
        products: Products,
        environments: Environments,
        sites: Sites,
    ) -> None:
        self._source = source
        self._tree = tree
        self._graphs = graphs
        self._products = products
        self._environments = environments
        self._sites: dict[Path, Site] = {site.path: site for site in sites.sites if site.use in _USES}
        self._plans = {task: (path, plan) for task, path, plan in sites.plans}
        self._items = items_given(tree, sites, environments)
        self._measured: dict[int, tuple[int, int, Any]] = {}

    def body(self, body: Body) -> None:
        """Everything in a body, those that others wait for first."""
        self._environments.enter(body)
        for index in self._ordered(body):
            placed = self._tree.tasks[index]
            for inner in placed.inner:
                self.body(self._tree.bodies[inner])
            self._products.refine(placed, self._made(placed), self._render(placed))
            self._environments.tell(placed, self._products.read[index])

    def state(self, workflow: Workflow) -> Shape:
        """What `state` holds; an entry is told after those that it reads."""
        names = list(workflow.spec.state)
        reads: dict[str, list[str]] = {name: [] for name in names}
        for site in self._sites.values():
            if site.use == "state":
                for one in site.expression.reads:
                    if one.path.root == "state":
                        reads[str(site.path[2])] += entries(one.path, names)
        environment = self._environments.bodies[0]
        found: dict[str, Shape] = {}
        for name in (name for ring in components(reads) for name in ring):
            environment.roots["state"] = object_shape({**dict.fromkeys(names, ANYTHING), **found})
            value = workflow.spec.state[name]
            found[name] = self._bounded(self._rendered(value, ("spec", "state", name), environment, lambda: ANYTHING))
        return object_shape({name: found[name] for name in names})

    def _ordered(self, body: Body) -> Iterator[int]:
        if body.single:
            yield from body.tasks
            return
        for ring in components(self._graphs[body.index].needs):
            yield from (body.ids[name] for name in ring)

    def _made(self, placed: Placed) -> Shape | None:
        """What a transform gives; None for any other task, and for steps that could not be compiled."""
        path, plan = self._plans.get(placed.index, ((), None))
        if not hasattr(plan, "steps"):
            return None
        environment = self._environments.of(placed.index)
        return self._bounded(given_by(plan, path, self._source, environment, self._items(placed.index)))

    def _render(self, placed: Placed) -> Callable[[Any, Path], Shape]:
        environment = self._environments.of(placed.index)

        def own() -> Shape:
            return self._products.shapes[placed.index]

        return lambda value, path: self._bounded(self._rendered(value, path, environment, own))

    def _bounded(self, shape: Shape) -> Shape:
        parts, levels = self._measure(shape)
        return shape if parts <= _MOST[0] and levels <= _MOST[1] else ANYTHING

    def _measure(self, value: Any) -> tuple[int, int]:
        """Parts and levels of a schema. What is in it has been measured before, but for what a document holds, which
        has few levels."""
        if isinstance(value, Shape):
            return self._measure(value.schema)
        if not isinstance(value, dict | list):
            return 1, 0
        known = self._measured.get(id(value))
        if known is None:
            below = [self._measure(one) for one in (value.values() if isinstance(value, dict) else value)]
            parts, levels = 1 + sum(one for one, _ in below), 1 + max((one for _, one in below), default=0)
            known = self._measured[id(value)] = (parts, levels, value)  # kept, so that its id is no other's
        return known[:2]

    def _rendered(self, value: Any, path: Path, environment: Environment, own: Callable[[], Shape]) -> Shape:
        """The shape of a value with templates: what each of them gives, as far as that is known."""
        if isinstance(value, dict):
            return object_shape(
                {key: self._rendered(item, (*path, key), environment, own) for key, item in value.items()}
            )
        if isinstance(value, list):
            below = [self._rendered(item, (*path, at), environment, own) for at, item in enumerate(value)]
            return Shape.of({"type": "array", "prefixItems": below, "items": False})
        site = self._sites.get(path)
        if site is None:  # a constant, or what does not compile
            return ANYTHING if isinstance(value, str) and "{{" in value else constant_shape(value)
        return _given(site.expression, environment, own()) if site.whole else _TEXT


def _given(expression: Expression, environment: Environment, own: Shape) -> Shape:
    """The shape of an expression's value: that of the path, if it is one. That somebody should not read a path any more
    is said where it is read, and not again of what it became."""
    if len(expression.reads) == 1 and expression.reads[0].length == expression.length:
        shape = environment.follow(expression.reads[0].path, own).shape or ANYTHING
        if deprecation_of(shape) is None:
            return shape
        types = types_of(shape)
        return ANYTHING if types is None else Shape.of({"type": sorted(types)})
    kinds = infer(expression, _lookup(environment, own)).kinds
    return ANYTHING if kinds is None else Shape.of({"type": sorted(json_types(kinds))})


def _lookup(environment: Environment, own: Shape) -> Callable[[ReadPath], Kinds | None]:
    return lambda path: kinds_of(environment.follow(path, own).shape)
