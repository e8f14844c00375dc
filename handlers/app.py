"""The application factory: handlers, error answers, the dashboard and the screen."""

import warnings

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from handlers import functions, health, problems, requests, schedules
from handlers.services import Services
from handlers.static_files import Screen, StaticFiles


def create_app(services: Services, redis_url: str, screen: Screen) -> Flask:
    """A WSGI application that answers everything of the contract's section 3.

    redis_url: for rq-dashboard, which opens connections of its own.
    """
    app = Flask("localfn", static_folder=None)
    provider = DefaultJSONProvider(app)
    provider.sort_keys = False  # an event comes back in the order in which it was sent
    provider.ensure_ascii = False
    provider.compact = True
    app.json = provider
    services.install(app)
    problems.install(app)
    for blueprint in (functions.blueprint, requests.blueprint, schedules.blueprint, health.blueprint):
        app.register_blueprint(blueprint)
    StaticFiles(screen).install(app)
    mount_dashboard(app, redis_url)
    return app


def mount_dashboard(app: Flask, redis_url: str) -> None:
    """rq-dashboard at /rq/, reading JSON jobs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies use names that Python is about to drop
        import rq_dashboard
        from rq.serializers import JSONSerializer

        rq_dashboard.web.config.serializer = JSONSerializer
        app.config.from_object(rq_dashboard.default_settings)
        app.config["RQ_DASHBOARD_REDIS_URL"] = redis_url
        rq_dashboard.web.setup_rq_connection(app)
    app.register_blueprint(rq_dashboard.blueprint, url_prefix="/rq")
