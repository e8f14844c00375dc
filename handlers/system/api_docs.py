"""/openapi.json, the description of the API, and /docs, the same for people.

The page is rendered here, from the same document: no script, nothing inline, nothing from elsewhere. Both are open:
they tell no more than the source does.
"""

from pathlib import Path

from flask import Blueprint, Response, current_app, jsonify, make_response, render_template, request, send_file

from handlers.http.response_delivery import ETAG, NOT_MODIFIED
from handlers.openapi.document import describe
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, json_answer, operation
from handlers.security.authentication import public

blueprint = Blueprint("docs", __name__, template_folder="templates")

STYLE = Path(__file__).with_name("templates") / "docs.css"
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@blueprint.get("/openapi.json")
@public
@operation("Describe the API", json_answer({"type": "object"}, "OpenAPI 3.1.", headers=(ETAG,)), NOT_MODIFIED)
def document() -> Response:
    return _make_conditional(jsonify(describe(current_app, request.script_root)))


@blueprint.get("/docs")
@public
@operation(
    "Describe the API for people", Answer(200, "A page.", {"text/html": string()}, headers=(ETAG,)), NOT_MODIFIED
)
def page() -> Response:
    answer = make_response(render_template("docs.html", api=describe(current_app, request.script_root)))
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return _make_conditional(answer)


@blueprint.get("/docs/style.css")
@public
@operation(
    "Give the page its looks", Answer(200, "A style sheet.", {"text/css": string()}, headers=(ETAG,)), NOT_MODIFIED
)
def style() -> Response:
    return send_file(STYLE, mimetype="text/css", max_age=3600)


def _make_conditional(answer: Response) -> Response:
    """A client asks whether it is still the same; it is until the next version."""
    answer.headers["Cache-Control"] = "no-cache"
    answer.add_etag()
    answer.make_conditional(request)
    return answer
