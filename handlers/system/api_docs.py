"""/openapi.json, the OpenAPI document, and /docs, the same as a page.

The page has no script, no inline style and nothing from another host. Both are public: they reveal no data.
"""

from pathlib import Path

from flask import Blueprint, Response, current_app, jsonify, make_response, render_template, request, send_file

from handlers.http.etags_and_gzip import ETAG, NOT_MODIFIED
from handlers.openapi.document import describe
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, json_answer, operation
from handlers.security.authentication import public

blueprint = Blueprint("docs", __name__, template_folder="templates")

STYLE = Path(__file__).with_name("templates") / "docs.css"
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@blueprint.get("/openapi.json")
@public
@operation(
    "Show the OpenAPI document",
    json_answer({"type": "object"}, "The document, OpenAPI 3.1.", headers=(ETAG,)),
    NOT_MODIFIED,
)
def document() -> Response:
    return _make_conditional(jsonify(describe(current_app, request.script_root)))


@blueprint.get("/docs")
@public
@operation("Show the API docs", Answer(200, "An HTML page.", {"text/html": string()}, headers=(ETAG,)), NOT_MODIFIED)
def page() -> Response:
    answer = make_response(render_template("docs.html", api=describe(current_app, request.script_root)))
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return _make_conditional(answer)


@blueprint.get("/docs/style.css")
@public
@operation(
    "Show the style sheet of the API docs",
    Answer(200, "A style sheet.", {"text/css": string()}, headers=(ETAG,)),
    NOT_MODIFIED,
)
def style() -> Response:
    return send_file(STYLE, mimetype="text/css", max_age=3600)


def _make_conditional(answer: Response) -> Response:
    """Let clients cache the answer and revalidate it: it changes only with the version."""
    answer.headers["Cache-Control"] = "no-cache"
    answer.add_etag()
    answer.make_conditional(request)
    return answer
