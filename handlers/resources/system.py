"""Errors, health and readiness."""

from handlers.openapi.component import OptionalField, component
from handlers.openapi.json_schema import array, boolean, enum, integer, map_of, string

FIELD_ERROR = component(
    "FieldError",
    field=string("the query parameter, header or body field"),
    detail=string("what is wrong with the value, and what is expected"),
)
PROBLEM = component(
    "Problem",
    "An error, as RFC 9457 defines it.",
    type=string(),
    title=string("the name of the HTTP status"),
    status=integer("the HTTP status"),
    detail=string("what is wrong, and what to do"),
    errors=OptionalField(array(FIELD_ERROR, "one entry for each wrong field")),
)
HEALTH = component("Health", status=enum(("ok",)))
READINESS_CHECK = component(
    "ReadinessCheck",
    state=string(
        "ok, missing, stopping, newer than this version, too new for this version, refuses writes: reason, or "
        "unavailable: reason"
    ),
    needed=boolean("whether requests are accepted only in the state ok, or with a newer database"),
    meaning=string("what follows from the state"),
)
READINESS = component(
    "Readiness",
    status=enum(("ok", "not ready")),
    checks=OptionalField(
        map_of(READINESS_CHECK, "web, database, migrations, redis, workers; with `verbose`, for authenticated clients")
    ),
)
