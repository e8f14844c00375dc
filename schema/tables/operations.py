"""Tables for operators: paused queues, minute rollups, queue depths, sandboxes, metrics and worker pools."""

from sqlalchemy import ARRAY, JSON, Boolean, CheckConstraint, Column, Double, Integer, Table, Text, false, text

from schema.tables.requests import OFTEN_UPDATED, Moment, metadata

paused_queue = Table(
    "paused_queue",
    metadata,
    # The row is the pause: it survives the loss of Redis, and every claim checks it.
    Column("name", Text, primary_key=True),
    Column("paused_at", Moment, nullable=False),
)

minute_tally = Table(
    "minute_tally",
    metadata,
    Column("minute", Moment, primary_key=True),
    Column("function", Text, primary_key=True),
    Column("completed", Integer, nullable=False),
    Column("failed", Integer, nullable=False, comment="without cancelled requests"),
    Column("waits", JSON, nullable=False, comment="histogram of the time in the queue: bucket → count"),
    Column("runs", JSON, nullable=False, comment="histogram of the time from claim to end: bucket → count"),
    Column("cancelled", Integer, nullable=False, server_default="0", comment="in neither histogram"),
)

depth_sample = Table(
    "depth_sample",
    metadata,
    Column("minute", Moment, primary_key=True),
    Column("queue", Text, primary_key=True),
    Column("depth", Integer, nullable=False),
)

schema_support = Table(
    "schema_support",
    metadata,
    # One row, written by migrations alone: an older version starts if its newest revision is at least this one.
    Column("single", Boolean, primary_key=True, server_default=text("true")),
    Column("oldest_revision", Text, nullable=False),
    CheckConstraint("single", name="single"),
)

tally_mark = Table(
    "tally_mark",
    metadata,
    # One row. Minutes before `until` are stored in minute_tally; readers count the later ones themselves.
    Column("single", Boolean, primary_key=True, server_default=text("true")),
    Column("until", Moment, nullable=False),
    CheckConstraint("single", name="single"),
    postgresql_with=OFTEN_UPDATED,
)

sandbox_note = Table(
    "sandbox_note",
    metadata,
    Column("pool", Text, primary_key=True, comment="host name and process id of the sandbox pool"),
    Column("sandboxes", JSON, nullable=False),
    Column("seen_at", Moment, nullable=False),
    prefixes=["UNLOGGED"],  # a crash of PostgreSQL empties it, and the next snapshot fills it again
    postgresql_with=OFTEN_UPDATED,
)

metric_total = Table(
    "metric_total",
    metadata,
    # One row per metric and label values; every process adds its counts to these rows.
    Column("name", Text, primary_key=True),
    Column("labels", Text, primary_key=True, comment="the values of its labels, as a JSON array"),
    Column("values", ARRAY(Double), nullable=False, comment="one number, or the buckets of a histogram and its sum"),
    postgresql_with={"fillfactor": 50},
)

function_pool = Table(
    "function_pool",
    metadata,
    Column("name", Text, primary_key=True, comment="host name and LOCALFN_FUNCTIONS of a worker pool"),
    Column("registry", JSON, nullable=False, comment="functions, import failures, units and skipped files of its code"),
    Column("published_at", Moment, nullable=False, comment="of two pools with a function, the later one describes it"),
    Column("is_gone", Boolean, nullable=False, server_default=false(), comment="silent: its functions do not count"),
)

pool_heartbeat = Table(
    "pool_heartbeat",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("live_since", Moment, nullable=False, comment="the first heartbeat after a silence"),
    Column("seen_at", Moment, nullable=False),
    prefixes=["UNLOGGED"],  # a crash of PostgreSQL empties it, and the next heartbeats fill it again
    postgresql_with=OFTEN_UPDATED,
)

removed_function = Table(
    "removed_function",
    metadata,
    Column("name", Text, primary_key=True),
    Column("removed_at", Moment, nullable=False, comment="when the last pool that had it was seen, or removed it"),
)
