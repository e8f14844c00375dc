"""When a schedule that nobody has stored yet would fire: what an editor shows while somebody types."""

from datetime import datetime
from typing import Any

from workqueue.errors import BadScheduleError
from workqueue.schedules.calendar import expression, time_zones
from workqueue.schedules.calendar.timetable import Timetable, next_ticks
from workqueue.schedules.validation import Rules, validate_new

FIELDS = ("expression", "timezone", "start_at", "end_at")
NAME = "preview"  # stands for the name and the function, which its times do not depend on


def preview_of(body: Any, now: datetime, count: int) -> list[datetime]:
    """The next `count` times of what the body says. Raises BadScheduleError, which names the field."""
    if not isinstance(body, dict) or not body.keys() <= set(FIELDS):
        raise BadScheduleError([{"field": "body", "detail": f"an object with some of {', '.join(FIELDS)} is needed"}])
    values = validate_new({**body, "name": NAME, "function": NAME}, Rules((), 0, frozenset({NAME})), now)
    start_at, end_at = values["start_at"], values["end_at"]
    rule, zone = expression.parse(values["expression"]), time_zones.find(values["timezone"])
    return next_ticks(Timetable(rule, zone, start_at or now.replace(microsecond=0), start_at, end_at), now, count)
