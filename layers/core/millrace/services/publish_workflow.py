"""Publish a workflow."""

from __future__ import annotations

from millrace.services.caller import Caller
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication, Published, publish_definition


def publish_workflow(platform: Platform, caller: Caller, publication: Publication) -> Published:
    """See `millrace.services.publish_definition.publish_definition`."""
    return publish_definition(platform, caller, "workflow", publication)
