"""Start, pool, drive and end the child interpreters that run user code."""
