"""The SDK that functions are written with. Standard library only, CPython >= 3.9.

from localfn import function, Context

@function(timeout_s=120)
def hello(event: dict, context: Context) -> dict: ...
"""

from localfn.context import Context
from localfn.declaration import Function, function
from localfn.errors import Fail, LocalfnError, Retry, ValidationError

__all__ = ["Context", "Fail", "Function", "LocalfnError", "Retry", "ValidationError", "function"]
