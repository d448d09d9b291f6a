"""Every size and count limit of the platform, in one table. Bytes unless the name says otherwise."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

DOCUMENT_BYTES: Final = 256 * KIB
DOCUMENT_DEPTH: Final = 64
DOCUMENT_NODES: Final = 100_000
DOCUMENT_ALIASES: Final = 32
JSON_DEPTH: Final = 64
JSON_NODES: Final = 1_000_000
INTEGER_DIGITS: Final = 38  # what a DynamoDB number holds
REQUEST_BYTES: Final = 6 * MIB  # Lambda's synchronous payload limit

PACKAGE_BYTES: Final = 4 * MIB  # in base64 below Lambda's payload limit, in both directions
PACKAGE_FILES: Final = 256  # as many definitions are published within the gateway's 29 s
PACKAGE_MANIFEST_BYTES: Final = 1 * MIB

INLINE_VALUE_BYTES: Final = 64 * KIB  # larger values go to the blob store
VALUE_BYTES: Final = 16 * MIB  # larger values are a permanent error
SEGMENT_BYTES: Final = 256 * KIB
ITEM_BYTES: Final = 400 * 1000  # DynamoDB's limit on one item
TRANSACTION_OPS: Final = 25
TRANSACTION_BYTES: Final = 4 * MIB
KEY_PARTITION_BYTES: Final = 2048
KEY_SORT_BYTES: Final = 1024
ATTRIBUTE_DEPTH: Final = 32

SNAPSHOT_EVENTS: Final = 1_000
SNAPSHOT_BYTES: Final = 1 * MIB

TASKS_PER_WORKFLOW: Final = 10_000
TASK_ID_CHARS: Final = 128
BODIES_DEEP: Final = 8  # tasks inside tasks; a path stays readable, and an index key within its limit
TASKS_SHOWN: Final = 500  # of those inside loops, in the answer to one request, unless all are asked for
VALUES_SHOWN_BYTES: Final = 1 * MIB  # in one answer: escaped in a function's response it is up to three times as long
EVENTS_SHOWN_BYTES: Final = 1 * MIB  # in one page of a history, for the same reason
TASK_INSTANCES: Final = 200_000  # of one execution, those of all iterations together
EVENTS_PER_EXECUTION: Final = 1_000_000  # what a fold from the first event reads within one invocation
STATE_BYTES: Final = 256 * MIB  # values of one execution that schemas allow; a driver has 1 GiB of memory
ITERATIONS: Final = 50_000  # of one forEach
SPREAD_ABOVE: Final = 500  # items of a forEach, above which it runs in lanes with logs of their own
LANES: Final = 100  # of one forEach
LANE_PARALLEL: Final = 10  # items under way at once in one lane
GENERATED_BYTES: Final = 60 * KIB  # the tasks of one generate; below what is kept in an event, since they are the plan
SLOTS: Final = 1_000  # places under one concurrency key, or of a pool; they are listed in one item
WEIGHT: Final = 1_000  # of a key of a pool
HOPS: Final = 16  # executions above an execution
TESTS_PER_WORKFLOW: Final = 200
ATTEMPT_TIMEOUT_MS: Final = 14 * 60 * 1000  # a Lambda invocation ends at 15 minutes
DEFAULT_ATTEMPT_TIMEOUT_MS: Final = 60 * 1000
SLEEP_IN_DRIVER_MS: Final = 10 * 1000  # longer waits park
BREAKER_WINDOW_MS: Final = 10 * 60 * 1000  # counts are kept by the second, within one item
BREAKER_PROBES: Final = 10
RETRY_TOKENS: Final = 5_000  # a retry takes 5 of them, or 10 after a timeout
UNKNOWN_ATTEMPTS: Final = 3  # the same attempt found unknown this often fails as driver_crash

EXPRESSION_CHARS: Final = 16 * KIB
EXPRESSION_DEPTH: Final = 64
EXPRESSION_FUEL: Final = 1_000_000  # evaluation steps
EXPRESSION_OUTPUT_BYTES: Final = 4 * MIB
TRANSFORM_FUEL: Final = 20_000_000  # evaluation steps of all items and steps together
TRANSFORM_STEPS: Final = 100

WAIT_CAP_S: Final = 20  # below the gateway's 29 s
LAMBDA_PAYLOAD_BYTES: Final = REQUEST_BYTES  # of a function's request and of its response
LAMBDA_EVENT_BYTES: Final = 256 * KIB  # of an asynchronous request, the least that any region allows
PAGING_PAGES: Final = 1_000  # of one http task that reads pages
PAGING_ITEMS: Final = 100_000
PAGE_LIMIT: Final = 100
PAGE_DEFAULT: Final = 20

OPENAPI_BYTES: Final = 16 * MIB  # an OpenAPI document, unpacked
OPENAPI_OPERATIONS: Final = 10_000
OPENAPI_TASK_BYTES: Final = 64 * KIB  # one generated task; what its schemas lead to beyond that is left open

IMPORTED_TASKS: Final = 250
"""Tasks that one import of an OpenAPI document publishes unless it says otherwise."""
