"""`localfn dashboard`: rq-dashboard alone. It has no login, so it shows and changes nothing.

The same pages stand behind the login of `localfn web`, at /rq/, where who may can also act.
"""

from flask import Flask, request
from werkzeug.exceptions import MethodNotAllowed

from handlers import dashboard, problems
from infra import logs
from infra.processes.connections import urls
from infra.processes.web import Server
from infra.settings import Settings

SAFE = ("GET", "HEAD", "OPTIONS")


def run(settings: Settings) -> None:
    """Serves until SIGTERM."""
    logs.configure(settings.log_level, settings.log_format, "dashboard")
    Server(settings, make_app).run()


def make_app(settings: Settings) -> Flask:
    app = Flask("localfn-dashboard", static_folder=None)
    app.add_url_rule("/<path:filename>", "static", build_only=True)  # its pages ask for an icon's address
    problems.install(app)
    app.before_request(refuse_changes)
    dashboard.mount(app, urls(settings)[1])
    app.config["RQ_DASHBOARD_DISABLE_DELETE"] = True
    return app


def refuse_changes() -> None:
    if request.method not in SAFE:
        raise MethodNotAllowed(valid_methods=list(SAFE), description="This dashboard only shows; /rq/ of web changes.")
