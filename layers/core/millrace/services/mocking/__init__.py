"""Answers of an API that is not there, made from its OpenAPI document. Pure: `millrace.local.mock` serves them."""
