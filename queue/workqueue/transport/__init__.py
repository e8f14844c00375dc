"""The boundary to RQ and Redis: doorbell, job status, registries, schedule mirror."""
