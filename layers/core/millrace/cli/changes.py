"""What became of documents in files, said to a person and to programs."""

from __future__ import annotations

from millrace.cli import shapes
from millrace.cli.output import Output, plain
from millrace.local.watch import Change


def tell(change: Change, output: Output) -> None:
    """Say what became of a file."""
    published = change.published
    if published is None:
        text = "was deleted; its last version stays in force" if change.what == "deleted" else change.why
        output.warn(f"{plain(str(change.file))}: {plain(text)}")
    elif published.ok:
        name, version = published.answer.get("name", ""), published.answer.get("version", "")
        output.say(f"published {plain(str(name))} {plain(str(version))} from {plain(str(change.file))}")
    elif published.findings:  # they hold the detail and the hint
        output.warn(f"{plain(str(change.file))}: not published")
    else:
        detail = str(published.answer.get("detail") or published.answer.get("title") or "")
        output.warn(f"{plain(str(change.file))}: not published: {plain(detail)}")
        if hint := published.answer.get("hint"):
            output.warn(f"    {plain(str(hint))}")
    findings = published.findings if published else []
    for line in shapes.finding_lines(findings, str(change.file)):
        output.warn(line)
    output.data(
        {
            "event": change.what,
            "file": str(change.file),
            "name": published.answer.get("name") if published else None,
            "version": published.answer.get("version") if published else None,
            "findings": findings,
        }
    )
