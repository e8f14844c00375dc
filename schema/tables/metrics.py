"""The metrics table: one row per metric and label values; every process adds its counts to these rows."""

from sqlalchemy import ARRAY, Column, Double, Table, Text

from schema.tables.requests import metadata

metric_total = Table(
    "metric_total",
    metadata,
    Column("name", Text, primary_key=True),
    Column("labels", Text, primary_key=True, comment="the values of its labels, as a JSON array"),
    Column("values", ARRAY(Double), nullable=False, comment="one number, or the buckets of a histogram and its sum"),
    postgresql_with={"fillfactor": 50},
)
