"""GET /api/functions and /api/functions/{name}: the function catalog."""

from dataclasses import asdict

from flask import Blueprint, Response, jsonify

from handlers.openapi.operation import Link, json_answer, operation
from handlers.resources import functions
from handlers.security.authentication import require
from handlers.services import get_services
from workqueue.auth.permissions import Permission
from workqueue.functions import registry

blueprint = Blueprint("functions", __name__, url_prefix="/api/functions")


@blueprint.get("")
@require(Permission.READ)
@operation(
    "List functions",
    json_answer(functions.FUNCTIONS, "All functions, code that could not be imported, and files that were skipped."),
)
def show_all() -> Response:
    catalog = registry.read_registry(get_services().engine)
    failures = {failure.unit: failure for failure in catalog.failures}
    return jsonify(
        items=[functions.serialize_function(spec, failures.get(spec.unit)) for spec in catalog.functions],
        errors=[functions.IMPORT_FAILURE.serialize(failure) for failure in catalog.failures],
        skipped=[asdict(file) for file in catalog.skipped],
    )


@blueprint.get("/<name>")
@require(Permission.FOLLOW)
@operation(
    "Show a function",
    json_answer(
        functions.FUNCTION,
        "The function.",
        links={"invoke": Link("invocations.invoke", {"name": "$response.body#/name"})},
    ),
    errors=(404,),
)
def show(name: str) -> Response:
    spec = registry.find(get_services().engine, name)
    failures = registry.read_registry(get_services().engine).failures
    failure = next((failure for failure in failures if failure.unit == spec.unit), None)
    return jsonify(functions.serialize_function(spec, failure))
