"""Write functions that localfn runs: the decorator, the context, and the errors that steer a request.

Needs CPython 3.9 or newer, and the standard library only. Example::

    from localfn import Context, function

    @function(timeout_s=120)
    def hello(event: dict, context: Context) -> dict:
        return {"hello": event["name"]}
"""

from localfn.context import Context
from localfn.declaration import Function, function
from localfn.errors import Fail, LocalfnError, Retry, ValidationError

__all__ = ["Context", "Fail", "Function", "LocalfnError", "Retry", "ValidationError", "function"]
