"""Export the OpenAPI document without a server, a database or a setting, for client generators."""

import json

from handlers.app import add_routes
from handlers.openapi.document import describe
from handlers.security.origin_check import AllowedHosts, OriginCheck
from handlers.security.secured_app import make_app


def description() -> str:
    """Return the document of /openapi.json as JSON text."""
    app = make_app("localfn", OriginCheck(AllowedHosts()))
    add_routes(app)
    return json.dumps(describe(app, ""), indent=2, ensure_ascii=False)
