"""Views that users may query. Each joins what the row of a request holds with the rows of a table of earlier ones.

They have a MetaData of their own: Alembic compares tables only, and the migration that changes a view replaces it.
"""

from sqlalchemy import JSON, Boolean, Column, Double, Integer, MetaData, Table, Text, Uuid

from schema.tables.requests import Moment

metadata = MetaData()

request_attempt = Table(
    "request_attempt",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("outcome", Text, comment="null while it runs"),
    Column("worker", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("phases", JSON, nullable=False, comment="objects, as in the API"),
    Column("cold_start", Boolean),
    Column("init_ms", Double),
    Column("max_rss_mb", Double),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("traceback", Text),
    Column("current_lines", JSON, comment="printed lines without an end, while it runs: [[time, stream, line], …]"),
)

processing_result = Table(
    "processing_result",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("data", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
)
