"""Measurements; `python -m benchmarks NAME` runs one. Nothing here is a test: figures depend on the machine."""
