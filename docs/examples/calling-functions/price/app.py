"""Prices the lines of an order: {lines: [{quantity, priceCents}], discountPercent} becomes {cents, keyed}."""


def handler(event, context):
    total = sum(line["quantity"] * line["priceCents"] for line in event["lines"])
    custom = context.client_context.custom if context.client_context else {}
    # A function with effects would remember this key, and answer a repeated one with what it answered before.
    return {"cents": total * (100 - event.get("discountPercent", 0)) // 100, "keyed": "idempotencyKey" in custom}
