"""A workflow that mixes what a server does at once, and what each of its executions must come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

MIXED = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: mixed}
spec:
  version: 1.0.0
  input:
    type: object
    required: [url, number]
    properties: {url: {type: string}, number: {type: integer}}
  tasks:
    - id: user
      type: http
      request: {method: GET, url: "{{input.url}}/users/{{input.number % 3 + 1}}"}
    - id: orders
      type: http
      request: {method: GET, url: "{{input.url}}/orders"}
    - id: flaky
      type: http
      request: {method: POST, url: "{{input.url}}/flaky?fails=1&key=load-{{input.number}}"}
      retry: {maxAttempts: 4, strategy: constant, interval: 20ms, jitter: none}
    - id: totals
      type: transform
      input: {items: "{{tasks.orders.output.body}}"}
      transform:
        - filter: "item.totalCents > 0"
        - sort: {by: totalCents, order: desc}
        - limit: 2
        - map: {id: "{{item.id}}", total: "{{item.totalCents}}"}
    - id: even
      condition: "input.number % 2 == 0"
      type: http
      request: {method: POST, url: "{{input.url}}/echo", body: {number: "{{input.number}}"}}
    - id: join
      type: http
      dependsOn: [flaky]
      request:
        method: POST
        url: "{{input.url}}/echo"
        body: {user: "{{tasks.user.output.body.name}}", totals: "{{tasks.totals.output}}"}
  output:
    number: "{{input.number}}"
    calls: "{{tasks.flaky.output.body.calls}}"
    even: "{{has(tasks.even.output) ? tasks.even.output.body.body.number : -1}}"
    joined: "{{tasks.join.output.body.body}}"
"""


def expected(number: int, users: dict[int, dict[str, Any]], orders: list[dict[str, Any]]) -> dict[str, Any]:
    """The output of execution ``number``, computed from the demo service's data."""
    best = sorted((order for order in orders if order["totalCents"] > 0), key=lambda one: -one["totalCents"])[:2]
    return {
        "number": number,
        "calls": 2,
        "even": number if number % 2 == 0 else -1,
        "joined": {
            "user": users[number % 3 + 1]["name"],
            "totals": [{"id": order["id"], "total": order["totalCents"]} for order in best],
        },
    }


def memory_mib(pid: int) -> float:
    """Resident memory of a process in MiB; 0 where /proc does not say."""
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        return 0.0
    kib = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(kib) / 1024
