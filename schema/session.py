"""Makes database engines: how every part of the runtime connects to PostgreSQL."""

import json
from typing import Any

from sqlalchemy import Engine, create_engine

CONNECT_TIMEOUT_S = 5  # a server that is away is noticed, not waited for
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}


def make_engine(database_url: str, *, pool_size: int = 5, max_overflow: int = 10, **options: Any) -> Engine:
    """An engine with a pool that drops dead connections by itself.

    database_url: `postgresql+psycopg://…`. pool_size: connections kept; max_overflow: more for a while.
    """
    return create_engine(
        database_url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_pre_ping=True,  # a restarted server costs one ping, not one failed request
        pool_timeout=CONNECT_TIMEOUT_S,
        json_serializer=to_json,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "localfn", **KEEPALIVES},
        **options,
    )


def to_json(value: Any) -> str:
    """Strict, compact JSON, as it is stored."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
