"""Outbound calls: the gate every connection goes through, and the runner of `http` tasks on top of it."""

from millrace.adapters.http.gate import Gate, Resolver, Target, system_resolver
from millrace.adapters.http.policy import HTTP_PORTS, Policy, parse_allow_hosts
from millrace.adapters.http.runner import HttpRunner
from millrace.adapters.http.transport import Caps, Transport

__all__ = [
    "HTTP_PORTS",
    "Caps",
    "Gate",
    "HttpRunner",
    "Policy",
    "Resolver",
    "Target",
    "Transport",
    "parse_allow_hosts",
    "system_resolver",
]
