"""Functions that workflows call: the runner of `lambda` tasks, and its port on Lambda and in this process."""

from millrace.adapters.functions.cloud import CloudFunctions
from millrace.adapters.functions.local import LocalFunctions
from millrace.adapters.functions.runner import LambdaRunner

__all__ = ["CloudFunctions", "LambdaRunner", "LocalFunctions"]
