from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.adapters.memory import MemoryDocuments
from millrace.base.canonical import dumps, parse_json
from millrace.ports.documents import Item, Op, TenantScope
from millrace.store.definitions import Definitions, Side, Version
from millrace.store.publishing import Draft, Stamp, next_version, publish
from millrace.store.references import Use, reference_items, used_by, uses_of

SCOPE = TenantScope("acme")
STAMP = Stamp("ann", 1, "w")


def draft(uses: tuple[Use, ...], content: str = "h1", name: str = "flow") -> Draft:
    return Draft("workflow", name, {"name": name}, b"source", "yaml", content, "b", Side(), uses)


def put(definitions: Definitions, made: Draft, label: str = "1.0.0") -> Version:
    head = definitions.head("workflow", made.name)
    version = next_version(definitions, made, head, label=label, stamp=STAMP)
    publish(definitions, made, version, head, activate=True)
    return version


def definitions() -> Definitions:
    return Definitions(MemoryDocuments(), SCOPE, "default")


USES = (
    Use("a", "taskRef", "get-order", ("output.id",), "^2"),
    Use("b", "secret", "crm"),
    Use("b", "taskRef", "get-order", (), "1.0.0"),
    Use("b", "task", "a", ("output.id",)),
)


def test_what_a_version_uses_is_read_back_in_order() -> None:
    made = definitions()
    version = put(made, draft(USES))
    assert sorted(USES, key=lambda use: (use.kind, use.target, use.path)) == uses_of(made.documents, SCOPE, version)


def test_what_uses_a_thing_is_read_back_with_version_and_paths() -> None:
    made = definitions()
    put(made, draft(USES))
    put(made, draft(USES[:1], content="h2"), label="1.0.1")
    put(made, draft(USES[:1], content="h3", name="other"))
    found = used_by(made, "taskRef", "get-order")
    assert [("flow", 1, 2), ("flow", 2, 1), ("other", 1, 1)] == [(u.name, u.revision, len(u.uses)) for u in found]
    assert (USES[0], USES[2]) == found[0].uses
    assert [] == used_by(made, "taskRef", "crm")


def test_the_uses_of_a_version_are_cut_where_an_item_is_full_and_not_before() -> None:
    """Each item holds two uses of 100,000 bytes, the first one and those after it alike."""
    bare = len(dumps(["", "secret", "crm", [], ""]))
    uses = [Use(f"{n}".ljust(100_000 - bare, "x"), "secret", "crm") for n in range(6)]
    made = definitions()
    version = put(made, draft(()))
    counts = [len(parse_json(bytes(item.attrs["body"]))) for item in reference_items(version, uses)]
    assert [2, 2, 2] * 2 == counts
    longer = [Use(use.path + "x", use.kind, use.target) for use in uses]
    assert 12 == len(reference_items(version, longer))


def test_what_stays_inside_a_definition_is_not_indexed_backwards() -> None:
    made = definitions()
    put(made, draft(USES))
    assert [] == used_by(made, "task", "a")


def test_references_of_a_version_that_lost_its_race_are_seen_by_nobody() -> None:
    made = definitions()
    loser = next_version(made, draft(USES), None, label="1.0.0", stamp=STAMP)
    made.documents.batch_put(SCOPE, reference_items(loser, USES))
    assert [] == used_by(made, "secret", "crm")
    winner = put(made, draft((), content="h2"))
    assert (1, [], []) == (winner.revision, used_by(made, "secret", "crm"), uses_of(made.documents, SCOPE, winner))


def test_more_references_than_a_transaction_holds_are_all_there() -> None:
    made = definitions()
    many = tuple(Use(f"t{n:03d}", "taskRef", f"task-{n:03d}") for n in range(200))
    version = put(made, draft(many))
    assert list(many) == uses_of(made.documents, SCOPE, version)
    assert 1 == len(used_by(made, "taskRef", "task-117"))


def test_a_target_with_more_uses_than_an_item_holds_is_one_user() -> None:
    made = definitions()
    many = tuple(Use(f"{n:06d}" + "x" * 120, "taskRef", "one", ("output.field" * 10,)) for n in range(2000))
    put(made, draft(many))
    (found,) = used_by(made, "taskRef", "one")
    assert many == found.uses


def test_a_tenant_and_a_namespace_have_indexes_of_their_own() -> None:
    made = definitions()
    put(made, draft(USES))
    assert [] == used_by(Definitions(made.documents, TenantScope("other"), "default"), "secret", "crm")
    assert [] == used_by(Definitions(made.documents, SCOPE, "other"), "secret", "crm")


WORD = st.text(alphabet="abc-./[]*", min_size=1, max_size=6)
ANY_USE = st.builds(
    Use, WORD, st.sampled_from(["taskRef", "secret", "task", "input"]), WORD, st.lists(WORD, max_size=2).map(tuple)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_USE, max_size=30, unique_by=lambda use: (use.path, use.kind, use.target)))
def test_both_directions_tell_the_same(uses: list[Use]) -> None:
    made = definitions()
    version = put(made, draft(tuple(uses)))
    assert set(uses) == set(uses_of(made.documents, SCOPE, version))
    for use in uses:
        backward = [inner for user in used_by(made, use.kind, use.target) for inner in user.uses]
        assert (use in backward) is (use.kind in ("taskRef", "secret"))


def test_what_is_used_by_more_versions_than_one_read_gives_is_known_of_all() -> None:
    made = definitions()
    for number in range(101):
        put(made, draft(USES[:1], content=f"h{number}"), label=f"1.0.{number}")
    assert [*range(1, 102)] == [used.revision for used in used_by(made, "taskRef", "get-order")]


class Counted(MemoryDocuments):
    """Notes how much is written beside what, and how much before."""

    def __init__(self) -> None:
        super().__init__()
        self.together: list[int] = []
        self.before: list[int] = []

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        self.together.append(len(ops))
        super().write(scope, ops)

    def batch_put(self, scope: TenantScope, items: Sequence[Item]) -> None:
        self.before.append(len(items))
        super().batch_put(scope, items)


@pytest.mark.parametrize(("targets", "together", "before"), [(18, [25], []), (19, [6], [20])])
def test_references_are_written_with_their_version_while_one_transaction_holds_them(
    targets: int, together: list[int], before: list[int]
) -> None:
    documents = Counted()
    made = Definitions(documents, SCOPE, "default")
    version = put(made, draft(tuple(Use("a", "taskRef", f"task-{number}") for number in range(targets))))
    assert (together, before) == (documents.together, documents.before)
    assert targets == len(uses_of(documents, SCOPE, version))
