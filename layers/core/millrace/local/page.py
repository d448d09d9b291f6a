"""The page at ``/`` while no console is built: what this server is, and three commands that try it."""

from __future__ import annotations

from typing import Final

import millrace

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Millrace</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }}
pre {{ background: #f3f3f3; color: #111; padding: .75rem; overflow-x: auto; }}
</style>
</head>
<body>
<main>
<h1>Millrace {version}</h1>
<p>The server runs. Its API begins at <a href="/api/v1/health">/api/v1</a>:
<a href="/api/v1/workflows">workflows</a>, <a href="/api/v1/tasks">tasks</a>,
<a href="/api/v1/executions">executions</a>.</p>
<pre>millrace run hello --input '{{"userId": 3}}'
millrace executions
millrace validate workflow.yaml</pre>
</main>
</body>
</html>
"""


def front_page() -> str:
    """HTML, complete."""
    return _PAGE.format(version=millrace.__version__)
