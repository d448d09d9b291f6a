"""Every page can be found, every link leads somewhere, and everything that has a code or a route is documented."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import typing
from pathlib import Path
from urllib.parse import unquote

import pytest

from millrace.api.access import ACCESS
from millrace.base import errors
from millrace.engine import events
from millrace.local.template import read_template
from millrace.spec import CODES
from millrace.wiring.settings import SETTINGS
from tests.unit.docs.snippets import PAGES, ROOT

DOCS = ROOT / "docs"
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!https?://|mailto:)([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def links_of(page: Path) -> list[tuple[Path, str]]:
    """Target and fragment of every link of a page to a file of ours, code left out."""
    found = []
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        target, _, fragment = unquote(link).partition("#")
        found.append(((page.parent / target).resolve() if target else page, fragment))
    return found


def anchors_of(page: Path) -> set[str]:
    """The fragments of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    lost = [
        f"{target}#{fragment}"
        for target, fragment in links_of(page)
        if not target.exists() or (fragment and target.suffix == ".md" and fragment not in anchors_of(target))
    ]
    assert [] == lost


def test_every_page_can_be_reached_from_the_first_one() -> None:
    seen: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in seen:
            seen.add(page)
            ahead += [target for target, _ in links_of(page) if target.suffix == ".md"]
    assert [] == [str(page.relative_to(ROOT)) for page in PAGES if page not in seen]


def test_the_index_names_every_page_schema_and_decision() -> None:
    named = {target for target, _ in links_of(DOCS / "README.md")}
    files = {*DOCS.glob("*.*"), *(DOCS / "reference").iterdir(), *(DOCS / "decisions").iterdir()}
    files |= set((DOCS / "schema").iterdir()) - {DOCS / "README.md"}
    missing = sorted(str(path.relative_to(ROOT)) for path in files - named - {DOCS / "README.md"})
    assert [] == missing, "link them from docs/README.md"


def test_generated_pages_are_what_the_code_says() -> None:
    command = [sys.executable, "tools/generate_reference.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stdout)


def test_every_setting_finding_and_error_is_documented() -> None:
    pages = {name: (DOCS / "reference" / f"{name}.md").read_text() for name in ("settings", "findings", "errors")}
    tree = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.MillraceError)]
    assert [] == [name for name in SETTINGS if f"`{name}`" not in pages["settings"]]
    assert [] == [code for code in CODES if f"`{code}`" not in pages["findings"]]
    assert [] == [one.__name__ for one in tree if f"| {one.__name__} | `{one.code}` |" not in pages["errors"]]


def test_every_field_of_every_event_has_a_meaning() -> None:
    page = (DOCS / "reference" / "events.md").read_text()
    for kind in typing.get_args(events.AnyEvent):
        assert f"\n## {kind.__name__}\n" in page
    assert [] == re.findall(r"^\|.*\|  \|$", page, re.MULTILINE)


def test_every_route_of_the_template_is_in_the_openapi_document() -> None:
    paths = json.loads((DOCS / "openapi.json").read_text())["paths"]
    prefixes = {route.resource.removesuffix("/{proxy+}") for route in read_template(ROOT / "template.yaml").routes}
    assert [] == sorted(prefix for prefix in prefixes if not any(path.startswith(prefix) for path in paths))


def test_every_route_that_may_be_called_is_on_the_page_of_the_api() -> None:
    page = (DOCS / "reference" / "api.md").read_text()
    routes = {f"`{method} {path.removeprefix('/api/v1')}`" for method, path in ACCESS}
    assert [] == sorted(route for route in (re.sub(r"<(\w+)>", r"{\1}", one) for one in routes) if route not in page)


def test_a_heading_is_found_by_its_fragment(tmp_path: Path) -> None:
    page = tmp_path / "x.md"
    page.write_text("# The `http` task\n```text\n# not this\n```\n## A, b: c\n[here](#a-b-c) `[no](code.md)`\n")
    assert {"the-http-task", "a-b-c"} == anchors_of(page)
    assert [(page, "a-b-c")] == links_of(page)
