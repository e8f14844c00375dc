"""Create the Flask application: API, rq-dashboard, SPA, authentication and origin check."""

from flask import Flask

from handlers.accounts import api_keys, audit, sessions, users
from handlers.api import bulk, functions, invocations, queues, requests, schedules, stats
from handlers.dashboard import routes as dashboard
from handlers.files import routes as files
from handlers.http import etags_and_gzip, memory_budget, request_metrics
from handlers.security import authentication
from handlers.security.origin_check import OriginCheck
from handlers.security.secured_app import make_app
from handlers.services import Services
from handlers.spa.static_files import SpaConfig, StaticFiles
from handlers.system import api_docs, health, metrics

BLUEPRINTS = (
    functions.blueprint,
    invocations.blueprint,
    requests.blueprint,
    files.blueprint,
    bulk.blueprint,
    schedules.blueprint,
    queues.blueprint,
    stats.blueprint,
    sessions.blueprint,
    users.blueprint,
    api_keys.blueprint,
    audit.blueprint,
    health.blueprint,
    metrics.blueprint,
    api_docs.blueprint,
)


def create_app(services: Services, redis_url: str, spa: SpaConfig, origin_check: OriginCheck) -> Flask:
    """Return the WSGI application of `localfn web`.

    redis_url: for rq-dashboard, which opens its own connections. origin_check: the allowed hosts and origins.
    """
    app = make_app("localfn", origin_check)
    metrics_of_calls = request_metrics.RequestMetrics()
    metrics_of_calls.install(app)
    services.install(app)
    memory_budget.install(app)
    etags_and_gzip.install(app)
    authentication.install(app, services.access.authenticator)
    add_routes(app)
    StaticFiles(spa).install(app)
    dashboard.install(app, redis_url, origin_check)
    metrics_of_calls.number_routes(app)
    return app


def add_routes(app: Flask) -> None:
    """Add the routes of the API."""
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
