"""Measure many requests at the same time, and the parts of a worker that adapt to them."""
