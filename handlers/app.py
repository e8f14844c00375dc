"""The application factory: handlers, error answers, the dashboard, the screen, and who is let in."""

from flask import Flask

from handlers import (
    access,
    audit,
    bulk,
    docs,
    functions,
    health,
    http_metrics,
    keys,
    memory,
    metrics,
    operations,
    queues,
    requests,
    schedules,
    session,
    users,
)
from handlers.body import delivery
from handlers.dashboard import routes as dashboard
from handlers.files import routes as files
from handlers.secured_app import make_app
from handlers.services import Services
from handlers.static_files import Screen, StaticFiles
from handlers.strangers import Strangers

BLUEPRINTS = (
    functions.blueprint,
    requests.blueprint,
    files.blueprint,
    bulk.blueprint,
    schedules.blueprint,
    queues.blueprint,
    operations.blueprint,
    session.blueprint,
    users.blueprint,
    keys.blueprint,
    audit.blueprint,
    health.blueprint,
    metrics.blueprint,
    docs.blueprint,
)


def create_app(services: Services, redis_url: str, screen: Screen, strangers: Strangers) -> Flask:
    """A WSGI application that answers everything of the contract's section 3.

    redis_url: for rq-dashboard, which opens connections of its own. strangers: from where it may be called.
    """
    app = make_app("localfn", strangers)
    calls = http_metrics.Calls()
    calls.install(app)
    services.install(app)
    memory.install(app)
    delivery.install(app)
    access.install(app, services.access.doorkeeper)
    add_routes(app)
    StaticFiles(screen).install(app)
    dashboard.install(app, redis_url, strangers)
    calls.learn_routes(app)
    return app


def add_routes(app: Flask) -> None:
    """Those of the API, each with what it says of itself."""
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
