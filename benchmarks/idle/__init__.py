"""Measure what an idle stack costs: memory, processor time, wake-ups, and WAL."""
