"""Functions, and the code that discovery could not import."""

from typing import Any

from handlers.openapi.component import component
from handlers.openapi.json_schema import array, boolean, integer, item_list, nullable, number, string
from workqueue.functions.registry import FunctionSpec, ImportFailure

NAME = string(pattern="^[A-Za-z0-9_-]{1,64}$")

IMPORT_FAILURE = component(
    "ImportFailure",
    "Code that could not be imported.",
    source_file=string(),
    error_type=string(),
    error_message=string(),
    traceback=string(),
)
FUNCTION = component(
    "Function",
    name=NAME,
    description=string(),
    queue=string("the default queue of its requests"),
    timeout_s=number("seconds after which an attempt is killed"),
    max_attempts=integer("failed attempts after which a request fails"),
    memory_mb=integer("resident memory above which an attempt is killed"),
    network=boolean("whether the function may use the network after its module is imported"),
    input_schema=nullable({"type": "object", "description": "the JSON Schema of the event"}),
    source_file=string(),
    source_line=integer(),
    module=string(),
    error=nullable(IMPORT_FAILURE),
)
SKIPPED_FILE = component("SkippedFile", "A file that discovery skips.", source_file=string(), reason=string())
FUNCTIONS = item_list("Functions", FUNCTION, errors=array(IMPORT_FAILURE), skipped=array(SKIPPED_FILE))


def serialize_function(function: FunctionSpec, failure: ImportFailure | None) -> dict[str, Any]:
    """Return the JSON of a function. failure: the reason why its current code cannot be imported."""
    return FUNCTION.serialize(function, error=IMPORT_FAILURE.serialize(failure) if failure else None)
