"""The work queue: submit, lifecycle, transport, invocation, sandboxes, schedules, maintenance, workers."""
