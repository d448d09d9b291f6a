"""Fails when importing a part of the library brings in a package that this part has no business to wait for.

A budget names what must not be loaded, rather than a time: the same on every machine.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAVY = frozenset({
    "httpx", "pynamodb", "boto3", "botocore.session", "cryptography", "re2", "jsonschema", "yaml", "ruamel", "chalice",
    "aws_xray_sdk", "croniter", "rich", "starlette", "uvicorn", "moto", "mcp", "schemathesis",
})  # fmt: skip
WEB = frozenset({"aws_lambda_powertools"})
MODELS = frozenset({"pydantic"})
JUDGING = frozenset({
    "millrace.spec.checks", "millrace.spec.dialect.document", "millrace.spec.formatting", "millrace.spec.json_schema",
    "millrace.spec.render", "difflib",
})  # fmt: skip
"""What only whoever accepts documents needs; no function before such a request comes."""
BUDGETS: dict[str, frozenset[str]] = {
    "import millrace": HEAVY | WEB | MODELS,
    "import millrace.base.errors, millrace.base.ids, millrace.base.limits": HEAVY | WEB | MODELS,
    "import millrace.expr": HEAVY | WEB | MODELS,
    "import millrace.spec": HEAVY | WEB,
    "import millrace.cli.main, millrace.cli.executions, millrace.cli.run": HEAVY | WEB | MODELS,
    "import millrace.cli.validate": HEAVY | WEB,
    "import millrace.wiring": HEAVY | WEB | MODELS,
    **{
        f"import runpy; runpy.run_path('functions/{path.parent.name}/app.py')": HEAVY | JUDGING
        for path in sorted((ROOT / "functions").glob("*/app.py"))
    },
}


def loaded(code: str) -> set[str]:
    """The modules of a fresh interpreter after running one statement. Ends the process when it cannot run."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{code}\n{done.stderr}")
    return set(done.stdout.split())


def main() -> int:
    said = [
        f"{code}: loads {', '.join(sorted(found))}"
        for code, forbidden in BUDGETS.items()
        if (found := loaded(code) & forbidden)
    ]
    print("\n".join(said) or "imports: no findings")
    return bool(said)


if __name__ == "__main__":
    sys.exit(main())
