"""The list of a large loop's lanes, written where the state machine that starts them reads it."""

from __future__ import annotations

import json
from typing import Any

from millrace.base.errors import InvalidRequest
from millrace.base.ids import actor_name, lane_name
from millrace.base.limits import LANES
from millrace.ports.blobs import Located
from millrace.ports.documents import TenantScope
from millrace.services.platform import Platform


def prepare_lanes(platform: Platform, body: Any) -> dict[str, str]:
    """``{bucket, key}`` of a JSON array with one order of the short state machine per lane. ``body`` is ``{tenant,
    execution, first, count}``. May be repeated. Raises InvalidRequest for anything else, StoreUnavailable."""
    try:
        scope, execution = TenantScope(str(body["tenant"])), str(body["execution"])
        first, count = int(body["first"]), int(body["count"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRequest(
            f"The event is no order for lanes: {error!r}.",
            hint="It needs tenant, execution, first and count; events/driver-prepare.json shows one.",
        ) from error
    if not (0 < count <= LANES and first > 0):
        raise InvalidRequest(f"There are no {count} lanes from {first} on.", hint=f"Use 1 to {LANES} lanes.")
    if not isinstance(platform.blobs, Located):
        raise InvalidRequest("No state machine reads what this store holds.", hint="Run on AWS, with a bucket.")
    names = [lane_name(execution, stream) for stream in range(first, first + count)]
    orders = [{"tenant": scope.tenant, "execution": name, "actor": actor_name(name), "generation": 1} for name in names]
    key = ("execution", execution, "lanes", str(first))
    platform.blobs.put(scope, key, json.dumps(orders).encode())
    bucket, name = platform.blobs.where(scope, key)
    return {"bucket": bucket, "key": name}
