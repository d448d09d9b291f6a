"""The HTTP edge: one entry, one resolver, one table each for access and for problems."""

from millrace.api.answers import answer
from millrace.api.current import caller, request
from millrace.api.entry import entry
from millrace.api.resolver import Resolver

__all__ = ["Resolver", "answer", "caller", "entry", "request"]
